import { loadConfig } from '../../../src/config/load';
import { certificateDirectory, makeCertificate } from '../../support/certificates';
import { faultsOf, file } from './fixture';

const enough = {
  P11KMS_PKCS11_MODULE: file('not really a library'),
  P11KMS_TOKEN_LABEL: 'p11kms',
  P11KMS_PIN: '12345678',
};
const load = (changes: NodeJS.ProcessEnv) => loadConfig({ ...enough, ...changes });
const faults = (changes: NodeJS.ProcessEnv) => faultsOf(() => load(changes));

const directory = certificateDirectory();
const { certFile, keyFile } = directory.put('good', makeCertificate({ cn: 'localhost' }));
const TLS = { P11KMS_TLS_CERT_FILE: certFile, P11KMS_TLS_KEY_FILE: keyFile };
const PROXY = { P11KMS_TLS_TERMINATED: 'true' };

const NEEDS_TLS =
  'environment variable P11KMS_HOST is not a loopback address (127.0.0.0/8, ::1 or localhost), which needs TLS: set P11KMS_TLS_CERT_FILE and P11KMS_TLS_KEY_FILE, or P11KMS_TLS_TERMINATED=true where a proxy does it';
const NEEDS_SIGNATURE =
  'environment variable P11KMS_AUTH must be signature, because P11KMS_HOST is not a loopback address (127.0.0.0/8, ::1 or localhost)';
const NEEDS_SIGNATURE_AT_PROXY =
  'environment variable P11KMS_AUTH must be signature where P11KMS_TLS_TERMINATED is true, because others reach the service through the proxy';

describe('where the service listens', () => {
  const combinations: [host: string, auth: string, tls: object, expected: string[]][] = [];
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
    for (const auth of ['signature', 'none']) {
      for (const tls of [{}, TLS]) combinations.push([host, auth, tls, []]);
    }
    combinations.push([host, 'signature', PROXY, []], [host, 'none', PROXY, [NEEDS_SIGNATURE_AT_PROXY]]);
  }
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'kms.example', '127.0.0.1.example.com', '127.1']) {
    combinations.push(
      [host, 'signature', {}, [NEEDS_TLS]],
      [host, 'signature', TLS, []],
      [host, 'signature', PROXY, []],
      [host, 'none', {}, [NEEDS_SIGNATURE, NEEDS_TLS]],
      [host, 'none', TLS, [NEEDS_SIGNATURE]],
      [host, 'none', PROXY, [NEEDS_SIGNATURE_AT_PROXY]],
    );
  }

  it.each(combinations)('%s with P11KMS_AUTH=%s and %o', (host, auth, tls, expected) => {
    const env = { P11KMS_HOST: host, P11KMS_AUTH: auth, ...tls };
    if (expected.length > 0) {
      expect(faults(env)).toEqual(expected);
      return;
    }
    expect(load(env)).toMatchObject({
      listen: { host },
      auth,
      tlsTerminated: tls === PROXY,
      ...(tls === TLS && { tls: { certFile, keyFile } }),
    });
  });

  it('demands signatures where nothing is said of them', () => {
    expect(load({ P11KMS_HOST: '0.0.0.0', ...TLS }).auth).toBe('signature');
  });
});

describe('TLS', () => {
  it.each<[string, NodeJS.ProcessEnv, string]>([
    [
      'a certificate alone',
      { P11KMS_TLS_CERT_FILE: certFile },
      'P11KMS_TLS_CERT_FILE needs P11KMS_TLS_KEY_FILE',
    ],
    ['a key alone', { P11KMS_TLS_KEY_FILE: keyFile }, 'P11KMS_TLS_KEY_FILE needs P11KMS_TLS_CERT_FILE'],
    [
      'authorities of client certificates alone',
      { P11KMS_TLS_CLIENT_CA_FILE: certFile },
      'P11KMS_TLS_CLIENT_CA_FILE needs P11KMS_TLS_CERT_FILE and P11KMS_TLS_KEY_FILE',
    ],
    [
      'authorities of client certificates with a proxy',
      { P11KMS_TLS_CLIENT_CA_FILE: certFile, ...PROXY },
      'P11KMS_TLS_CLIENT_CA_FILE needs P11KMS_TLS_CERT_FILE and P11KMS_TLS_KEY_FILE',
    ],
    [
      'both here and at a proxy',
      { ...TLS, ...PROXY },
      'P11KMS_TLS_TERMINATED must be false where P11KMS_TLS_CERT_FILE is set: either a proxy does TLS, or p11kms',
    ],
    [
      'neither yes nor no',
      { P11KMS_TLS_TERMINATED: 'yes' },
      'P11KMS_TLS_TERMINATED must be one of true, false',
    ],
  ])('cannot be %s', (_what, env, fault) => {
    expect(faults(env)).toEqual([`environment variable ${fault}`]);
  });

  it('names the place where a file comes from', () => {
    const P11KMS_CONFIG = file(JSON.stringify({ tlsCertFile: certFile, tlsKeyFile: '/not/here' }));
    expect(faults({ P11KMS_CONFIG })).toEqual([
      `key "tlsKeyFile" in ${P11KMS_CONFIG} names a file that does not exist`,
    ]);
  });

  it.each([true, 'true'])('at a proxy is %j in the file', (tlsTerminated) => {
    expect(load({ P11KMS_CONFIG: file(JSON.stringify({ tlsTerminated })) }).tlsTerminated).toBe(true);
  });

  it('is in the Config by the absolute paths of its files, and not by their content', () => {
    const { tls } = load({ ...TLS, P11KMS_TLS_CLIENT_CA_FILE: certFile });
    expect(tls).toEqual({ certFile, keyFile, clientCaFile: certFile });
    expect(Object.isFrozen(tls)).toBe(true);
  });
});

describe('the region', () => {
  it.each([
    ['arn:aws:kms:eu-central-1:111122223333', undefined, 'eu-central-1'],
    ['arn:aws:kms:eu-central-1:111122223333', 'eu-west-3', 'eu-west-3'],
    ['arn:verenc:111122223333', undefined, 'us-east-1'],
    ['arn:verenc:kms:111122223333', undefined, 'us-east-1'],
  ])('of prefix %s and P11KMS_REGION %s is %s', (prefix, given, region) => {
    expect(load({ P11KMS_ARN_PREFIX: prefix, P11KMS_REGION: given }).region).toBe(region);
  });

  it.each(['US-EAST-1', 'us east', 'us-east-1/kms', '-', 'x'.repeat(65)])('is not %s', (region) => {
    expect(faults({ P11KMS_REGION: region })).toEqual([
      'environment variable P11KMS_REGION must look like us-east-1',
    ]);
  });
});

it.each([
  ['P11KMS_AUTH', 'password', 'must be one of signature, none'],
  ['P11KMS_MAX_CONNECTIONS', '0', 'must be a whole number from 1 to 65535'],
  ['P11KMS_METRICS_PORT', '65536', 'must be a whole number from 0 to 65535'],
  ['P11KMS_QUOTA_CRYPTOGRAPHIC', '0', 'must be a whole number from 1 to 1000000'],
  ['P11KMS_QUOTA_KEY_PAIRS', '0.5', 'must be a whole number from 1 to 1000000'],
  ['P11KMS_QUOTA_MANAGEMENT', '-1', 'must be a whole number from 1 to 1000000'],
  ['P11KMS_AUDIT_FILE_BYTES', '1048575', 'must be a whole number from 1048576 to 1099511627776'],
  ['P11KMS_AUDIT_CHECKPOINT_LINES', '0', 'must be a whole number from 1 to 1000000000'],
])('%s=%s is refused', (name, value, fault) => {
  expect(faults({ [name]: value })).toEqual([`environment variable ${name} ${fault}`]);
});
