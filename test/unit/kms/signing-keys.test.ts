import { createSigningKeys } from '../../../src/kms/signing-keys';

const wanted = (accessKeyId: string, date = '1', sealedSecret = 's') => ({
  accessKeyId,
  sealedSecret,
  date,
  dates: ['1', '2'],
});

const isZero = (key: Buffer) => key.every((byte) => byte === 0);

describe('signing keys', () => {
  it('are zeroed when they are forgotten, and no sooner than all who asked have a copy', async () => {
    const keys = createSigningKeys();
    const original = Buffer.alloc(32, 7);
    let finish = () => {};
    const made = new Promise<Buffer>((resolve) => {
      finish = () => resolve(original);
    });
    const early = [1, 2, 3].map(() => keys.find(wanted('a'), () => made));
    keys.forget();
    finish();
    for (const copy of await Promise.all(early)) expect(copy).toEqual(Buffer.alloc(32, 7));
    expect(isZero(original)).toBe(true);
  });

  it('are never handed out as zeros, by whatever they are forgotten in the same moment', async () => {
    const keys = createSigningKeys();
    for (let time = 0; time < 100; time++) {
      const copy = keys.find(wanted('a'), async () => Buffer.alloc(32, 7));
      if (time % 3 === 0) await Promise.resolve();
      if (time % 2) keys.forget('a');
      else void keys.find(wanted('a', '1', String(time)), async () => Buffer.alloc(32, 8));
      expect(isZero(await copy)).toBe(false);
    }
  });

  it('of another sealed secret take the place of those before', async () => {
    const keys = createSigningKeys();
    const original = Buffer.alloc(32, 7);
    await keys.find(wanted('a'), async () => original);
    expect(await keys.find(wanted('a', '1', 'other'), async () => Buffer.alloc(32, 8))).toEqual(
      Buffer.alloc(32, 8),
    );
    expect(isZero(original)).toBe(true);
  });

  it('of dates that have passed go', async () => {
    const keys = createSigningKeys();
    const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    await keys.find(wanted('a', '1'), async () => first);
    await keys.find(wanted('a', '2'), async () => second);
    expect([isZero(first), isZero(second)]).toEqual([false, false]);
    await keys.find({ ...wanted('a', '3'), dates: ['2', '3'] }, async () => Buffer.alloc(32, 3));
    expect([isZero(first), isZero(second)]).toEqual([true, false]);
  });

  it('are bounded: the oldest go first', async () => {
    const keys = createSigningKeys();
    const first = Buffer.alloc(32, 7);
    await keys.find(wanted('first'), async () => first);
    for (let number = 1; number < 10_000; number++)
      await keys.find(wanted(`${number}`), async () => Buffer.alloc(32, 7));
    expect(isZero(first)).toBe(false);
    await keys.find(wanted('more'), async () => Buffer.alloc(32, 7));
    expect(isZero(first)).toBe(true);
  });

  it('that could not be made are made at the next try', async () => {
    const keys = createSigningKeys();
    await expect(keys.find(wanted('a'), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(keys.find(wanted('a'), async () => Buffer.alloc(32, 7))).resolves.toHaveLength(32);
  });
});
