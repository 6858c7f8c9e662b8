/** Client keys in files, as Alibaba's SDKs read them. */
import { randomBytes } from 'node:crypto';
import { asn1, md, pkcs12, pki } from 'node-forge';
import type { ClientKey } from '../kms/client-keys';

/**
 * Each guess at a chosen password costs this many rounds of SHA-1. Old readers know no bound, Java's is 5,000,000, and
 * its own key stores have had 100,000 for years. A client opens the file once, in 0.1 s with Go and 0.4 s with Java.
 */
const ITERATIONS = 100_000;
/** What Java writes; 8 bytes are the least. */
const SALT_BYTES = 20;
const SERIAL_BYTES = 16;

/**
 * The text of the file: the id, and a PKCS#12 that opens with the password. The caller zeroes it, though it has no secret
 * without the password. Strings and node-forge's numbers, which cannot be zeroed, go with the process.
 *
 * @param password printable ASCII: readers do not agree on anything else
 */
export function clientKeyText(clientKey: ClientKey, password: string): Buffer {
  const p12 = pkcs12Of(clientKey, password);
  const content = { KeyId: clientKey.id, PrivateKeyData: p12.toString('base64') };
  return Buffer.from(`${JSON.stringify(content)}\n`);
}

/**
 * What Go's golang.org/x/crypto/pkcs12 takes: a SHA-1 MAC, 3DES, and two safes, the certificate first. The two are of one
 * name and one local id, or Java would take them for two entries, and the first would have no key.
 */
function pkcs12Of(clientKey: ClientKey, password: string): Buffer {
  const der = clientKey.privateKey.export({ format: 'der', type: 'pkcs1' });
  try {
    const key = pki.privateKeyFromAsn1(asn1.fromDer(der.toString('latin1'))) as pki.rsa.PrivateKey;
    const safe = pkcs12.toPkcs12Asn1(key, certificateOf(clientKey, key), password, {
      algorithm: '3des',
      count: ITERATIONS,
      saltSize: SALT_BYTES,
      friendlyName: clientKey.id,
      generateLocalKeyId: true,
    });
    return Buffer.from(asn1.toDer(safe).getBytes(), 'latin1');
  } finally {
    der.fill(0);
  }
}

/** The SDKs expect one, and the Go SDK shows it to servers that ask for a certificate. It signs itself; nobody trusts it. */
function certificateOf({ id, createdAt, expiresAt }: ClientKey, key: pki.rsa.PrivateKey): pki.Certificate {
  const certificate = pki.createCertificate();
  const name = [{ name: 'commonName', value: id }];
  certificate.publicKey = pki.setRsaPublicKey(key.n, key.e);
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = new Date(createdAt);
  certificate.validity.notAfter = new Date(expiresAt);
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.sign(key, md.sha256.create());
  return certificate;
}

/** Positive, and not 0, in its shortest form: the first bit is 0, the second 1. */
function serialNumber(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40);
  return bytes.toString('hex');
}
