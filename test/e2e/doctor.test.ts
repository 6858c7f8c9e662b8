import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { CreateKeyCommand } from '@aws-sdk/client-kms';
import { diagnosis, doctor } from '../support/doctor';
import { kmsClient } from '../support/kms-client';
import { startServer } from '../support/server';
import { createShimSite, tokenObjects } from '../support/site';

const AES_GCM = 0x1087;
const SPECS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
];

let site: Awaited<ReturnType<typeof createShimSite>>;

beforeAll(async () => {
  site = await createShimSite();
});

afterEach(() => site.shim.clear());

describe('before the first start', () => {
  it('looks at the token, and makes no store', async () => {
    const dataDir = mkdtempSync(join(site.token.directory, 'empty-'));
    const found = await diagnosis(site, [], { P11KMS_DATA_DIR: dataDir });
    expect(found).toMatchObject({ code: 0, canRun: true, unknownObjects: [], removed: [] });
    expect(found.store).toEqual({ directory: dataDir });
    expect(existsSync(join(dataDir, 'p11kms.sqlite'))).toBe(false);
    expect(tokenObjects(site)).toEqual([]);
  });
});

describe('on a token that a service uses', () => {
  beforeAll(async () => {
    const server = await startServer(site);
    const client = kmsClient(server);
    await client.send(new CreateKeyCommand({}));
    // Also while the service runs.
    expect(await diagnosis(site)).toMatchObject({ code: 0, canRun: true, unknownObjects: [] });
    await server.terminate();
  });

  it('--json says what the token is and does', async () => {
    const found = await diagnosis(site);
    expect(found).toMatchObject({
      code: 0,
      canRun: true,
      store: { directory: site.dataDir, id: expect.stringMatching(/^[0-9a-f]{12}$/) },
      unknownObjects: [],
    });
    expect(found).not.toHaveProperty('trouble');
    const { report } = found;
    expect(report?.token.label).toBe(site.token.label);
    expect(report?.dialect?.wrapping).toBe('kwp+gcm');
    expect(report?.canExport).toBe(true);
    expect(report?.missing).toEqual([]);
    expect(report?.specs).toEqual(SPECS.map((name) => ({ name, works: true })));
    const gcm = report?.mechanisms.find(({ number }) => number === AES_GCM);
    expect(gcm).toMatchObject({ name: expect.stringContaining('GCM'), found: true, proved: true });
  });

  it('as a table says the same, for people', async () => {
    const { code, stdout, stderr } = await doctor(site);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\np11kms can run on this token\.\n$/);
    for (const section of [
      'Token',
      'Limits',
      'Mechanisms',
      'Key pair specs',
      'Wrapping',
      'Store',
      'Objects of this store that no row knows',
    ]) {
      expect(stdout).toMatch(new RegExp(`^${section}$`, 'm'));
    }
    expect(stdout).toMatch(/CKM_AES_GCM encrypt +0x1087 +proved/);
    for (const spec of SPECS) expect(stdout).toMatch(new RegExp(`^  ${spec} +yes`, 'm'));
    expect(stdout).toContain('kwp+gcm');
    expect(stdout).toContain(site.token.label);
    expect(stdout).not.toContain(site.token.pin);
  });

  it('leaves nothing on the token', async () => {
    const before = tokenObjects(site);
    await doctor(site);
    expect(tokenObjects(site)).toEqual(before);
  });
});

describe('says that the service cannot run', () => {
  it('on a token that lacks AES-GCM: exit code 1, and the report all the same', async () => {
    site.shim.set(`hide=${AES_GCM}`);
    const found = await diagnosis(site);
    expect(found).toMatchObject({ code: 1, canRun: false, trouble: expect.stringContaining('CKM_AES_GCM') });
    expect(found.report?.mechanisms.find(({ number }) => number === AES_GCM)).toMatchObject({ found: false });
    expect(found.report?.missing).toEqual(expect.arrayContaining(['CKM_AES_GCM encryption']));

    const { code, stdout } = await doctor(site);
    expect(code).toBe(1);
    expect(stdout).toMatch(/CKM_AES_GCM encrypt +0x1087 +missing/);
    expect(stdout).toMatch(/\np11kms cannot run: the token cannot be used: it lacks CKM_AES_GCM/);
  });

  it('on a token that cannot wrap private keys', async () => {
    site.shim.set('hide=0x210A,0x210B');
    expect(await diagnosis(site)).toMatchObject({
      code: 1,
      canRun: false,
      trouble: expect.stringContaining('wrap private keys'),
    });
  });

  it('on a token that is not there', async () => {
    const found = await diagnosis(site, [], { P11KMS_TOKEN_LABEL: 'no such token' });
    expect(found).toMatchObject({
      code: 1,
      canRun: false,
      trouble: expect.stringContaining('tokens present'),
    });
  });

  it('on a token of another store', async () => {
    const other = await createShimSite();
    const found = await diagnosis(site, [], {
      ...other.env,
      P11KMS_DATA_DIR: site.dataDir,
    });
    expect(found).toMatchObject({
      code: 1,
      canRun: false,
      trouble: expect.stringContaining('does not belong to this store'),
    });
  });

  it('with a wrong PIN: exit code 78', async () => {
    const settings = { P11KMS_PIN_FILE: undefined, P11KMS_PIN: '0000000000000000' };
    expect(await diagnosis(site, [], settings)).toMatchObject({ code: 78, canRun: false });
    // The right one is not held up by that.
    expect(await diagnosis(site)).toMatchObject({ code: 0, canRun: true });
  });
});
