import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** Both halves of a pair, PKCS#8 and SubjectPublicKeyInfo, each of which must be byte for byte as OpenSSL writes it. */
export function keyPairOf(
  format: 'PEM' | 'DER',
  pkcs8: Buffer,
  spki: Buffer,
): [privateKey: KeyObject, publicKey: KeyObject] {
  return format === 'PEM' ? fromPem(pkcs8, spki) : fromDer(pkcs8, spki);
}

function fromPem(pkcs8: Buffer, spki: Buffer): [KeyObject, KeyObject] {
  expect(pkcs8.toString('latin1')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  expect(spki.toString('latin1')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
  const [privateKey, publicKey] = [createPrivateKey(pkcs8), createPublicKey(spki)];
  expect(pkcs8.toString('latin1')).toBe(privateKey.export({ format: 'pem', type: 'pkcs8' }));
  expect(spki.toString('latin1')).toBe(publicKey.export({ format: 'pem', type: 'spki' }));
  return [privateKey, publicKey];
}

function fromDer(pkcs8: Buffer, spki: Buffer): [KeyObject, KeyObject] {
  const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  expect(pkcs8).toEqual(privateKey.export({ format: 'der', type: 'pkcs8' }));
  expect(spki).toEqual(publicKey.export({ format: 'der', type: 'spki' }));
  return [privateKey, publicKey];
}
