import { cleanUp, keepHouse } from '../../src/housekeeping';
import { createHeartbeat } from '../../src/kms/heartbeat';
import { destroyDueKeys } from '../../src/kms/key-deletion';
import { removeUnfinished } from '../../src/kms/key-versions';
import type { Kms } from '../../src/kms/kms';
import { rotateDueKeys } from '../../src/kms/rotation';
import type { ServiceRecord } from '../../src/service-record';
import { captureLog } from './api/support';

jest.mock('../../src/kms/heartbeat');
jest.mock('../../src/kms/key-deletion');
jest.mock('../../src/kms/key-versions');
jest.mock('../../src/kms/rotation');
// The real one has timers of its own, which fake time does not move.
jest.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown, { signal }: { signal?: AbortSignal }) =>
    new Promise((resolve, reject) => {
      const give = () => reject(signal?.reason);
      if (signal?.aborted) give();
      signal?.addEventListener('abort', give);
      setTimeout(() => {
        signal?.removeEventListener('abort', give);
        resolve(value);
      }, ms);
    }),
}));

const beat = jest.fn(async () => undefined);
const flush = jest.fn(async () => undefined);
const KMS = { store: {}, usage: { flush } } as unknown as Kms;
const KEY_ID = 'a-key';
const record = { recorded: jest.fn<Promise<boolean>, Parameters<ServiceRecord['recorded']>>() };
const nothing = async () => undefined;

beforeEach(() => {
  jest.resetAllMocks();
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  jest.mocked(createHeartbeat).mockReturnValue(beat);
  record.recorded.mockImplementation((_operation, _about, work) => work(nothing));
});
afterEach(() => jest.useRealTimers());

function start() {
  const log = captureLog();
  const began = Date.now();
  /** Seconds from the start to each time that keys were rotated. */
  const rotations: number[] = [];
  /** What a rotation does in its turn. */
  const rotating = jest.fn(async () => undefined);
  jest.mocked(rotateDueKeys).mockImplementation(() => {
    rotations.push((Date.now() - began) / 1000);
    return rotating();
  });
  const housekeeping = keepHouse(KMS, log.logger, record, { longestJobMs: 100_000 });
  const seen = () => log.lines().map(({ level, message, error }) => ({ level, message, error }));
  return { housekeeping, log, seen, rotations, rotating };
}

const pass = (seconds: number) => jest.advanceTimersByTimeAsync(seconds * 1000);

/** Work that takes until it is told to end. */
function work() {
  let end: (value: undefined) => void = () => undefined;
  const done = new Promise<undefined>((resolve) => {
    end = resolve;
  });
  return { done, end: () => end(undefined) };
}

describe('a duty', () => {
  it('is done again and again, each in its own time, and nothing is logged', async () => {
    const { seen } = start();
    const duties = { beat, flush, removeUnfinished, rotateDueKeys, destroyDueKeys };
    const counts = () =>
      Object.values(duties).map((duty) => jest.mocked<(...of: never) => unknown>(duty).mock.calls.length);
    await pass(1.999);
    expect(counts()).toEqual([0, 0, 0, 0, 0]);
    await pass(58.001);
    expect(counts()).toEqual([12, 30, 1, 30, 30]);
    // The heartbeat remembers what it saw: there is one.
    expect(createHeartbeat).toHaveBeenCalledTimes(1);
    expect(seen()).toEqual([]);
  });

  it('leaves alone what jobs may still be at work on', async () => {
    start();
    await pass(60);
    expect(removeUnfinished).toHaveBeenCalledWith(KMS, expect.anything(), 160_000);
    expect(destroyDueKeys).toHaveBeenLastCalledWith(KMS, 102_000, expect.anything());
  });

  it('is not begun again while it is being done, nor keeps the others waiting', async () => {
    const { rotations, rotating } = start();
    const { done, end } = work();
    rotating.mockReturnValueOnce(done);
    await pass(60);
    expect(rotations).toEqual([2]);
    expect(flush).toHaveBeenCalledTimes(30);
    end();
    await pass(4);
    expect(rotations).toEqual([2, 62, 64]);
  });
});

describe('a duty that fails', () => {
  it('is tried again after longer and longer pauses, up to a minute, while the others go on', async () => {
    const { rotations, rotating } = start();
    rotating.mockRejectedValue(new Error('no token'));
    await pass(242);
    expect(rotations).toEqual([2, 6, 14, 30, 62, 122, 182, 242]);
    expect(flush).toHaveBeenCalledTimes(121);
  });

  it('is logged once, and again when it works, and is then done as often as before', async () => {
    const { seen, rotations, rotating } = start();
    for (const reason of ['first', 'second']) rotating.mockRejectedValueOnce(new Error(reason));
    await pass(20);
    expect(rotations).toEqual([2, 6, 14, 16, 18, 20]);
    const failed = (reason: string) => ({
      level: 'warn',
      message: 'rotating keys failed; will try again',
      error: expect.objectContaining({ message: reason }),
    });
    const works = { level: 'info', message: 'rotating keys works again', error: undefined };
    expect(seen()).toEqual([failed('first'), works]);
    rotating.mockRejectedValueOnce(new Error('third'));
    await pass(6);
    expect(seen()).toEqual([failed('first'), works, failed('third'), works]);
  });

  it('is logged once also where its pauses cannot grow', async () => {
    const { seen } = start();
    for (let time = 0; time < 3; time++) jest.mocked(removeUnfinished).mockRejectedValueOnce(new Error('x'));
    await pass(250);
    expect(removeUnfinished).toHaveBeenCalledTimes(4);
    expect(seen().map(({ level }) => level)).toEqual(['warn', 'info']);
  });
});

describe('what cannot be recorded', () => {
  it('is not done: no key is destroyed, and no version removed', async () => {
    const { log } = start();
    const full = new Error('the disk is full');
    record.recorded.mockRejectedValue(full);
    const work = jest.fn(async () => true);
    jest.mocked(destroyDueKeys).mockImplementationOnce(async (_kms, _drainMs, { beginning, destroying }) => {
      await expect(beginning(KEY_ID, work)).rejects.toBe(full);
      await expect(destroying(KEY_ID, work)).rejects.toBe(full);
    });
    await pass(2);
    jest.mocked(removeUnfinished).mockImplementationOnce(async (_kms, { removing }) => {
      await expect(removing({ keyId: KEY_ID, number: 2 }, work)).rejects.toBe(full);
    });
    await cleanUp(KMS, log.logger, record);
    expect(record.recorded).toHaveBeenCalledTimes(3);
    expect(work).not.toHaveBeenCalled();
    expect(log.lines()).toEqual([]);
  });
});

describe('what is done to keys is logged', () => {
  it('when one cannot be rotated or destroyed', async () => {
    const { log } = start();
    jest
      .mocked(rotateDueKeys)
      .mockImplementationOnce(async (_kms, onFailed) => onFailed(KEY_ID, new Error('a')));
    jest
      .mocked(destroyDueKeys)
      .mockImplementationOnce(async (_kms, _drainMs, { onFailed }) => onFailed(KEY_ID, new Error('b')));
    await pass(2);
    expect(log.lines()).toMatchObject([
      { level: 'warn', message: 'the rotation of a key failed', keyId: KEY_ID, error: { message: 'a' } },
      { level: 'warn', message: 'the destruction of a key failed', keyId: KEY_ID, error: { message: 'b' } },
    ]);
  });

  it('when one is being destroyed, and when it is, and recorded', async () => {
    const { log } = start();
    jest.mocked(destroyDueKeys).mockImplementationOnce(async (_kms, _drainMs, { beginning, destroying }) => {
      expect(await beginning(KEY_ID, async () => true)).toBe(true);
      expect(await destroying('another', async () => false)).toBe(false);
      expect(await destroying(KEY_ID, async () => true)).toBe(true);
    });
    await pass(2);
    expect(log.lines()).toMatchObject([
      { level: 'warn', message: 'destroying a key whose deletion is due', keyId: KEY_ID },
      { level: 'warn', message: 'key destroyed', keyId: KEY_ID },
    ]);
    expect(record.recorded.mock.calls).toEqual([
      ['BeginKeyDestruction', { keyId: KEY_ID }, expect.any(Function)],
      ['DestroyKey', { keyId: 'another' }, expect.any(Function)],
      ['DestroyKey', { keyId: KEY_ID }, expect.any(Function)],
    ]);
  });

  it('when versions are removed, and only then, and recorded', async () => {
    const { logger, lines } = captureLog();
    await cleanUp(KMS, logger, record);
    expect(lines()).toEqual([]);
    const version = { keyId: KEY_ID, number: 2, objects: [] };
    jest.mocked(removeUnfinished).mockImplementationOnce(async (_kms, { removing, onFailed }) => {
      expect(await removing(version, async () => true)).toBe(true);
      expect(await removing(version, async () => false)).toBe(false);
      onFailed(version, new Error('stuck'));
    });
    await cleanUp(KMS, logger, record, 5);
    expect(removeUnfinished).toHaveBeenLastCalledWith(KMS, expect.anything(), 5);
    const about = { keyId: KEY_ID, details: { version: 2 } };
    expect(record.recorded).toHaveBeenCalledWith('RemoveUnfinishedVersion', about, expect.any(Function));
    expect(lines()).toMatchObject([
      {
        level: 'warn',
        message: 'removed a key version whose making was cut short',
        keyId: KEY_ID,
        version: 2,
      },
      { level: 'warn', message: expect.stringMatching(/^cannot remove a key version/), keyId: KEY_ID },
    ]);
  });
});

describe('stopping', () => {
  it('begins nothing more, and is no failure', async () => {
    const { housekeeping, seen } = start();
    await pass(1);
    await housekeeping.stop(1000);
    await pass(120);
    for (const duty of [beat, flush, rotateDueKeys, destroyDueKeys, removeUnfinished]) {
      expect(duty).not.toHaveBeenCalled();
    }
    expect(seen()).toEqual([]);
  });

  it('waits for what is being done, which is not followed by more', async () => {
    const { housekeeping, rotations, rotating } = start();
    const { done, end } = work();
    rotating.mockReturnValueOnce(done);
    await pass(2);
    const stopped = jest.fn();
    void housekeeping.stop(10_000).then(stopped);
    await pass(9);
    expect(stopped).not.toHaveBeenCalled();
    end();
    await pass(0);
    expect(stopped).toHaveBeenCalledTimes(1);
    await pass(120);
    expect(rotations).toEqual([2]);
  });

  it('does not wait longer than it is told to', async () => {
    const { housekeeping, rotating } = start();
    rotating.mockReturnValueOnce(work().done);
    await pass(2);
    const stopped = jest.fn();
    void housekeeping.stop(10_000).then(stopped);
    await pass(9.999);
    expect(stopped).not.toHaveBeenCalled();
    await pass(0.001);
    expect(stopped).toHaveBeenCalledTimes(1);
  });
});
