import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { CreateKeyCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { kmsClient } from '../support/kms-client';
import { type Finished, p11kms, type Settings, startServer } from '../support/server';
import { createShimSite, createSite, type Site, siteOf, tokenObjects } from '../support/site';

const AES_GCM = 0x1087;

let site: Awaited<ReturnType<typeof createShimSite>>;

beforeAll(async () => {
  site = await createShimSite();
});

const serve = (settings: Settings = {}, at: Site = site) =>
  p11kms(['serve'], at, { P11KMS_PORT: '0', ...settings });

/** It ended by itself, with one line for each trouble, and no stack trace. */
function expectRefusal({ code, signal, stderr }: Finished, lines: readonly RegExp[], exitCode = 1): void {
  expect({ code, signal }).toEqual({ code: exitCode, signal: null });
  const printed = stderr.split('\n').slice(0, -1);
  expect(printed).toHaveLength(lines.length);
  for (const [index, line] of printed.entries()) {
    expect(line).toMatch(/^p11kms: /);
    expect(line).toMatch(lines[index] as RegExp);
  }
}

describe('the service does not start', () => {
  it('with a setting that there is not, and says which one may be meant', async () => {
    const finished = await serve({ P11KMS_TOKEN_LABLE: 'x' });
    expectRefusal(finished, [/P11KMS_TOKEN_LABLE is not a setting; did you mean P11KMS_TOKEN_LABEL\?/]);
  });

  it('with malformed settings, all of which it names', async () => {
    const finished = await serve({ P11KMS_PORT: 'http', P11KMS_PRIVATE_KEY_EXPORT: 'always' });
    expectRefusal(finished, [
      /P11KMS_PORT must be a whole number from 0 to 65535/,
      /P11KMS_PRIVATE_KEY_EXPORT must be one of never, on-request, aws/,
    ]);
  });

  it('without a setting that is needed', async () => {
    const finished = await serve({ P11KMS_TOKEN_LABEL: undefined, P11KMS_PIN_FILE: undefined });
    expectRefusal(finished, [/P11KMS_TOKEN_LABEL is required/, /P11KMS_PIN or P11KMS_PIN_FILE is required/]);
  });

  it('on an address that others can reach', async () => {
    expectRefusal(await serve({ P11KMS_HOST: '0.0.0.0' }), [
      /P11KMS_HOST is not a loopback address .*P11KMS_TLS_CERT_FILE/,
    ]);
  });

  it('with a module file that does not exist', async () => {
    const finished = await serve({ P11KMS_PKCS11_MODULE: '/nowhere/module.so' });
    expectRefusal(finished, [/P11KMS_PKCS11_MODULE names \/nowhere\/module.so, which does not exist/]);
  });

  it('with a module file that is no module', async () => {
    const finished = await serve({ P11KMS_PKCS11_MODULE: __filename });
    expectRefusal(finished, [/the PKCS#11 module .*start-refusals.test.ts does not start: /]);
  });

  it('with a label that no token has, and lists those present', async () => {
    const finished = await serve({ P11KMS_TOKEN_LABEL: 'no such token' });
    expectRefusal(finished, [
      new RegExp(`no token is labelled "no such token"; tokens present: "${site.token.label}"`),
    ]);
  });

  it('with a token that lacks a mechanism, and names it', async () => {
    site.shim.set(`hide=${AES_GCM}`);
    expectRefusal(await serve(), [/the token cannot be used: it lacks CKM_AES_GCM encryption/]);
    site.shim.set('hide=0x210A,0x210B');
    expectRefusal(await serve(), [/it lacks a way to wrap private keys/]);
    site.shim.clear();
  });

  it('with a module that hangs', async () => {
    site.shim.set('C_GetSlotList hang');
    const finished = await serve();
    expectRefusal(finished, [/the PKCS#11 module was not ready within 10000 ms/]);
    site.shim.clear();
  });

  it('with a module that aborts', async () => {
    site.shim.set('C_OpenSession abort');
    expectRefusal(await serve(), [/the token worker ended: signal SIGABRT/]);
    site.shim.clear();
  });

  it('on a port that is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      const finished = await serve({ P11KMS_PORT: String(port) });
      expectRefusal(finished, [
        new RegExp(`cannot listen on 127.0.0.1 port ${port}: another process has the port`),
      ]);
    } finally {
      other.close();
    }
  });
});

// What SoftHSM says of a token into which another process logs in at that moment.
describe('the service starts all the same', () => {
  afterEach(() => site.shim.clear());

  it.each([
    ['cannot be read for a moment', 'C_GetTokenInfo fail=0x5 times=2'],
    ['is not there for a moment', 'C_GetSlotList fail=0x5 times=2'],
    ['has no PIN for a moment', 'C_Login fail=0x102 times=2'],
    ['refuses several logins with CKR_GENERAL_ERROR', 'C_Login fail=0x5 times=3'],
  ])('on a token that %s', async (_what, rule) => {
    site.shim.set(rule);
    const server = await startServer(site);
    expect(await server.terminate()).toEqual({ code: 0, signal: null });
  });
});

describe('the service does not start on a store', () => {
  const dataDir = (name: string) => mkdtempSync(join(site.token.directory, `${name}-`));

  it('that is no database', async () => {
    const directory = dataDir('garbage');
    writeFileSync(join(directory, 'p11kms.sqlite'), 'this is not a database, '.repeat(1000));
    const finished = await serve({ P11KMS_DATA_DIR: directory });
    expectRefusal(finished, [/the store .*p11kms.sqlite cannot be used: file is not a database/]);
  });

  it('that cannot be opened', async () => {
    const directory = dataDir('directory');
    mkdirSync(join(directory, 'p11kms.sqlite'));
    expectRefusal(await serve({ P11KMS_DATA_DIR: directory }), [/the store .* cannot be used: /]);
  });

  it('whose directory cannot be made', async () => {
    const file = join(dataDir('file'), 'file');
    writeFileSync(file, '');
    expectRefusal(await serve({ P11KMS_DATA_DIR: join(file, 'data') }), [
      /the data directory .* cannot be used: /,
    ]);
  });

  it('that another service works on, which is not disturbed', async () => {
    const home = createSite();
    const server = await startServer(home);
    expectRefusal(await serve({}, home), [/another p11kms runs on the data directory .*: stop it/]);
    const client = kmsClient(server);
    await client.send(new CreateKeyCommand({}));
    await server.kill();
    // What locks falls with the process.
    const { Keys } = await kmsClient(await startServer(home)).send(new ListKeysCommand({}));
    expect(Keys).toHaveLength(1);
  });

  it('that belongs to another token, and changes neither', async () => {
    const home = createSite();
    const server = await startServer(home);
    const { KeyMetadata } = await kmsClient(server).send(new CreateKeyCommand({}));
    await server.terminate();

    const stranger = createSite();
    const finished = await serve({}, siteOf(stranger.token, home.dataDir));
    expectRefusal(finished, [/the token does not belong to this store: .*service key/]);
    expect(tokenObjects(stranger)).toEqual([]);

    const back = kmsClient(await startServer(home));
    const { Keys } = await back.send(new ListKeysCommand({}));
    expect(Keys).toEqual([{ KeyId: KeyMetadata?.KeyId, KeyArn: KeyMetadata?.Arn }]);
  });
});
