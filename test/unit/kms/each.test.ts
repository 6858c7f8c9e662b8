import { KmsError } from '../../../src/errors';
import { each } from '../../../src/kms/each';

/** What is done of 1 to 4 where 2 fails with the error. */
async function doneThough(error: Error): Promise<number[]> {
  const done: number[] = [];
  const work = each([1, 2, 3, 4], async (item) => {
    if (item === 2) throw error;
    done.push(item);
  });
  await expect(work).rejects.toBe(error);
  return done;
}

describe('each', () => {
  it('does all, one after the other', async () => {
    const log: string[] = [];
    await each(['a', 'b'], async (item) => {
      log.push(`${item} begins`);
      await Promise.resolve();
      log.push(`${item} ends`);
    });
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it.each([new Error('unforeseen'), new KmsError('INTERNAL', ''), new KmsError('LIMIT_EXCEEDED', '')])(
    'does the others though one fails with %p, which it throws in the end',
    async (error) => {
      expect(await doneThough(error)).toEqual([1, 3, 4]);
    },
  );

  it.each(['KEY_UNAVAILABLE', 'TOKEN_TIMEOUT'] as const)(
    'stops where the token is away: %s',
    async (code) => {
      expect(await doneThough(new KmsError(code, ''))).toEqual([1]);
    },
  );

  it('throws the first of several failures', async () => {
    const work = each([1, 2], async (item) => {
      throw new Error(`${item}`);
    });
    await expect(work).rejects.toThrow('1');
  });
});
