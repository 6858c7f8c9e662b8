import { readTls } from '../../../src/config/tls';
import { type Certificate, certificateDirectory, makeCertificate } from '../../support/certificates';
import { faultsOf, unprivileged } from './fixture';

const directory = certificateDirectory();
const authority = makeCertificate({ cn: 'Example Root', ca: true });
const server = makeCertificate({ cn: 'kms.example', o: 'Example', issuer: authority, toDays: 90 });
const DAY_MS = 86_400_000;

let serial = 0;
function filesOf(cert: string, key: string, keyMode?: number) {
  serial += 1;
  return {
    certFile: directory.write(`${serial}.crt`, cert, 0o644),
    keyFile: directory.write(`${serial}.key`, key, keyMode),
  };
}
const putBoth = ({ cert, key }: Certificate) => filesOf(cert, key);

describe('readTls', () => {
  it('reads a chain, its key and the authorities of clients, and tells of the certificate', () => {
    const files = filesOf(server.cert + authority.cert, server.key);
    const clientCaFile = directory.write('clients.crt', authority.cert);
    const { cert, key, clientCa, about, warning } = readTls({ ...files, clientCaFile });
    expect([String(cert), String(key), String(clientCa)]).toEqual([
      server.cert + authority.cert,
      server.key,
      authority.cert,
    ]);
    expect(about).toEqual({
      subject: 'O=Example, CN=kms.example',
      notAfter: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
    });
    expect(warning).toBeUndefined();
  });

  it('warns of a certificate that ends within 30 days', () => {
    const files = putBoth(server);
    expect(readTls(files, Date.now() + 59 * DAY_MS).warning).toBeUndefined();
    expect(readTls(files, Date.now() + 61 * DAY_MS).warning).toMatch(
      /^the certificate of P11KMS_TLS_CERT_FILE expires on \d{4}-.*Z: replace it, then send SIGHUP$/,
    );
  });

  it('refuses a certificate that has expired, or is not valid yet', () => {
    const certificate = (fault: string) =>
      new RegExp(`^P11KMS_TLS_CERT_FILE names a file that holds a certificate that ${fault}.*Z$`);
    const past = putBoth(makeCertificate({ cn: 'kms.example', fromDays: -2, toDays: -1 }));
    expect(faultsOf(() => readTls(past))).toEqual([expect.stringMatching(certificate('has expired, on '))]);
    const future = putBoth(makeCertificate({ cn: 'kms.example', fromDays: 1 }));
    expect(faultsOf(() => readTls(future))).toEqual([
      expect.stringMatching(certificate('is not valid before ')),
    ]);
  });

  const encrypted = String(
    server.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }),
  );
  const otherKey = makeCertificate({ cn: 'kms.example' }).key;
  const CERT = 'P11KMS_TLS_CERT_FILE names a file that';
  const KEY = 'P11KMS_TLS_KEY_FILE names a file that';

  it.each([
    [
      'a key of another certificate',
      server.cert,
      otherKey,
      `${KEY} holds another key than that of P11KMS_TLS_CERT_FILE`,
    ],
    ['an encrypted key', server.cert, encrypted, `${KEY} holds a key that is encrypted: decrypt it`],
    ['a certificate for a key', server.cert, server.cert, `${KEY} holds no private key in PEM`],
    ['a key for a certificate', server.key, server.key, `${CERT} holds no certificate in PEM`],
    ['an empty certificate', '', server.key, `${CERT} holds no certificate in PEM`],
    ['an empty key', server.cert, '', `${KEY} holds no private key in PEM`],
    [
      'a certificate in shreds',
      server.cert.replace(/^M.../m, '!!!!'),
      server.key,
      `${CERT} holds no certificate in PEM`,
    ],
    [
      'a chain whose second certificate is in shreds',
      server.cert + authority.cert.replace(/^M.{60}/m, ''),
      server.key,
      `${CERT} OpenSSL does not take (`,
    ],
  ])('refuses %s, with not a byte of it', (_what, cert, key, fault) => {
    const lines = faultsOf(() => readTls(filesOf(cert, key)));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.startsWith(fault)).toBe(true);
    expect(lines[0]).not.toContain('BEGIN');
  });

  it.each([0o640, 0o604, 0o644])('refuses a key in a file of mode %o', (mode) => {
    expect(faultsOf(() => readTls(filesOf(server.cert, server.key, mode)))).toEqual([
      `${KEY} is readable by the file's group or by others: chmod 600 the file`,
    ]);
  });

  it('refuses files that are not there, or not for this user', () => {
    const files = putBoth(server);
    expect(faultsOf(() => readTls({ ...files, certFile: '/not/here' }))).toEqual([`${CERT} does not exist`]);
    expect(faultsOf(() => readTls({ ...files, clientCaFile: '/not/here' }))).toEqual([
      'P11KMS_TLS_CLIENT_CA_FILE names a file that does not exist',
    ]);
    const locked = filesOf(server.cert, server.key, 0o000);
    expect(faultsOf(() => unprivileged(() => readTls(locked)))).toEqual([
      expect.stringMatching(
        /^P11KMS_TLS_\w+ names a file that (may not be read by this user|does not exist)$/,
      ),
    ]);
  });

  it('refuses authorities that are none', () => {
    const clientCaFile = directory.write('none.crt', 'none');
    expect(faultsOf(() => readTls({ ...putBoth(server), clientCaFile }))).toEqual([
      'P11KMS_TLS_CLIENT_CA_FILE names a file that holds no certificate in PEM',
    ]);
  });
});
