import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientKeyText } from '../../../src/cli/client-key-file';
import { type ClientKey, makeClientKey } from '../../../src/kms/client-keys';

const YEAR_MS = 365 * 86_400_000;
/** Whatever a shell, a URL or a format could take for something else. */
const PASSWORD = ` "'\\$%{}~\`#&|<>;!?*@/=`;

const directory = mkdtempSync(join(tmpdir(), 'p11kms-client-key-file-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const p12 = join(directory, 'p12');
const passwordFile = join(directory, 'password');

let clientKey: ClientKey;
let content: { KeyId: string; PrivateKeyData: string };
beforeAll(async () => {
  // Beyond 2049, X.509 writes times in another way.
  clientKey = await makeClientKey(40 * YEAR_MS);
  content = JSON.parse(clientKeyText(clientKey, PASSWORD).toString());
  writeFileSync(p12, Buffer.from(content.PrivateKeyData, 'base64'));
  writeFileSync(passwordFile, PASSWORD);
});

const openssl = (...args: string[]) =>
  execFileSync('openssl', ['pkcs12', '-in', p12, '-passin', `file:${passwordFile}`, ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  });

const certificate = () => new X509Certificate(openssl('-nokeys'));

it('is JSON with the id and a PKCS#12 in base64', () => {
  expect(Object.keys(content)).toEqual(['KeyId', 'PrivateKeyData']);
  expect(content.KeyId).toBe(clientKey.id);
  expect(content.PrivateKeyData).toMatch(/^[A-Za-z0-9+/]{1000,}={0,2}$/);
});

it('is in the shape that old readers take: SHA-1 and 3DES, one certificate, then one key', () => {
  const args = ['pkcs12', '-in', p12, '-passin', `file:${passwordFile}`, '-info', '-noout'];
  const { stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  expect(stderr.replace(/^MAC length.*\n/m, '')).toMatch(
    /^MAC: sha1, Iteration 100000\nPKCS7 Data\nCertificate bag\nPKCS7 Data\nShrouded Keybag: pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 100000\n$/,
  );
});

it('has the private key', () => {
  const found = createPrivateKey(openssl('-nocerts', '-nodes'));
  expect(found.equals(clientKey.privateKey)).toBe(true);
});

it('has a certificate of the key, by itself, as long as the client key', () => {
  const found = certificate();
  expect(found.subject).toBe(`CN=${clientKey.id}`);
  expect(found.checkIssued(found) && found.verify(clientKey.publicKey)).toBe(true);
  expect(found.checkPrivateKey(clientKey.privateKey)).toBe(true);
  expect(Date.parse(found.validFrom)).toBe(clientKey.createdAt);
  expect(Date.parse(found.validTo)).toBe(clientKey.expiresAt);
  // 16 bytes, the first bit 0: positive.
  expect(found.serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
});

it('gives both one name and one local id, by which readers put them together', () => {
  const attributes = (text: string) => [
    /localKeyID: ([0-9A-F ]{59})/.exec(text)?.[1],
    /friendlyName: (\S+)/.exec(text)?.[1],
  ];
  const [ofCertificate, ofKey] = [openssl('-nokeys'), openssl('-nocerts', '-nodes')].map(attributes);
  expect(ofKey).toEqual([expect.any(String), clientKey.id]);
  expect(ofCertificate).toEqual(ofKey);
});

it('opens with its password alone', () => {
  writeFileSync(passwordFile, PASSWORD.slice(1));
  expect(() => openssl('-noout')).toThrow(/invalid password/);
  writeFileSync(passwordFile, PASSWORD);
  openssl('-noout');
});
