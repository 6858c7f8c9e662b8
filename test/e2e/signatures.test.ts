import {
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  ListKeysCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import fc from 'fast-check';
import { atEnd } from '../support/at-end';
import type { Credentials } from '../support/credentials';
import { createKey } from '../support/keys';
import { kmsClient, type RawAnswer, refusalOf, send, sign } from '../support/kms-client';
import { type Server, startServer } from '../support/server';
import { createSite } from '../support/site';

const MINUTE_MS = 60_000;
const UNKNOWN = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x'.repeat(40) };

let server: Server;
let client: KMSClient;
let keyId: string;

beforeAll(async () => {
  server = await startServer(createSite());
  client = kmsClient(server);
  keyId = await createKey(client);
});

interface Request {
  headers: Record<string, string>;
  body: string | Uint8Array;
}

/** A client that does something to its requests after it has signed them. */
function tampering(tamper: (request: Request) => void): KMSClient {
  const tampered = kmsClient(server);
  tampered.middlewareStack.add(
    (next) => (args) => {
      tamper(args.request as Request);
      return next(args);
    },
    { step: 'deserialize', priority: 'low' },
  );
  return tampered;
}

/** A client whose clock is wrong. */
function clientAt(systemClockOffset: number): KMSClient {
  const { url: endpoint, credentials } = server;
  const wrong = new KMSClient({
    endpoint,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    systemClockOffset,
  });
  atEnd(() => wrong.destroy());
  return wrong;
}

const withKey = (credentials: Credentials) => kmsClient({ url: server.url, credentials });
const encrypt = () => new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('data') });

describe('a request that is signed', () => {
  it('with the right key is served', async () => {
    await expect(client.send(encrypt())).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  it('with a wrong secret is refused', async () => {
    const wrong = withKey({ ...server.credentials, secretAccessKey: 'x'.repeat(40) });
    expect(await refusalOf(wrong.send(encrypt()))).toMatchObject({
      name: 'InvalidSignatureException',
      status: 400,
      message: expect.stringContaining('does not match the signature you provided'),
    });
  });

  it('with an access key that nobody has is refused', async () => {
    expect(await refusalOf(withKey(UNKNOWN).send(encrypt()))).toMatchObject({
      name: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    });
  });

  it.each([-6, 6])('by a clock that is %i minutes off is refused', async (minutes) => {
    const refusal = await refusalOf(clientAt(minutes * MINUTE_MS).send(encrypt()));
    expect(refusal.name).toBe('InvalidSignatureException');
    expect(refusal.message).toMatch(/^Signature (expired|not yet current): /);
  });

  it.each([-4, 4])('by a clock that is %i minutes off is served', async (minutes) => {
    await expect(clientAt(minutes * MINUTE_MS).send(encrypt())).resolves.toBeDefined();
  });

  it('and whose body was changed is refused', async () => {
    const changed = tampering((request) => {
      request.body = Buffer.from(request.body).toString().replace('Plaintext', 'PlainText');
    });
    expect(await refusalOf(changed.send(encrypt()))).toMatchObject({ name: 'InvalidSignatureException' });
  });

  it('and one of whose headers was changed is refused', async () => {
    const changed = tampering(({ headers }) => {
      headers['x-amz-user-agent'] = 'somebody else';
    });
    expect(await refusalOf(changed.send(encrypt()))).toMatchObject({ name: 'InvalidSignatureException' });
  });

  it('and has an x-amz- header more is refused', async () => {
    const changed = tampering(({ headers }) => {
      headers['x-amz-more'] = 'something';
    });
    expect(await refusalOf(changed.send(encrypt()))).toMatchObject({ name: 'InvalidSignatureException' });
  });

  it('and replayed at another target is refused, and does nothing', async () => {
    const replayed = tampering(({ headers }) => {
      headers['x-amz-target'] = 'TrentService.ScheduleKeyDeletion';
    });
    expect(await refusalOf(replayed.send(new DescribeKeyCommand({ KeyId: keyId })))).toMatchObject({
      name: 'InvalidSignatureException',
    });
    const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: keyId }));
    expect(KeyMetadata?.KeyState).toBe('Enabled');
  });

  it('for another region is refused', async () => {
    const { url: endpoint, credentials } = server;
    const elsewhere = new KMSClient({ endpoint, region: 'eu-west-1', credentials, maxAttempts: 1 });
    atEnd(() => elsewhere.destroy());
    expect(await refusalOf(elsewhere.send(encrypt()))).toMatchObject({
      name: 'InvalidSignatureException',
      message: 'Credential should be scoped to a valid region.',
    });
  });
});

const HEADERS = {
  'content-type': 'application/x-amz-json-1.1',
  'x-amz-target': 'TrentService.ListKeys',
};
const BODY = '{}';

const errorOf = (answer: RawAnswer) => ({ status: answer.status, type: answer.json().__type });

describe('a request that is not signed, or half', () => {
  it('has no authentication token', async () => {
    expect(errorOf(await send(server, HEADERS, BODY))).toEqual({
      status: 400,
      type: 'MissingAuthenticationTokenException',
    });
  });

  it('is not told whether what it asks for exists', async () => {
    const unknown = { ...HEADERS, 'x-amz-target': 'TrentService.NoSuchOperation' };
    expect(errorOf(await send(server, unknown, BODY)).type).toBe('MissingAuthenticationTokenException');
    expect(errorOf(await send(server, HEADERS, 'no JSON')).type).toBe('MissingAuthenticationTokenException');
  });

  it.each(['Credential', 'SignedHeaders', 'Signature'])(
    'has an incomplete signature without %s',
    async (part) => {
      const { authorization = '', ...headers } = await sign(server.url, server.credentials, HEADERS, BODY);
      const half = authorization.replace(new RegExp(`${part}=[^, ]*(, )?`), '');
      expect(errorOf(await send(server, { ...headers, authorization: half }, BODY))).toEqual({
        status: 400,
        type: 'IncompleteSignatureException',
      });
    },
  );

  it('whatever its Authorization header says: it is refused, and is never a fault of the service', async () => {
    const valid = await sign(server.url, server.credentials, HEADERS, BODY);
    const authorization = valid.authorization ?? '';
    const pieces = authorization.split(/([ ,=/;])/);
    const mutation = fc.oneof(
      fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
      fc.shuffledSubarray(pieces).map((some) => some.join('')),
      fc
        .tuple(fc.nat(authorization.length - 1), fc.integer({ min: 0x21, max: 0x7e }))
        .map(
          ([at, code]) =>
            authorization.slice(0, at) + String.fromCharCode(code) + authorization.slice(at + 1),
        ),
    );
    await fc.assert(
      fc.asyncProperty(mutation, async (text) => {
        fc.pre(text.trim() !== authorization);
        const answer = await send(server, { ...valid, authorization: text }, BODY);
        expect(answer.status).toBe(400);
        expect(String(answer.json().__type)).toMatch(
          /^(MissingAuthenticationToken|IncompleteSignature|InvalidSignature|UnrecognizedClient)Exception$/,
        );
      }),
      { numRuns: 300 },
    );
    await expect(client.send(new ListKeysCommand({}))).resolves.toBeDefined();
  });
});

it('without authentication, everybody on loopback is the root principal, whatever they sign', async () => {
  const open = await startServer(createSite(), { P11KMS_AUTH: 'none' });
  await createKey(kmsClient({ url: open.url, credentials: UNKNOWN }));
  expect((await send(open, HEADERS, BODY)).json()).toMatchObject({ Keys: [expect.anything()] });
  await expect(client.send(new ScheduleKeyDeletionCommand({ KeyId: keyId }))).resolves.toBeDefined();
});
