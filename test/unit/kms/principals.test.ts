import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmsError } from '../../../src/errors';
import {
  attachPolicy,
  checkNewPrincipal,
  checkRotation,
  createPrincipal,
  createRootPrincipal,
  deletePrincipal,
  detachPolicy,
  findPrincipal,
  type Issuer,
  rotateAccessKey,
} from '../../../src/kms/principals';
import { type AccessKey, openSecret, type Sealer } from '../../../src/kms/secret-access-keys';
import type { PrincipalRepository } from '../../../src/store/principals';
import { openStore, type Store } from '../../../src/store/store';
import { FakeToken } from './fake-token';
import { codeOf, kmsErrorOf } from './fixture';

const SERVICE_KEY = '00'.repeat(16);
const HOUR_MS = 3_600_000;
const POLICY = '{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}';

let dataDir: string;
let store: Store;
let principals: PrincipalRepository;
let sealer: Sealer;
/** Access keys that were handed out, and copies of their secrets. */
let delivered: { readonly accessKey: AccessKey; readonly secret: string }[];
let issuer: Issuer;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'p11kms-principals-'));
  store = await openStore(dataDir);
  principals = store.principals;
  const token = new FakeToken();
  token.objects.set(SERVICE_KEY, 'service');
  const { id: storeId } = await store.identity.read();
  sealer = { run: (name, input) => token.run(name, input), storeId, serviceKey: SERVICE_KEY };
  delivered = [];
  const deliver: Issuer['deliver'] = async (accessKey, keep) => {
    expect(await principals.findByAccessKey(accessKey.id)).toBeUndefined();
    delivered.push({ accessKey, secret: accessKey.secret.toString() });
    await keep();
  };
  issuer = { sealer, deliver };
});
afterEach(async () => {
  await store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const makeRoot = () => createRootPrincipal(principals, issuer);

describe('the root principal', () => {
  it('is made once', async () => {
    await expect(makeRoot()).resolves.toBe(true);
    await expect(makeRoot()).resolves.toBe(false);
    expect(delivered).toHaveLength(1);
    expect(await principals.find('root')).toMatchObject({
      kind: 'root',
      accessKeys: [{ id: delivered[0]?.accessKey.id }],
    });
  });

  it('does not exist where its access key could not be handed out', async () => {
    const full = new Error('the disk is full');
    await expect(
      createRootPrincipal(principals, { sealer, deliver: () => Promise.reject(full) }),
    ).rejects.toBe(full);
    expect(await principals.list()).toEqual([]);
  });

  it('can neither be deleted nor have policies', async () => {
    await makeRoot();
    expect(await codeOf(deletePrincipal(principals, 'ROOT'))).toBe('INVALID_REQUEST');
    expect(await codeOf(attachPolicy(principals, 'Root', { name: 'p', document: POLICY }))).toBe(
      'INVALID_REQUEST',
    );
    expect(await principals.find('root')).toMatchObject({ policies: [] });
  });
});

describe('an access key', () => {
  beforeEach(makeRoot);

  it('is handed out before it is kept, kept sealed, and zeroed', async () => {
    const id = await createPrincipal(principals, { name: 'app' }, issuer);
    const [, { accessKey, secret } = { accessKey: undefined, secret: '' }] = delivered;
    expect(accessKey?.id).toBe(id);
    expect(accessKey?.secret.every((byte) => byte === 0)).toBe(true);
    const kept = await principals.findByAccessKey(id ?? '');
    const opened = await openSecret(sealer, id ?? '', kept?.accessKey.sealed_secret ?? '');
    expect(opened.toString()).toBe(secret);
  });

  it('is zeroed also where it is not kept', async () => {
    await createPrincipal(principals, { name: 'app' });
    expect(
      await codeOf(
        createPrincipal(
          principals,
          { name: 'later', certificateSubject: 'CN=a' },
          {
            sealer,
            deliver: async (accessKey, keep) => {
              delivered.push({ accessKey, secret: '' });
              // Somebody else was quicker.
              await principals.create({ name: 'LATER' });
              await keep();
            },
          },
        ),
      ),
    ).toBe('ALREADY_EXISTS');
    expect(delivered.at(-1)?.accessKey.secret.every((byte) => byte === 0)).toBe(true);
  });

  it('takes the place of the others, at once or after a grace', async () => {
    await createPrincipal(principals, { name: 'app' }, issuer);
    const second = await rotateAccessKey(principals, 'app', 0, issuer);
    expect((await findPrincipal(principals, 'app')).accessKeys).toMatchObject([
      { id: second, expires_at: null },
    ]);
    const before = Date.now();
    const third = await rotateAccessKey(principals, 'app', HOUR_MS, issuer);
    const { accessKeys } = await findPrincipal(principals, 'app');
    expect(accessKeys).toHaveLength(2);
    const [old, current] = [second, third].map((id) => accessKeys.find((key) => key.id === id));
    expect(old?.expires_at).toBeGreaterThanOrEqual(before + HOUR_MS);
    expect(old?.expires_at).toBeLessThanOrEqual(Date.now() + HOUR_MS);
    expect(current?.expires_at).toBeNull();
    expect(await codeOf(checkRotation(principals, 'app', HOUR_MS))).toBe('LIMIT_EXCEEDED');
    expect(await codeOf(rotateAccessKey(principals, 'app', HOUR_MS, issuer))).toBe('LIMIT_EXCEEDED');
    await expect(checkRotation(principals, 'app', 0)).resolves.toMatchObject({ name: 'app' });
  });
});

describe('a new principal', () => {
  beforeEach(makeRoot);

  it.each(['a', 'A_1+2=3,4.5@6-7', 'x'.repeat(64), '..', 'toString'])('may be called %s', async (name) => {
    await expect(checkNewPrincipal(principals, { name })).resolves.toBeUndefined();
    await createPrincipal(principals, { name });
    expect((await findPrincipal(principals, name.toUpperCase())).name).toBe(name);
  });

  it.each(['', ' ', 'a b', 'a/b', 'ü', 'a\n', 'x'.repeat(65), 'root', 'ROOT'])(
    'may not be called %j',
    async (name) => {
      expect(await codeOf(createPrincipal(principals, { name }, issuer))).toBe('INVALID_REQUEST');
      expect(delivered).toHaveLength(1);
    },
  );

  it('shares neither name nor certificate with another', async () => {
    await createPrincipal(principals, { name: 'app', certificateSubject: 'CN=app' });
    for (const principal of [{ name: 'APP' }, { name: 'b', certificateSubject: 'CN=app' }]) {
      expect(await codeOf(createPrincipal(principals, principal, issuer))).toBe('ALREADY_EXISTS');
    }
    expect(delivered).toHaveLength(1);
  });
});

it('there is none before there is a root principal', async () => {
  expect(await codeOf(createPrincipal(principals, { name: 'app' }))).toBe('NOT_FOUND');
});

it('what nobody has is not found, and the message says where to look', async () => {
  await makeRoot();
  for (const attempt of [
    () => findPrincipal(principals, 'app'),
    () => deletePrincipal(principals, 'app'),
    () => checkRotation(principals, 'app', 0),
    () => rotateAccessKey(principals, 'app', 0, issuer),
    () => attachPolicy(principals, 'app', { name: 'p', document: POLICY }),
    () => detachPolicy(principals, 'app', 'p'),
  ]) {
    const { code, message } = await kmsErrorOf(attempt());
    expect({ code, message }).toEqual({
      code: 'NOT_FOUND',
      message: 'there is no principal app: p11kms principals list shows them',
    });
  }
});

describe('a policy', () => {
  beforeEach(async () => {
    await makeRoot();
    await createPrincipal(principals, { name: 'app' });
  });

  const attach = (document: string, name = 'p') => attachPolicy(principals, 'app', { name, document });
  const long = (characters: number) => {
    const empty = POLICY.replace('*"}', '"}').replace('kms:*', 'kms:x');
    return empty.replace('"Resource":""', `"Resource":"arn:a:${'b'.repeat(characters - empty.length - 6)}"`);
  };

  it('is kept as it is', async () => {
    const document = POLICY.replace('{', '{\n\t');
    await attach(document);
    expect((await findPrincipal(principals, 'app')).policies).toMatchObject([{ name: 'p', document }]);
  });

  it('has 6,144 characters at most, white space not counted', async () => {
    expect(long(6_144)).toHaveLength(6_144);
    await attach(long(6_144).replace('{', `{${' '.repeat(1_000)}\n`));
    expect(await codeOf(attach(long(6_145)))).toBe('LIMIT_EXCEEDED');
  });

  it('is one of ten at most', async () => {
    for (let count = 0; count < 10; count++) await attach(POLICY, `p${count}`);
    expect(await kmsErrorOf(attach(POLICY, 'more'))).toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(/^app has 10 policies already: detach one first/),
    });
    await attach(POLICY, 'p3');
  });

  it('that is wrong is not attached, and the message says where', async () => {
    const error = await kmsErrorOf(attach(POLICY.replace('Allow', 'allow')));
    expect(error).toBeInstanceOf(KmsError);
    expect(error).toMatchObject({
      code: 'MALFORMED_POLICY',
      message: expect.stringContaining('Statement.Effect'),
    });
    expect((await findPrincipal(principals, 'app')).policies).toEqual([]);
  });

  it.each(['', 'a b', 'x'.repeat(129)])('may not be called %j', async (name) => {
    expect(await codeOf(attach(POLICY, name))).toBe('INVALID_REQUEST');
  });

  it('that is not attached cannot be detached, and the message says which are', async () => {
    await attach(POLICY, 'one');
    await attach(POLICY, 'two');
    const { message } = await kmsErrorOf(detachPolicy(principals, 'app', 'three'));
    expect(message).toBe('app has no policy three; it has: one, two');
    await detachPolicy(principals, 'app', 'one');
    expect((await findPrincipal(principals, 'app')).policies).toHaveLength(1);
  });
});
