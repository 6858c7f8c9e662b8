import { CreateKeyCommand, EncryptCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import * as p11 from 'pkcs11js';
import { diagnosis, doctor } from '../support/doctor';
import { kmsClient } from '../support/kms-client';
import { Driver } from '../support/pkcs11-shim/driver';
import { startServer } from '../support/server';
import { createShimSite, tokenObjects } from '../support/site';

const id = 'ab'.repeat(16);
const secondId = 'cd'.repeat(16);
const foreignId = 'ef'.repeat(16);

let site: Awaited<ReturnType<typeof createShimSite>>;
let storeId: string;
let keyId: string;

const label = (name: string) => `p11kms/${storeId}/${name}`;

async function makeObjects(objects: readonly (readonly [string, string])[]): Promise<void> {
  const driver = await Driver.start(site.shim, site.token);
  try {
    const session = await driver.login();
    for (const [objectId, label] of objects) {
      await driver.call('C_GenerateKey', session, { mechanism: p11.CKM_AES_KEY_GEN }, [
        { type: p11.CKA_TOKEN, value: true },
        { type: p11.CKA_ID, value: Buffer.from(objectId, 'hex') },
        { type: p11.CKA_LABEL, value: label },
        { type: p11.CKA_VALUE_LEN, value: 32 },
      ]);
    }
  } finally {
    await driver.kill();
  }
}

/** The CKA_ID of every secret key on the token. */
async function objectIds(): Promise<string[]> {
  const driver = await Driver.start(site.shim, site.token);
  try {
    const session = await driver.login();
    await driver.call('C_FindObjectsInit', session, [{ type: p11.CKA_CLASS, value: p11.CKO_SECRET_KEY }]);
    const handles = await driver.call<Uint8Array[]>('C_FindObjects', session, 100);
    const ids: string[] = [];
    for (const handle of handles) {
      const asked = [{ type: p11.CKA_ID }];
      const [attribute] = await driver.call<{ value: Uint8Array }[]>(
        'C_GetAttributeValue',
        session,
        handle,
        asked,
      );
      ids.push(Buffer.from(attribute?.value ?? []).toString('hex'));
    }
    return ids;
  } finally {
    await driver.kill();
  }
}

beforeAll(async () => {
  site = await createShimSite();
  const server = await startServer(site);
  keyId = String((await kmsClient(server).send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);
  await server.terminate();
  storeId = String((await diagnosis(site)).store.id);
});

// One story, told in its order.

describe('objects that no row knows', () => {
  it('are listed, those of other stores are not', async () => {
    await makeObjects([
      [id, label('forgotten/1/encrypt')],
      [secondId, label('forgotten/1/wrap')],
      [foreignId, 'p11kms/0123456789ab/somebody/1/encrypt'],
    ]);
    const found = await diagnosis(site);
    expect(found).toMatchObject({ code: 0, canRun: true });
    expect([...found.unknownObjects].sort((a, b) => a.id.localeCompare(b.id))).toEqual([
      { id, label: label('forgotten/1/encrypt') },
      { id: secondId, label: label('forgotten/1/wrap') },
    ]);
    const { stdout } = await doctor(site);
    expect(stdout).toMatch(new RegExp(`^  ${id}  ${label('forgotten/1/encrypt')}$`, 'm'));
    expect(stdout).toContain('p11kms doctor --remove ID');
  });

  it.each([
    ['one of another store', foreignId],
    ['one that is not there', '00'.repeat(16)],
    ['a prefix of one', id.slice(0, 16)],
  ])('--remove refuses %s, and then removes nothing', async (_what, stranger) => {
    const before = tokenObjects(site);
    const { code, stderr } = await doctor(site, ['--remove', id, stranger]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^p11kms: \w+ is not among the objects of this store that no row knows: nothing was removed\n$/,
    );
    expect(tokenObjects(site)).toEqual(before);
  });

  it('--remove refuses the objects of a key, and the service key', async () => {
    const before = tokenObjects(site);
    const known = (await objectIds()).filter((one) => ![id, secondId, foreignId].includes(one));
    expect(known).toHaveLength(3);
    for (const one of known) expect((await doctor(site, ['--remove', one])).code).toBe(1);
    expect(tokenObjects(site)).toEqual(before);
  });

  it('--remove removes what is named, and nothing else', async () => {
    const before = tokenObjects(site).length;
    const found = await diagnosis(site, ['--remove', id]);
    expect(found).toMatchObject({ code: 0, removed: [id], unknownObjects: [{ id: secondId }] });
    expect(tokenObjects(site)).toHaveLength(before - 1);
    const { stdout } = await doctor(site, ['--remove', secondId]);
    expect(stdout).toMatch(new RegExp(`^Removed\\n  ${secondId}$`, 'm'));
    expect(await diagnosis(site)).toMatchObject({ unknownObjects: [], removed: [] });
    expect(await objectIds()).toContain(foreignId);

    const client = kmsClient(await startServer(site));
    expect((await client.send(new ListKeysCommand({}))).Keys).toHaveLength(1);
    const encrypted = await client.send(new EncryptCommand({ KeyId: keyId, Plaintext: Buffer.from('x') }));
    expect(encrypted.CiphertextBlob?.length).toBeGreaterThan(0);
  });
});
