import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, p11kms } from './server';
import type { Site } from './site';

/** A record, as its line has it. */
export type AuditLine = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly requestId?: string;
};

const directory = ({ dataDir }: Site) => join(dataDir, 'audit');

/** Every line of every chain of a site that is whole: the files in the order of their beginnings. */
export function auditLines(site: Site): AuditLine[] {
  const files = readdirSync(directory(site)).filter((name) => name.endsWith('.jsonl'));
  return (
    files
      .sort()
      .map((name) => linesOf(join(directory(site), name)))
      .filter((lines) => lines.length > 0)
      // Their names tell seconds, and several chains may begin in one.
      .sort(([one], [other]) => Date.parse(String(one?.time)) - Date.parse(String(other?.time)))
      .flat()
  );
}

const linesOf = (file: string): AuditLine[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as AuditLine);

/** The records of a site: the lines that are about requests and changes. */
export const auditRecords = (site: Site): AuditLine[] =>
  auditLines(site).filter(({ type }) => type === 'record');

/** `p11kms audit verify` of a site's directory. */
export const verifyAudit = (site: Site, ...args: string[]): Promise<Finished> =>
  p11kms(['audit', 'verify', directory(site), ...args], site);
