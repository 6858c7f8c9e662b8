import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Credentials, readCredentials } from './credentials';
import { p11kms } from './server';
import type { Site } from './site';

/** Runs `p11kms ARGS`, which must succeed. */
async function succeed(site: Site, ...args: string[]): Promise<void> {
  const { code, stdout, stderr } = await p11kms(args, site);
  if (code !== 0) throw new Error(`p11kms ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
}

/** Makes a user, and returns their access key. */
export async function createUser(site: Site, name: string): Promise<Credentials> {
  const file = join(site.token.directory, `${name}.credentials`);
  await succeed(site, 'principals', 'create', name, '--credentials-file', file);
  return readCredentials(file);
}

/** Makes a user who has no access key, which needs no token. */
export const createUserWithoutAccessKey = (site: Site, name: string): Promise<void> =>
  succeed(site, 'principals', 'create', name, '--no-access-key');

export interface Statement {
  readonly Effect?: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Condition?: object;
}

/** What the command line changes applies to a service after so long at most. */
const MEMORY_MS = 1_000;

/**
 * Attaches an identity policy, which then applies; statements allow, and are about everything, unless they say
 * otherwise.
 */
export async function attachPolicy(site: Site, name: string, ...statements: Statement[]): Promise<void> {
  const file = join(site.token.directory, `${name}.policy.json`);
  const Statement = statements.map((statement) => ({ Effect: 'Allow', Resource: '*', ...statement }));
  writeFileSync(file, JSON.stringify({ Version: '2012-10-17', Statement }));
  await succeed(site, 'principals', 'attach-policy', name, 'policy', file);
  await sleep(MEMORY_MS);
}
