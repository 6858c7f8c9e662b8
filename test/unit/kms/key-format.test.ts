import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { formatKey } from '../../../src/kms/key-format';

const LABELS = ['PRIVATE KEY', 'PUBLIC KEY'] as const;

describe('a key in PEM', () => {
  it('is base64 in lines of 64 characters between its label, whatever the bytes and their number', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.constantFrom(...LABELS),
        (bytes, label) => {
          const der = Buffer.from(bytes);
          const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
          const expected = [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
          expect(formatKey(der, 'PEM', label).toString('latin1')).toBe(expected);
        },
      ),
    );
  });

  it.each(['rsa', 'ec'])('is that of OpenSSL for %s keys', (type) => {
    const { publicKey, privateKey } =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    expect(formatKey(pkcs8, 'PEM', 'PRIVATE KEY').toString()).toBe(
      privateKey.export({ format: 'pem', type: 'pkcs8' }),
    );
    expect(createPublicKey(formatKey(spki, 'PEM', 'PUBLIC KEY')).equals(publicKey)).toBe(true);
  });

  it('shares no memory with the DER, which can be zeroed', () => {
    const der = Buffer.from('some bytes');
    const pem = formatKey(der, 'PEM', 'PRIVATE KEY');
    const before = Buffer.from(pem);
    der.fill(0);
    expect(pem).toEqual(before);
  });
});

it('a key in DER is what it was', () => {
  const der = Buffer.from('some bytes');
  expect(formatKey(der, 'DER', 'PRIVATE KEY')).toBe(der);
});
