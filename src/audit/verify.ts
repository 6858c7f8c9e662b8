/** Whether an audit record is as it was written. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ChainCheck, type ChainFile, type Repaired } from './check-chain';
import { type AuditReport, type ChainReport, Findings } from './findings';
import { type Covered, fileName, lockName, parseFileName, parseLockName } from './lines';

export interface VerifyOptions {
  /** Directories that hold the record together. */
  readonly dirs: readonly string[];
  /** What the store knows, read before this is called. Absent for a copy of the files alone. */
  readonly store?: { readonly id: string; readonly heads: readonly (Covered & { readonly chain: string })[] };
  /** SPKI, DER: whose signatures count. Where it is absent, those count that each chain itself names. */
  readonly publicKey?: Buffer;
  /** Told how much of all is done, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
}

/** Reads every line of every chain. Throws where a directory or a file cannot be read. */
export function verifyAudit({ dirs, store, publicKey, onProgress }: VerifyOptions): AuditReport {
  const findings = new Findings();
  const chains = filesByChain(dirs, findings);
  const heads = new Map(store?.heads.map((head) => [head.chain, head]));
  const reports: ChainReport[] = [];
  const ends = new Map<string, Covered>();
  const repairs: Repaired[] = [];
  const progress = progressOf(chains, onProgress);
  for (const [chain, files] of chains) {
    const isOpen = dirs.some((dir) => existsSync(join(dir, lockName(chain))));
    const head = heads.get(chain);
    const input = { chain, files, isOpen, head, storeId: store?.id, publicKey };
    const check = new ChainCheck(input, findings);
    const report = check.check(progress);
    reports.push(report);
    ends.set(chain, check.last);
    repairs.push(...check.repairs);
    if (store && !head) findUnknown(report, findings);
  }
  for (const { chain, sequence } of heads.values()) {
    if (sequence === 0 || chains.has(chain)) continue;
    const message = `the store knows the chain up to sequence ${sequence}, and there is no file of it`;
    findings.add({ kind: 'missing-chain', chain, message });
  }
  checkRepairs(repairs, ends, store && heads, findings);
  const { list, count, remarks } = findings;
  return { isWhole: count === 0, chains: reports, findings: list, findingCount: count, remarks };
}

function filesByChain(dirs: readonly string[], findings: Findings): Map<string, ChainFile[]> {
  const chains = new Map<string, ChainFile[]>();
  for (const dir of dirs) {
    for (const name of readdirSync(dir)) {
      const parsed = parseFileName(name);
      if (parsed) {
        const { chain, number } = parsed;
        chains.set(chain, [...(chains.get(chain) ?? []), { dir, number }]);
      } else if (!parseLockName(name)) {
        findings.remark(`${join(dir, name)} is no part of the record`);
      }
    }
  }
  for (const files of chains.values()) files.sort((one, other) => one.number - other.number);
  return new Map([...chains].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function progressOf(
  chains: ReadonlyMap<string, readonly ChainFile[]>,
  onProgress: VerifyOptions['onProgress'],
): (bytes: number) => void {
  if (!onProgress) return () => undefined;
  let all = 1;
  for (const [chain, files] of chains) {
    for (const { dir, number } of files) all += statSync(join(dir, fileName(chain, number))).size;
  }
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress(Math.min(1, done / all));
  };
}

/** What the token signed to its end was not made up; a store that was restored from a backup does not know it. */
function findUnknown({ chain, state, unsignedLines }: ChainReport, findings: Findings): void {
  if (state === 'closed' && unsignedLines === 0) {
    findings.remark(
      `${chain} is signed by the token, and the store does not know it: was an older store restored?`,
    );
    return;
  }
  const message = 'the store does not know the chain, and no signature covers it to its end';
  findings.add({ kind: 'unknown-chain', chain, message });
}

/** A chain that broke off is held by the chain of the process that found it so. */
function checkRepairs(
  repairs: readonly Repaired[],
  ends: ReadonlyMap<string, Covered>,
  heads: ReadonlyMap<string, Covered> | undefined,
  findings: Findings,
): void {
  for (const { chain, sequence, hash } of repairs) {
    const end = ends.get(chain);
    // What the store knows is named as missing already.
    if (!end && heads && !heads.get(chain)?.sequence) {
      const message = `the chain was repaired and ended with sequence ${sequence}, and there is no file of it`;
      findings.add({ kind: 'missing-chain', chain, message });
    }
    if (!end || (end.sequence === sequence && end.hash === hash)) continue;
    const message = `the chain ends otherwise than when it was repaired, with sequence ${sequence}`;
    findings.add({ kind: 'cut-off', chain, message });
  }
}
