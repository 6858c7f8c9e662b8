import type { Audit, Reservation } from '../../src/audit/audit';
import type { AuditEntry } from '../../src/audit/entry';
import { createArns } from '../../src/kms/arns';
import { serviceRecord } from '../../src/service-record';
import { captureLog } from './api/support';

const KEY_ID = '1234abcd-12ab-34cd-56ef-1234567890ab';

function open(reservation: Partial<Reservation> = {}) {
  const log = captureLog();
  const made = {
    record: jest.fn(async (_entry: AuditEntry) => undefined),
    release: jest.fn(),
    ...reservation,
  };
  const audit: Audit = {
    chain: 'a-chain',
    reserve: jest.fn(async () => made),
    close: async () => undefined,
  };
  return { made, log, record: serviceRecord(audit, createArns('arn:verenc:1'), log.logger) };
}

describe('the record of what a service does', () => {
  it('says what was done to which key', async () => {
    const { record, made, log } = open();
    record.note('RotateKey', { keyId: KEY_ID, details: { cause: 'automatic' } });
    await new Promise(setImmediate);
    expect(made.record).toHaveBeenCalledWith({
      time: expect.any(Date),
      requestId: expect.any(String),
      protocol: 'service',
      operation: 'RotateKey',
      key: `arn:verenc:1:key/${KEY_ID}`,
      outcome: 'ok',
      details: { cause: 'automatic' },
    });
    expect(log.lines()).toEqual([]);
  });

  it('gives room that was only asked for back', async () => {
    const { record, made } = open();
    await record.assertRoom();
    expect(made.release).toHaveBeenCalledTimes(1);
  });

  it('logs what could not be recorded', async () => {
    const { record, log } = open({ record: () => Promise.reject(new Error('the disk is broken')) });
    record.note('DestroyKey', { keyId: KEY_ID });
    await new Promise(setImmediate);
    expect(log.lines()).toMatchObject([
      { level: 'error', message: 'a change could not be recorded', operation: 'DestroyKey', keyId: KEY_ID },
    ]);
  });
});
