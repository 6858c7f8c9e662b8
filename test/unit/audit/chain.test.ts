import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Reservation } from '../../../src/audit/audit';
import { recordBound } from '../../../src/audit/entry';
import { entry, newSigner, randomText, record, Site } from './fixture';

afterEach(() => jest.restoreAllMocks());

const ioError = (code: string) => Object.assign(new Error(`${code}: made up`), { code });

describe('a chain', () => {
  it('is whole, and no record is missing, whatever comes at the same time and however small its files', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 3_000 }), fc.boolean(), fc.nat({ max: 3 })), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20_000 }),
        async (requests, fileBytes) => {
          const site = new Site();
          const audit = await site.open({ fileBytes, stepBytes: 4_096 });
          const recorded: string[] = [];
          await Promise.all(
            requests.map(async ([bytes, isDone, turns], at) => {
              for (let turn = 0; turn < turns; turn++) await sleep(0);
              const reservation = await audit.reserve(recordBound(bytes));
              if (!isDone) return reservation.release();
              const encryptionContext = new Map([['text', randomText(bytes)]]);
              await reservation.record(entry({ operation: `Operation${at}`, encryptionContext }));
              recorded.push(`Operation${at}`);
            }),
          );
          await audit.close();
          const report = site.verify();
          expect([report.findings, report.remarks, site.troubles]).toEqual([[], [], []]);
          const found = site.lines().flatMap(({ type, operation }) => (type === 'record' ? [operation] : []));
          expect(found.toSorted()).toEqual(recorded.toSorted());
        },
      ),
      { numRuns: 30 },
    );
  }, 120_000);

  it('takes 1,000 records from 32 callers at once', async () => {
    const site = new Site();
    const audit = await site.open({ fileBytes: 65_536, stepBytes: 65_536 });
    let left = 1_000;
    const caller = async () => {
      while (left-- > 0) await record(audit);
    };
    await Promise.all(Array.from({ length: 32 }, caller));
    await audit.close();
    const report = site.verify();
    expect(report.findings).toEqual([]);
    expect(report.chains).toEqual([
      expect.objectContaining({ records: 1_000, state: 'closed', unsignedLines: 0 }),
    ]);
    expect(site.files().length).toBeGreaterThan(2);
  });

  it('says at its beginning what it is, and in each file which', async () => {
    const site = new Site();
    const audit = await site.record(60);
    await audit.close();
    const { chain } = audit;
    expect(chain).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{12}$/);
    const [start] = site.lines();
    expect(start).toMatchObject({ seq: 1, prev: '0'.repeat(64), type: 'start', format: 1, chain, file: 1 });
    expect(start).toMatchObject({ store: '0123456789ab', tokenSerial: 'serial' });
    expect(start?.publicKey).toBe(site.signer.publicKey.toString('base64'));
    const files = site.lines().filter(({ type }) => type === 'file');
    expect(files.length).toBeGreaterThan(0);
    expect(files.map(({ file }) => file)).toEqual(files.map((_, at) => at + 2));
  });

  it('has files for their owner alone, without what was not used once it is closed', async () => {
    const site = new Site();
    const audit = await site.record(60);
    const open = site.files().at(-1) ?? '';
    expect(site.read(open).toString()).toMatch(/\n\n$/);
    await audit.close();
    for (const file of site.files()) {
      expect(fs.statSync(join(site.dir, file)).mode & 0o777).toBe(0o600);
      expect(site.read(file).toString()).toMatch(/[^\n]\n$/);
    }
    expect(fs.readdirSync(site.dir)).toEqual(site.files());
  });

  it('verifies while it is written, at any moment', async () => {
    const site = new Site();
    const audit = await site.open({ checkpointEvery: 20 });
    let isDone = false;
    const writing = (async () => {
      for (let at = 0; at < 300; at++) await record(audit);
      isDone = true;
    })();
    while (!isDone) {
      expect(site.verify().findings).toEqual([]);
      await sleep(1);
    }
    await writing;
    await audit.close();
  });

  it('refuses after it was closed, and can be closed twice', async () => {
    const site = new Site();
    const audit = await site.open();
    const reservation = await audit.reserve(recordBound(0));
    await Promise.all([audit.close(), audit.close()]);
    await expect(reservation.record(entry())).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    reservation.release();
    await expect(audit.check()).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    await expect(audit.reserve(1)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(site.verify().findings).toEqual([]);
  });

  it('writes what waits before it is closed', async () => {
    const site = new Site();
    const audit = await site.open();
    const reservations = await Promise.all(Array.from({ length: 10 }, () => audit.reserve(recordBound(0))));
    const records = reservations.map((reservation) => reservation.record(entry()));
    await Promise.all([...records, audit.close()]);
    expect(site.verify()).toMatchObject({ isWhole: true, chains: [{ records: 10 }] });
  });

  it('waits when it is closed for the records of what was begun, and takes nothing new meanwhile', async () => {
    const site = new Site();
    const audit = await site.open();
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => audit.reserve(recordBound(0))));
    const closed = jest.fn();
    const closing = audit.close(60_000).then(closed);
    await expect(audit.reserve(1)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    await first?.record(entry({ operation: 'First' }));
    second?.release();
    await sleep(20);
    expect(closed).not.toHaveBeenCalled();
    await third?.record(entry({ operation: 'Third' }));
    await closing;
    expect(site.lines().map(({ type, operation }) => operation ?? type)).toEqual([
      'start',
      'First',
      'Third',
      'end',
    ]);
    expect(site.verify().isWhole).toBe(true);
  });

  it('records at its end how many records it has waited for in vain', async () => {
    const site = new Site();
    const audit = await site.open();
    const reservations = await Promise.all([1, 2].map(() => audit.reserve(recordBound(0))));
    await audit.close(1);
    const [, missing, end] = site.lines();
    expect(missing).toMatchObject({
      protocol: 'service',
      operation: 'EndService',
      outcome: 'failed',
      details: { missing: 2 },
    });
    expect(end?.type).toBe('end');
    for (const late of reservations)
      await expect(late.record(entry())).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(site.verify().isWhole).toBe(true);
  });

  it('takes one record for a reservation', async () => {
    const site = new Site();
    const audit = await site.open();
    const reservation = await audit.reserve(recordBound(0));
    await reservation.record(entry());
    await expect(reservation.record(entry())).rejects.toThrow('one record');
    reservation.release();
    await audit.close();
  });
});

describe('the head of a chain', () => {
  it('is in the store before anybody hears that a record is on disk', async () => {
    const site = new Site();
    const audit = await site.open();
    await record(audit);
    expect(site.heads.get(audit.chain)?.sequence).toBe(2);
    await audit.close();
  });

  it('may be refused by the store: that is told once, and the next goes there again', async () => {
    const site = new Site();
    let isAway = false;
    const audit = await site.open({
      heads: {
        put: async (chain, sequence, hash) => {
          if (isAway) throw new Error('away');
          site.heads.set(chain, { chain, sequence, hash });
        },
        list: async () => [],
      },
    });
    isAway = true;
    await record(audit);
    await record(audit);
    expect(site.troubles).toEqual([expect.stringContaining('away')]);
    expect(site.verify().findings).toEqual([]);
    isAway = false;
    await record(audit);
    expect(site.heads.get(audit.chain)?.sequence).toBe(4);
    await audit.close();
  });
});

describe('checkpoints', () => {
  it('come every so many lines, and at the end', async () => {
    const site = new Site();
    const audit = await site.record(25, { checkpointEvery: 10 });
    await audit.close();
    const types = site.lines().map(({ type }) => type);
    expect(types.filter((type) => type === 'checkpoint')).toHaveLength(2);
    expect(types.at(-1)).toBe('end');
  });

  it('do not keep records waiting for the token', async () => {
    const site = new Site();
    let sign: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      sign = resolve;
    });
    const slow = { ...site.signer, sign: (digest: Buffer) => asked.then(() => site.signer.sign(digest)) };
    const audit = await site.record(30, { checkpointEvery: 10, signer: slow });
    expect(site.lines().filter(({ type }) => type === 'checkpoint')).toEqual([]);
    sign();
    await sleep(20);
    await record(audit);
    expect(site.lines().filter(({ type }) => type === 'checkpoint')).toHaveLength(1);
    await audit.close();
    expect(site.verify().findings).toEqual([]);
  });

  it('that cannot be had are told of once, and tried again', async () => {
    const site = new Site();
    let isAway = true;
    const sign = async (digest: Buffer) => {
      if (isAway) throw new Error('away');
      return site.signer.sign(digest);
    };
    const audit = await site.record(35, { checkpointEvery: 10, signer: { ...site.signer, sign } });
    expect(site.troubles).toEqual([expect.stringContaining('away')]);
    isAway = false;
    for (let at = 0; at < 20; at++) await record(audit);
    expect(site.lines().some(({ type }) => type === 'checkpoint')).toBe(true);
    await audit.close();
    expect(site.verify().isWhole).toBe(true);
  });

  it('do not keep a chain from being closed', async () => {
    const site = new Site();
    const never = { ...newSigner(), sign: () => new Promise<Buffer>(() => undefined) };
    const audit = await site.record(15, { checkpointEvery: 10, signer: never });
    await audit.close();
    expect(site.lines().at(-1)).toMatchObject({ type: 'end' });
    expect(site.troubles).toHaveLength(1);
  });
});

describe('a disk that fails', () => {
  async function filled(site: Site) {
    const audit = await site.open({ stepBytes: 16_384 });
    jest.spyOn(fs, 'write').mockImplementation(((...given: unknown[]) => {
      (given.at(-1) as (error: Error) => void)(ioError('ENOSPC'));
    }) as typeof fs.write);
    const reservations: Reservation[] = [];
    let refusal: unknown;
    while (!refusal) {
      await audit.reserve(recordBound(0)).then(
        (reservation) => reservations.push(reservation),
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    return { audit, reservations, refusal };
  }

  it('because it is full refuses reservations, keeps those that were made, and recovers', async () => {
    const site = new Site();
    const { audit, reservations, refusal } = await filled(site);
    expect(refusal).toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      message: 'The request was refused because it cannot be recorded: the audit log has no space left.',
    });
    await expect(audit.reserve(recordBound(0))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(site.troubles).toHaveLength(1);
    expect(reservations.length).toBeGreaterThan(0);
    for (const reservation of reservations) await reservation.record(entry());
    jest.restoreAllMocks();
    await record(audit);
    await audit.close();
    expect(site.verify()).toMatchObject({ isWhole: true, chains: [{ records: reservations.length + 1 }] });
  });

  it('because it is full is found by a check, which takes no room and tells of it once', async () => {
    const site = new Site();
    const { audit, reservations } = await filled(site);
    for (let time = 0; time < 3; time++)
      await expect(audit.check()).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(site.troubles).toHaveLength(1);
    jest.restoreAllMocks();
    const size = () => site.files().reduce((sum, file) => sum + site.read(file).length, 0);
    await audit.check();
    const bytes = size();
    for (let time = 0; time < 100; time++) await audit.check();
    expect(size()).toBe(bytes);
    for (const reservation of reservations) reservation.release();
    await audit.close();
  });

  it('because it is full has nothing left of a chain that could not begin', async () => {
    const site = new Site();
    jest.spyOn(fs, 'write').mockImplementation(((...given: unknown[]) => {
      (given.at(-1) as (error: Error) => void)(ioError('ENOSPC'));
    }) as typeof fs.write);
    await expect(site.open()).rejects.toThrow(/the audit directory .* cannot be used: ENOSPC/);
    expect(fs.readdirSync(site.dir)).toEqual([]);
  });

  it('because it is full still lets the chain end in order', async () => {
    const site = new Site();
    const { audit } = await filled(site);
    await audit.close();
    expect(site.verify()).toMatchObject({ isWhole: true, chains: [{ state: 'closed', unsignedLines: 0 }] });
  });

  it('gives room that was released to others', async () => {
    const site = new Site();
    const { audit, reservations } = await filled(site);
    reservations.pop()?.release();
    await record(audit);
    await audit.close();
  });

  it('breaks the chain for good: nothing is answered that may not be on disk', async () => {
    const site = new Site();
    const audit = await site.open();
    await record(audit);
    const reservation = await audit.reserve(recordBound(0));
    const spy = jest.spyOn(fs, 'fdatasync').mockImplementation((_, done) => done(ioError('EIO')));
    const records = [reservation.record(entry()), record(audit)];
    for (const one of records) await expect(one).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    spy.mockRestore();
    await expect(audit.check()).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    await expect(audit.reserve(recordBound(0))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(site.troubles).toEqual([expect.stringContaining('EIO')]);
    await audit.close();
    expect(site.verify().findings).toEqual([]);
    // The next start finds it as a crash would have left it.
    const next = await site.open();
    await next.close();
    const repair = site.lines().find(({ operation }) => operation === 'RepairAuditFile');
    expect(repair).toMatchObject({ details: { chain: audit.chain } });
    expect(site.verify().isWhole).toBe(true);
  });
});
