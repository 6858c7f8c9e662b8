import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Debian's package puts the module. */
export const NSS_MODULE = '/usr/lib/x86_64-linux-gnu/libsoftokn3.so';

/** A database of NSS's softokn: a PKCS#11 token that is not SoftHSM2. */
export interface NssToken {
  readonly directory: string;
  /** What its C_Initialize wants as library parameters. */
  readonly initArgs: string;
  /** The slot that keeps keys; the module's first slot does not. */
  readonly label: string;
  readonly pin: string;
  /** Deletes the directory and the database in it. */
  remove(): void;
}

/** Makes a database in a new temporary directory, with a random password unless `pin` says otherwise. */
export function createNss(pin = randomBytes(8).toString('hex')): NssToken {
  const directory = mkdtempSync(join(tmpdir(), 'p11kms-nss-'));
  const database = `sql:${join(directory, 'database')}`;
  const passwordFile = join(directory, 'password');
  mkdirSync(join(directory, 'database'), { mode: 0o700 });
  writeFileSync(passwordFile, `${pin}\n`, { mode: 0o600 });
  const password = pin === '' ? ['--empty-password'] : ['-f', passwordFile];
  execFileSync('certutil', ['-N', '-d', database, ...password], { stdio: 'pipe', timeout: 30_000 });
  return {
    directory,
    initArgs: `configdir='${database}' certPrefix='' keyPrefix='' secmod='' flags=`,
    label: 'NSS Certificate DB',
    pin,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
