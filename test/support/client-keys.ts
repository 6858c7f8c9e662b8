import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { p11kms } from './server';
import type { Site } from './site';
import { withStore } from './store';

/** A client key of the Alibaba KMS instance API. */
export interface ClientKey {
  readonly keyId: string;
  /** RSA. */
  readonly privateKey: KeyObject;
}

/** Reads a client key file as Alibaba's SDKs do: JSON, and PKCS#12 in it, which openssl opens. */
export function openClientKeyFile(path: string, password: string): ClientKey {
  const { KeyId, PrivateKeyData } = JSON.parse(readFileSync(path, 'utf8'));
  const pem = execFileSync('openssl', ['pkcs12', '-passin', 'env:PASSWORD', '-nodes', '-nocerts'], {
    input: Buffer.from(PrivateKeyData, 'base64'),
    env: { ...process.env, PASSWORD: password },
    stdio: 'pipe',
  });
  return { keyId: KeyId, privateKey: createPrivateKey(pem) };
}

/**
 * Puts a client key of a principal into the store, as the command line does. It takes a tenth of the command's time, most of
 * which goes into the password that protects the file: for tests that are about something else.
 */
export function insertClientKey(site: Site, principal: string): ClientKey {
  const keyId = `KAAP.${randomUUID()}`;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const columns = '(id, principal, public_key, created_at, expires_at)';
  const now = Date.now();
  withStore(site, (database) =>
    database
      .prepare(`insert into client_keys ${columns} values (?, ?, ?, ?, ?)`)
      .run(keyId, principal, spki, now, now + DAY_MS),
  );
  return { keyId, privateKey };
}

const DAY_MS = 86_400_000;
const PASSWORD = 'of a client key file';
let made = 0;

/** Makes a client key for a principal by the command line. `root` is the account's. */
export async function createClientKey(site: Site, principal: string): Promise<ClientKey> {
  const at = (name: string) => join(site.token.directory, name);
  made += 1;
  const file = at(`client-key-${made}.json`);
  const passwordFile = at('client-key.password');
  writeFileSync(passwordFile, PASSWORD, { mode: 0o600 });
  const args = [
    'client-keys',
    'create',
    '--principal',
    principal,
    '--out',
    file,
    '--password-file',
    passwordFile,
  ];
  const { code, stdout, stderr } = await p11kms(args, site);
  if (code !== 0) throw new Error(`p11kms ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return openClientKeyFile(file, PASSWORD);
}
