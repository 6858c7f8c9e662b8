import { sign } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AlibabaRequest, answerOf, signedHeaders } from '../support/alibaba-client';
import { decode, encode } from '../support/alibaba-messages';
import { type Certificate, certificateDirectory, makeCertificate } from '../support/certificates';
import { type ClientKey, createClientKey } from '../support/client-keys';
import { attachPolicy } from '../support/principals';
import { p11kms, type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const RANDOM: AlibabaRequest = {
  name: 'GenerateRandom',
  body: encode('GenerateRandomRequest', { Length: 16 }),
};

const authority = makeCertificate({ cn: 'Example Root', ca: true });
const issue = (cn: string) => makeCertificate({ cn, issuer: authority, use: 'client' });
const billing = issue('billing');
const stranger = issue('stranger');

let server: Server;
let root: ClientKey;
let billingsKey: ClientKey;

beforeAll(async () => {
  const site = createSite();
  const files = certificateDirectory();
  const { certFile, keyFile } = files.put(
    'server',
    makeCertificate({ cn: 'kms.example', issuer: authority, use: 'server' }),
  );
  server = await startServer(site, {
    P11KMS_TLS_CERT_FILE: certFile,
    P11KMS_TLS_KEY_FILE: keyFile,
    P11KMS_TLS_CLIENT_CA_FILE: files.write('clients.crt', authority.cert),
  });
  const user = ['billing', '--certificate-subject', 'CN=billing', '--no-access-key'];
  expect(await p11kms(['principals', 'create', ...user], site)).toMatchObject({ code: 0 });
  root = await createClientKey(site, 'root');
  billingsKey = await createClientKey(site, 'billing');
  await attachPolicy(site, 'billing', { Action: 'kms:GenerateRandom' });
});

const signed = ({ keyId, privateKey }: ClientKey): Record<string, string> =>
  signedHeaders(RANDOM, keyId, (text) => sign('sha256', Buffer.from(text), privateKey));

const notSigned = (): Record<string, string> => ({
  'content-type': 'application/x-protobuf',
  'x-kms-apiname': 'GenerateRandom',
  'x-kms-apiversion': 'dkms-gcs-0.2',
});

/** Who the service takes for the sender of a request on a connection of its own, or why it refuses it. */
async function told(headers: OutgoingHttpHeaders, certificate?: Certificate): Promise<string> {
  const outgoing = httpsRequest(server.url, {
    method: 'POST',
    agent: false,
    headers,
    ca: authority.cert,
    ...(certificate && { cert: certificate.cert, key: certificate.key }),
  });
  outgoing.end(RANDOM.body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const { httpStatus, body, error } = await answerOf(incoming);
  if (httpStatus !== 200) return error().ErrorCode;
  const { Random, RequestId } = decode('GenerateRandomResponse', body);
  expect(Random).toHaveLength(16);
  const { principal } = await server.logged(({ requestId }) => requestId === RequestId);
  return String(principal).replace(/^.*:/, '');
}

describe('a client certificate', () => {
  it('from an authority is enough', async () => {
    expect(await told(notSigned(), billing)).toBe('user/billing');
  });

  it('agrees with a signature of the same principal', async () => {
    expect(await told(signed(billingsKey), billing)).toBe('user/billing');
  });

  it('and the signature of another principal are refused', async () => {
    expect(await told(signed(root), billing)).toBe('InvalidAccessKeyId.NotFound');
  });

  it('does not make up for a wrong signature', async () => {
    const authorization = `Bearer ${Buffer.alloc(256, 1).toString('base64')}`;
    expect(await told({ ...signed(billingsKey), authorization }, billing)).toBe('SignatureNotMatch');
  });

  it('that stands for nobody is refused', async () => {
    expect(await told(notSigned(), stranger)).toBe('InvalidAccessKeyId.NotFound');
    expect(await told(signed(root), stranger)).toBe('InvalidAccessKeyId.NotFound');
  });

  it.each(['billing', 'the client key’s id'])(
    'that no authority issued says nothing, whatever its name: Alibaba’s Go SDK offers its own (%s)',
    async (name) => {
      const own = makeCertificate({ cn: name === 'billing' ? name : root.keyId });
      expect(await told(notSigned(), own)).toBe('InvalidAccessKeyId.NotFound');
      expect(await told(signed(root), own)).toBe('root');
    },
  );
});

it.each(['date', 'content-type', 'content-sha256', 'x-kms-apiname', 'x-kms-acccesskeyid', 'authorization'])(
  'a request with two headers %s is refused, with a certificate or a signature',
  async (name) => {
    const headers = signed(billingsKey);
    const twice = { [name]: [String(headers[name]), String(headers[name])] };
    expect(await told({ ...headers, ...twice })).toBe('SignatureNotMatch');
    expect(await told({ ...notSigned(), ...twice }, billing)).toBe('SignatureNotMatch');
  },
);

it('a request without either is told what it lacks', async () => {
  expect(await told(notSigned())).toBe('InvalidParam');
});
