import { KmsError } from '../../../src/errors';
import { each } from '../../../src/kms/each';

/** What is done of 1 to 4 where 2 fails with the error. */
async function doneThough(error: Error): Promise<number[]> {
  const done: number[] = [];
  const act = async (item: number) => {
    if (item === 2) throw error;
    done.push(item);
  };
  const failed: unknown[] = [];
  const work = each([1, 2, 3, 4], act, (...failure) => failed.push(failure));
  await expect(work).rejects.toBe(error);
  expect(failed).toEqual([[2, error]]);
  return done;
}

describe('each', () => {
  it('does all, one after the other', async () => {
    const log: string[] = [];
    const act = async (item: string) => {
      log.push(`${item} begins`);
      await Promise.resolve();
      log.push(`${item} ends`);
    };
    await each(['a', 'b'], act, () => log.push('fails'));
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it.each([new Error('unforeseen'), new KmsError('INTERNAL', ''), new KmsError('TOKEN_TIMEOUT', '')])(
    'does the others though one fails with %p, which it throws in the end',
    async (error) => {
      expect(await doneThough(error)).toEqual([1, 3, 4]);
    },
  );

  it('stops where the token is away', async () => {
    expect(await doneThough(new KmsError('KEY_UNAVAILABLE', ''))).toEqual([1]);
  });

  it('throws the first of several failures', async () => {
    const act = async (item: number) => {
      throw new Error(`${item}`);
    };
    const work = each([1, 2], act, () => undefined);
    await expect(work).rejects.toThrow('1');
  });
});
