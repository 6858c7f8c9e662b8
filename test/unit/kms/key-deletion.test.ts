import { KmsError } from '../../../src/errors';
import { encrypt } from '../../../src/kms/data';
import type { Key } from '../../../src/kms/key';
import { cancelKeyDeletion, destroyDueKeys, scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { createKey, disableKey, enableKey, updateKeyDescription } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import type { DoRecorded } from '../../../src/kms/recorded-work';
import { disableKeyRotation, enableKeyRotation, rotateKeyOnDemand } from '../../../src/kms/rotation';
import { codeOf, context, type Domain, kmsErrorOf, newCall, openDomain, UNKNOWN_ID } from './fixture';

const DAY = 86_400_000;
const unavailable = () => new KmsError('KEY_UNAVAILABLE', 'The token is not available.');

async function withKey(): Promise<Domain & { readonly key: Key }> {
  const domain = await openDomain();
  return { ...domain, key: await createKey(domain.kms, newCall(), { description: 'described' }) };
}

const schedule = (kms: Kms, keyId: string, windowInDays = 7) =>
  scheduleKeyDeletion(kms, newCall(), { keyId, windowInDays });

/** Lets the window of a key pass, by both clocks. */
async function makeDue({ kms }: Domain, keyId: string): Promise<void> {
  await kms.store.deletions.schedule(keyId, { windowDays: 7, windowMs: 0, at: Date.now() - 1 });
  kms.keys.forget();
}

/** One round of housekeeping, and what it told. */
async function destroy(kms: Kms, drainMs = 0) {
  const told = { begun: [] as string[], destroyed: [] as string[], failed: [] as string[] };
  const into =
    (list: string[]): DoRecorded =>
    async (id, work) => {
      const isDone = await work(async () => undefined);
      if (isDone) list.push(id);
      return isDone;
    };
  const round = destroyDueKeys(kms, drainMs, {
    beginning: into(told.begun),
    destroying: into(told.destroyed),
    onFailed: (id) => told.failed.push(id),
  });
  const error = await round.then(
    () => undefined,
    (cause: Error) => cause,
  );
  return { ...told, error };
}

const NOTHING = { begun: [], destroyed: [], failed: [], error: undefined };

describe('scheduleKeyDeletion', () => {
  it.each([7, 30])('says when a window of %i days ends', async (windowInDays) => {
    const { kms, key } = await withKey();
    const before = Date.now();
    const deletion = await schedule(kms, key.id, windowInDays);
    expect(deletion).toMatchObject({ windowInDays, key: { id: key.id, state: 'pending-deletion' } });
    expect(deletion.at.getTime()).toBeGreaterThanOrEqual(before + windowInDays * DAY);
    expect(deletion.at.getTime()).toBeLessThanOrEqual(Date.now() + windowInDays * DAY);
    expect(deletion.key.deletionAt).toEqual(deletion.at);
  });

  it('takes a disabled key, too', async () => {
    const { kms, key } = await withKey();
    await disableKey(kms, newCall(), key.id);
    expect((await schedule(kms, key.id)).key.state).toBe('pending-deletion');
  });

  it('refuses a key that is pending deletion already, an unknown one and an alias', async () => {
    const { kms, key } = await withKey();
    await kms.store.aliases.create('alias/app', key.id);
    await schedule(kms, key.id, 30);
    const error = await kmsErrorOf(schedule(kms, key.id));
    expect(error).toMatchObject({ code: 'INVALID_STATE', message: `${key.arn} is pending deletion.` });
    expect(await codeOf(schedule(kms, UNKNOWN_ID))).toBe('NOT_FOUND');
    expect(await codeOf(schedule(kms, 'alias/app'))).toBe('INVALID_ARN');
  });

  it('keeps the key from everything else', async () => {
    const { kms, key, token } = await withKey();
    await schedule(kms, key.id);
    token.jobs.length = 0;
    const call = newCall();
    const request = { keyId: key.id, plaintext: Buffer.from('x'), authenticated: context(), dryRun: false };
    for (const attempt of [
      encrypt(kms, call, request),
      enableKey(kms, call, key.id),
      disableKey(kms, call, key.id),
      updateKeyDescription(kms, call, { keyId: key.id, description: '' }),
      enableKeyRotation(kms, call, { keyId: key.id, periodInDays: 90 }),
      disableKeyRotation(kms, call, key.id),
      rotateKeyOnDemand(kms, call, key.id),
    ]) {
      const { code, message } = await kmsErrorOf(attempt);
      expect([code, message]).toEqual(['INVALID_STATE', `${key.arn} is pending deletion.`]);
    }
    expect(token.jobs).toEqual([]);
  });
});

describe('cancelKeyDeletion', () => {
  it('leaves the key disabled', async () => {
    const { kms, key } = await withKey();
    await schedule(kms, key.id);
    const cancelled = await cancelKeyDeletion(kms, newCall(), key.id);
    expect(cancelled).toMatchObject({ id: key.id, state: 'disabled' });
    expect(cancelled).not.toHaveProperty('deletionAt');
    await enableKey(kms, newCall(), key.id);
    expect(await destroy(kms)).toEqual(NOTHING);
  });

  it('refuses a key that is not pending deletion', async () => {
    const { kms, key } = await withKey();
    expect(await kmsErrorOf(cancelKeyDeletion(kms, newCall(), key.id))).toMatchObject({
      code: 'INVALID_STATE',
      message: `${key.arn} is not pending deletion.`,
    });
  });

  it('comes too late once the destruction has begun', async () => {
    const domain = await withKey();
    const { kms, key } = domain;
    await makeDue(domain, key.id);
    expect(await destroy(kms, DAY)).toMatchObject({ begun: [key.id], destroyed: [] });
    expect(await codeOf(cancelKeyDeletion(kms, newCall(), key.id))).toBe('INVALID_STATE');
    expect(await codeOf(schedule(kms, key.id))).toBe('INVALID_STATE');
    await kms.store.heartbeat.advance(0, DAY);
    expect(await destroy(kms)).toMatchObject({ destroyed: [key.id] });
  });
});

describe('destroyDueKeys', () => {
  it('touches nothing before the window has passed', async () => {
    const { kms, key, token } = await withKey();
    await schedule(kms, key.id);
    token.jobs.length = 0;
    expect(await destroy(kms)).toEqual(NOTHING);
    expect(token.jobs).toEqual([]);
  });

  it('is not taken in by a clock that jumps ahead ten years', async () => {
    const { kms, key } = await withKey();
    await schedule(kms, key.id);
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 3650 * DAY);
    try {
      expect(await destroy(kms)).toEqual(NOTHING);
      await kms.store.heartbeat.advance(0, 7 * DAY - 1);
      expect(await destroy(kms)).toEqual(NOTHING);
      await kms.store.heartbeat.advance(7 * DAY - 1, 7 * DAY);
      expect(await destroy(kms)).toMatchObject({ begun: [key.id] });
    } finally {
      now.mockRestore();
    }
  });

  it('does not go by heartbeats alone: what was promised to clients is a date', async () => {
    const { kms, key } = await withKey();
    await schedule(kms, key.id);
    await kms.store.heartbeat.advance(0, 100 * DAY);
    expect(await destroy(kms)).toEqual(NOTHING);
  });

  it('begins, and destroys when what was in flight is drained', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    const { encryptObject, wrapObject } = key.current;
    await makeDue(domain, key.id);
    token.jobs.length = 0;
    expect(await destroy(kms, 60_000)).toEqual({ ...NOTHING, begun: [key.id] });
    await kms.store.heartbeat.advance(0, 59_999);
    expect(await destroy(kms, 60_000)).toEqual(NOTHING);
    expect(token.jobs).toEqual([]);
    expect((await kms.keys.resolve(key.id)).state).toBe('pending-deletion');
    await kms.store.heartbeat.advance(59_999, 60_000);
    expect(await destroy(kms, 60_000)).toEqual({ ...NOTHING, destroyed: [key.id] });
    const ids = [encryptObject, wrapObject];
    expect(token.jobs).toEqual([{ name: 'destroyObjects', input: { ids } }]);
    expect(await codeOf(kms.keys.resolve(key.id))).toBe('NOT_FOUND');
    expect(await destroy(kms)).toEqual(NOTHING);
  });

  it('destroys the objects of all versions, and of no other key', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    const other = await createKey(kms, newCall(), { description: '' });
    for (const id of [key.id, other.id, key.id]) await rotateKeyOnDemand(kms, newCall(), id);
    expect(token.objects.size).toBe(10);
    await makeDue(domain, key.id);
    token.jobs.length = 0;
    expect(await destroy(kms)).toEqual({ ...NOTHING, begun: [key.id], destroyed: [key.id] });
    // A job for each version: however many there are, none takes longer than a job may.
    const pair = [expect.any(String), expect.any(String)];
    expect(token.jobs).toEqual(Array(3).fill({ name: 'destroyObjects', input: { ids: pair } }));
    const kept = [...(await kms.keys.resolve(other.id)).versions.values()];
    const objects = kept.flatMap(({ encryptObject, wrapObject }) => [encryptObject, wrapObject]);
    expect([...token.objects.keys()].sort()).toEqual(objects.sort());
    expect(await kms.store.versions.objects()).toEqual(new Set(objects));
  });

  it('goes on where the token failed in the middle', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    await makeDue(domain, key.id);
    token.failAt('destroyObjects', unavailable());
    expect(await destroy(kms)).toMatchObject({ begun: [key.id], destroyed: [], error: unavailable() });
    expect(await destroy(kms)).toMatchObject({ ...NOTHING, failed: [key.id], error: unavailable() });
    expect(await codeOf(cancelKeyDeletion(kms, newCall(), key.id))).toBe('INVALID_STATE');
    token.work();
    expect(await destroy(kms)).toEqual({ ...NOTHING, destroyed: [key.id] });
    expect(token.objects.size).toBe(0);
  });

  it('goes on where a crash came between the token and the store', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    await makeDue(domain, key.id);
    const bury = jest.spyOn(kms.store.deletions, 'bury').mockRejectedValue(new Error('disk full'));
    expect(await destroy(kms)).toMatchObject({ begun: [key.id], destroyed: [] });
    expect(token.objects.size).toBe(0);
    bury.mockRestore();
    const after = await openDomain({ sharing: domain });
    expect(await destroy(after.kms)).toEqual({ ...NOTHING, destroyed: [key.id] });
  });

  it('is recorded after the objects are gone and before the store forgets the key, or goes on', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    await rotateKeyOnDemand(kms, newCall(), key.id);
    await makeDue(domain, key.id);
    const record = jest.fn(async () => expect(token.objects.size).toBe(0));
    record.mockRejectedValueOnce(new Error('the disk is broken'));
    const round = () =>
      destroyDueKeys(kms, 0, {
        beginning: (_id, work) => work(async () => undefined),
        destroying: (_id, work) => work(record),
        onFailed: () => undefined,
      });
    await expect(round()).rejects.toThrow('the disk is broken');
    expect(await kms.store.deletions.begun()).toEqual([key.id]);
    await round();
    expect(record).toHaveBeenCalledTimes(2);
    expect(await kms.store.deletions.begun()).toEqual([]);
  });

  it('is not done, nor begun, where there is no room for its record', async () => {
    const domain = await withKey();
    const { kms, token, key } = domain;
    await makeDue(domain, key.id);
    token.jobs.length = 0;
    const full = new KmsError('AUDIT_UNAVAILABLE', 'The disk is full.');
    const refuse = () => Promise.reject(full);
    const does: DoRecorded = (_id, work) => work(async () => undefined);
    const onFailed = jest.fn();
    const hooks = { beginning: does, destroying: does, onFailed };
    await expect(destroyDueKeys(kms, 0, { ...hooks, beginning: refuse })).rejects.toBe(full);
    expect(await kms.store.deletions.due(Date.now())).toEqual([key.id]);
    await expect(destroyDueKeys(kms, 0, { ...hooks, destroying: refuse })).rejects.toBe(full);
    expect(onFailed).toHaveBeenCalledTimes(1);
    expect(token.jobs).toEqual([]);
  });

  it('lets one key that fails hold up no other, and tells of what was done', async () => {
    const domain = await withKey();
    const { kms, token } = domain;
    const keys = [domain.key];
    for (let count = 0; count < 2; count++) keys.push(await createKey(kms, newCall(), { description: '' }));
    for (const { id } of keys) await makeDue(domain, id);
    const bad = keys[1]?.current.encryptObject;
    const run = token.run.bind(token);
    jest.spyOn(token, 'run').mockImplementation(async (name, input, ...rest) => {
      if (name === 'destroyObjects' && (input as { ids: string[] }).ids.includes(bad ?? ''))
        throw new Error('stuck');
      return run(name, input, ...rest);
    });
    const { begun, destroyed, error } = await destroy(kms);
    expect(begun.sort()).toEqual(keys.map(({ id }) => id).sort());
    expect(destroyed.sort()).toEqual([keys[0]?.id, keys[2]?.id].sort());
    expect(error?.message).toBe('stuck');
  });

  it('destroys once where several look at the same time', async () => {
    const domain = await withKey();
    const { kms, key } = domain;
    await makeDue(domain, key.id);
    const rounds = await Promise.all([1, 2, 3].map(() => destroy(kms)));
    expect(rounds.flatMap(({ begun }) => begun)).toEqual([key.id]);
    expect(rounds.flatMap(({ destroyed }) => destroyed)).toEqual([key.id]);
    expect(rounds.flatMap(({ error }) => error ?? [])).toEqual([]);
    expect(domain.token.jobNames.filter((name) => name === 'destroyObjects')).toHaveLength(1);
    const late = await openDomain({ sharing: domain });
    expect(await destroy(late.kms)).toEqual(NOTHING);
  });

  it('leaves nobody the aliases, and a ciphertext without its key', async () => {
    const domain = await withKey();
    const { kms, key } = domain;
    await kms.store.aliases.create('alias/app', key.id);
    await makeDue(domain, key.id);
    await destroy(kms);
    expect(await codeOf(kms.keys.resolve('alias/app'))).toBe('ALIAS_NOT_FOUND');
    const next = await createKey(kms, newCall(), { description: '' });
    await expect(kms.store.aliases.create('alias/app', next.id)).resolves.toBe('done');
  });
});
