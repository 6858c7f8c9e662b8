/** One chain, from its first line to its last. */
import { join } from 'node:path';
import { LinkCheck, sequences } from './check-links';
import { SignatureCheck } from './check-signatures';
import type { ChainReport, FindingKind, Findings, Place } from './findings';
import { type Link, parseLine, type ReadLine, readLines } from './line-reader';
import { type Covered, FORMAT, fileName, hashOf } from './lines';

export interface ChainFile {
  readonly dir: string;
  readonly number: number;
}

export interface ChainInput {
  readonly chain: string;
  /** In the order of their numbers. */
  readonly files: readonly ChainFile[];
  /** The lock's file is there: the process runs, or did not end by itself and nothing has been repaired since. */
  readonly isOpen: boolean;
  /** What the store knows of the chain; read before the files are. */
  readonly head: Covered | undefined;
  readonly storeId: string | undefined;
  readonly publicKey: Buffer | undefined;
}

/** How a chain ended, as the chain of a later process says. */
export interface Repaired extends Covered {
  readonly chain: string;
}

export class ChainCheck {
  readonly #input: ChainInput;
  readonly #findings: Findings;
  readonly #links: LinkCheck;
  readonly #signatures: SignatureCheck;
  readonly #times: { from?: string; to?: string } = {};
  #records = 0;
  #end: Place | undefined;
  #isSigned = false;
  /** Lines that a process may still be writing, or was when it was killed. */
  #unfinished: Place | undefined;
  readonly repairs: Repaired[] = [];

  constructor(input: ChainInput, findings: Findings) {
    this.#input = input;
    this.#findings = findings;
    this.#links = new LinkCheck(input.chain, findings);
    this.#signatures = new SignatureCheck(input.chain, findings, input.publicKey);
  }

  /** Of the last line that is where it belongs. */
  get last(): Covered {
    return { sequence: this.#links.sequence, hash: this.#links.hash };
  }

  /** @param onRead told of the bytes that were read */
  check(onRead: (bytes: number) => void): ChainReport {
    const { chain, files, isOpen } = this.#input;
    let expected = 1;
    for (const { dir, number } of files) {
      if (number > expected) this.#missingFiles(expected, number - 1);
      if (number < expected) this.#find('repeated', fileName(chain, number), 'the file is there twice');
      else this.#file(dir, number, onRead);
      expected = Math.max(expected, number + 1);
    }
    this.#links.end();
    this.#atEnd(files.at(-1));
    const state = this.#end ? 'closed' : isOpen ? 'open' : 'broken-off';
    const { signedUpTo } = this.#signatures;
    const unsignedLines = this.#unsigned();
    return {
      chain,
      state,
      files: files.length,
      records: this.#records,
      ...this.last,
      signedUpTo,
      unsignedLines,
      ...this.#times,
    };
  }

  #file(dir: string, number: number, onRead: (bytes: number) => void): void {
    const file = fileName(this.#input.chain, number);
    let first = true;
    let offset = 0;
    for (const line of readLines(join(dir, file))) {
      onRead(line.offset - offset);
      offset = line.offset;
      if (this.#unfinished) {
        this.#behindUnfinished(line);
        return;
      }
      this.#line(file, number, line, first);
      first = false;
    }
  }

  /** Where the store says nothing, there should be nothing behind what is unfinished. */
  #behindUnfinished(line: ReadLine): void {
    if (this.#input.head || !this.#unfinished || !parseLine(line.bytes)) return;
    this.#find('changed', this.#unfinished, 'the line is not what was written, and others stand behind it');
  }

  #line(file: string, number: number, line: ReadLine, isFirst: boolean): void {
    const at = { file, line: line.number, sequence: this.last.sequence + 1 };
    const link = line.isWhole ? parseLine(line.bytes) : undefined;
    // Behind what the store knows nobody was answered: an open file may end in the middle of anything.
    const mayBeUnfinished = this.#input.isOpen && (this.#input.head?.sequence ?? 0) <= this.last.sequence;
    if (mayBeUnfinished && (line.emptyBefore > 0 || !link)) {
      this.#unfinished = at;
      return;
    }
    if (line.emptyBefore > 0)
      this.#find('changed', at, `${line.emptyBefore} empty lines stand before this line`);
    const hash = hashOf(line.bytes);
    if (!line.isWhole) this.#find('cut-off', at, 'the line is cut off, or something stands behind the last');
    else if (!link) this.#links.unreadable(at, hash);
    else this.#whole(at, link, hash, number, isFirst);
  }

  #whole(at: Place, link: Link, hash: string, number: number, isFirst: boolean): void {
    const place = { ...at, sequence: link.seq };
    if (!this.#links.line(place, link.prev, hash, this.#known(link.seq))) return;
    if (this.#end)
      this.#find('changed', place, 'there should be nothing behind the line that closes the chain');
    this.#content(place, link, number, isFirst);
    this.#signatures.line(this.last.sequence, hash);
  }

  #known(sequence: number): string | undefined {
    const { head } = this.#input;
    return head?.sequence === sequence ? head.hash : undefined;
  }

  #content(place: Place, { type, members }: Link, number: number, isFirst: boolean): void {
    const time = String(members.time);
    this.#times.from ??= time;
    this.#times.to = time;
    if (isFirst || type === 'start' || type === 'file') this.#head(place, type, members, number, isFirst);
    if (type === 'record') this.#record(members);
    if (type === 'end') this.#end = place;
    if (type === 'checkpoint' || (type === 'end' && members.signature !== undefined)) {
      this.#signatures.checkpoint(place, members);
    }
  }

  #record({ operation, protocol, outcome, details }: Readonly<Record<string, unknown>>): void {
    this.#records++;
    if (operation !== 'RepairAuditFile' || protocol !== 'service' || outcome !== 'ok') return;
    const { chain, sequence, hash } = (details ?? {}) as Partial<Repaired>;
    if (chain && sequence && hash) this.repairs.push({ chain, sequence, hash });
  }

  /** What a file says of itself in its first line. */
  #head(
    place: Place,
    type: string,
    members: Readonly<Record<string, unknown>>,
    number: number,
    isFirst: boolean,
  ): void {
    const { chain } = this.#input;
    const expected = number === 1 ? 'start' : 'file';
    const isSame = type === expected && members.chain === chain && members.file === number;
    if (!isFirst || !isSame) this.#find('foreign', place, 'this is not how this file begins');
    if (type === 'start' && isFirst) this.#start(place, members);
  }

  #start(place: Place, members: Readonly<Record<string, unknown>>): void {
    const { storeId } = this.#input;
    if (members.format !== FORMAT) this.#find('foreign', place, `format ${members.format} is not known`);
    if (storeId && members.store !== storeId) this.#find('foreign', place, `it is of store ${members.store}`);
    this.#isSigned = members.publicKey !== undefined;
    this.#signatures.start(place, members);
  }

  #missingFiles(from: number, to: number): void {
    for (let number = from; number <= to; number++) {
      this.#find('missing-file', fileName(this.#input.chain, number), 'the file is not there');
    }
  }

  #atEnd(file: ChainFile | undefined): void {
    const { chain, head, isOpen } = this.#input;
    const { sequence } = this.last;
    if (head && head.sequence > sequence) {
      const name = file ? fileName(chain, file.number) : chain;
      this.#find('cut-off', name, `${sequences(sequence + 1, head.sequence)} not there, at the end`);
    }
    if (this.#unfinished) {
      this.#findings.remark(`${chain} ends in an unfinished line: its process still writes, or was killed`);
    }
    const unsigned = this.#unsigned();
    if (!isOpen && unsigned > 0) {
      const what = this.#isSigned ? `the last ${unsigned} lines are` : 'the chain is';
      this.#findings.remark(`${chain}: ${what} not signed: what holds that is the store`);
    }
  }

  /** The last line of a closed chain holds the signature over those before it. */
  #unsigned(): number {
    const { signedUpTo } = this.#signatures;
    return this.last.sequence - signedUpTo - (this.#end && signedUpTo > 0 ? 1 : 0);
  }

  #find(kind: FindingKind, place: Place | string, message: string): void {
    const at = typeof place === 'string' ? { file: place } : place;
    this.#findings.add({ kind, chain: this.#input.chain, ...at, message });
  }
}
