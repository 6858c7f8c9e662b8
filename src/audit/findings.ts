/** What a look at an audit record finds. */

export type FindingKind =
  | 'changed'
  | 'missing'
  | 'out-of-order'
  | 'repeated'
  | 'cut-off'
  | 'missing-file'
  | 'missing-chain'
  | 'unknown-chain'
  | 'foreign'
  | 'bad-signature';

/** Where a line is. */
export interface Place {
  /** Without its directory. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line's sequence number: what it says, or what it should say. */
  readonly sequence: number;
}

/** Something that is not as it was written. */
export interface Finding extends Partial<Place> {
  readonly kind: FindingKind;
  readonly chain: string;
  readonly message: string;
}

/** What was found of one chain. */
export interface ChainReport {
  readonly chain: string;
  /** `closed` by its process; `open` while that runs, or until the next start repairs what it left; `broken-off`. */
  readonly state: 'closed' | 'open' | 'broken-off';
  readonly files: number;
  readonly records: number;
  /** Of the last line. */
  readonly sequence: number;
  readonly hash: string;
  /** The last line that a good signature covers; 0 where there is none. */
  readonly signedUpTo: number;
  /** Lines that none covers, and that are no signature themselves. */
  readonly unsignedLines: number;
  /** Times of the first and the last line. */
  readonly from?: string;
  readonly to?: string;
}

export interface AuditReport {
  readonly isWhole: boolean;
  readonly chains: readonly ChainReport[];
  /** The first thousand. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  /** What one should know, and nothing is wrong with. */
  readonly remarks: readonly string[];
}

const MOST_FINDINGS = 1_000;

export class Findings {
  readonly list: Finding[] = [];
  readonly remarks: string[] = [];
  count = 0;

  add(finding: Finding): void {
    this.count++;
    if (this.list.length < MOST_FINDINGS) this.list.push(finding);
  }

  remark(text: string): void {
    this.remarks.push(text);
  }
}
