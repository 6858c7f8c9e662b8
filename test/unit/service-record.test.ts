import type { Audit } from '../../src/audit/audit';
import { KmsError } from '../../src/errors';
import { createArns } from '../../src/kms/arns';
import { serviceRecord } from '../../src/service-record';
import { Site } from './audit/fixture';

const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab';
const nothing = async () => undefined;

async function open() {
  const site = new Site();
  const audit = await site.open();
  const records = () => site.lines().filter(({ type }) => type === 'record');
  return { site, audit, records, record: serviceRecord(audit, createArns('arn:verenc:1')) };
}

describe('the record of what a service does', () => {
  it('says what was done to which key, and is on disk when it is done', async () => {
    const { record, records, audit } = await open();
    const about = { keyId: KEY_ID, details: { cause: 'automatic' } };
    expect(await record.recorded('RotateKey', about, async () => true)).toBe(true);
    expect(records()).toEqual([
      expect.objectContaining({
        protocol: 'service',
        operation: 'RotateKey',
        key: `arn:verenc:1:key/${KEY_ID}`,
        outcome: 'ok',
        details: { cause: 'automatic' },
      }),
    ]);
    await audit.close();
  });

  it('is none of what somebody else has done already, and gives the room back', async () => {
    const { record, audit, site } = await open();
    expect(await record.recorded('RotateKey', {}, async () => false)).toBe(false);
    await audit.close(60_000);
    expect(site.lines().map(({ type }) => type)).toEqual(['start', 'end']);
  });

  it.each([
    [new KmsError('KEY_UNAVAILABLE', 'no token'), 'KEY_UNAVAILABLE'],
    [new Error('no store'), 'INTERNAL'],
  ])('says that it failed: %s', async (error, code) => {
    const { record, records, audit } = await open();
    await expect(record.recorded('DestroyKey', {}, () => Promise.reject(error))).rejects.toBe(error);
    expect(records()).toMatchObject([{ operation: 'DestroyKey', outcome: 'failed', error: code }]);
    await audit.close();
  });

  it('can be made before the last step, and is one, whatever becomes of that', async () => {
    const { record, records, audit } = await open();
    const step = async (write: () => Promise<void>) => {
      await write();
      expect(records()).toMatchObject([{ outcome: 'ok' }]);
      throw new Error('killed');
    };
    await expect(record.recorded('DestroyKey', {}, step)).rejects.toThrow('killed');
    expect(records()).toHaveLength(1);
    await audit.close();
  });

  it('comes first: what there is no room for is not done', async () => {
    const { record, audit } = await open();
    await audit.close();
    const work = jest.fn(async () => true);
    await expect(record.recorded('DestroyKey', {}, work)).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
    });
    expect(work).not.toHaveBeenCalled();
  });

  it('that cannot be written fails what was done', async () => {
    const refused = new KmsError('AUDIT_UNAVAILABLE', 'the disk is broken');
    const reservation = { record: () => Promise.reject(refused), release: () => undefined };
    const audit: Audit = { chain: 'chain', reserve: async () => reservation, check: nothing, close: nothing };
    const record = serviceRecord(audit, createArns('arn:verenc:1'));
    await expect(record.recorded('RotateKey', {}, async () => true)).rejects.toBe(refused);
  });
});
