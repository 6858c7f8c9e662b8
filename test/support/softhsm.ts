import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Debian's package puts the module. */
export const SOFTHSM_MODULE = '/usr/lib/softhsm/libsofthsm2.so';

/** A SoftHSM2 token in a directory of its own. */
export interface SoftHsm {
  readonly directory: string;
  readonly configFile: string;
  /** What a process needs in its environment to find this token and no other. */
  readonly env: { readonly SOFTHSM2_CONF: string };
  readonly label: string;
  readonly pin: string;
  /** Deletes the directory and the token in it. */
  remove(): void;
}

/**
 * Makes a token with one slot, a random label and a random PIN in a new temporary directory. Slot numbers
 * are SoftHSM's choice: find the token by its label.
 */
export function createSoftHsm(): SoftHsm {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-softhsm-'));
  const tokens = join(directory, 'tokens');
  const configFile = join(directory, 'softhsm2.conf');
  const env = { SOFTHSM2_CONF: configFile };
  const label = `p11kms-${randomBytes(6).toString('hex')}`;
  const pin = randomBytes(8).toString('hex');
  mkdirSync(tokens, { mode: 0o700 });
  writeFileSync(
    configFile,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
    { mode: 0o600 },
  );
  const soPin = randomBytes(8).toString('hex');
  execFileSync(
    'softhsm2-util',
    ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', soPin],
    { env: { ...process.env, ...env }, stdio: 'pipe', timeout: 30_000 },
  );
  return {
    directory,
    configFile,
    env,
    label,
    pin,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
