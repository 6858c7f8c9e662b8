import { KmsError } from '../../../src/errors';
import { removeUnfinished } from '../../../src/kms/key-versions';
import { createKey } from '../../../src/kms/keys';
import { cleanUp, codeOf, newCall, openDomain } from './fixture';

const unavailable = () => new KmsError('KEY_UNAVAILABLE', 'The token is not available.');

it('a key that somebody has removed while its objects were being made leaves none of them behind', async () => {
  const { kms, token } = await openDomain();
  const { versions } = kms.store;
  jest.spyOn(versions, 'finish').mockImplementation(async (version) => {
    await versions.claimRemoval(version);
    await versions.forget(version);
    return false;
  });
  expect(await codeOf(createKey(kms, newCall(), { description: '' }))).toBe('KEY_UNAVAILABLE');
  expect(token.objects.size).toBe(0);
  expect(await versions.unfinished()).toEqual([]);
});

describe('removeUnfinished', () => {
  it('destroys the objects of keys that were cut short, then forgets them', async () => {
    const { kms, token } = await openDomain();
    const kept = await createKey(kms, newCall(), { description: 'kept' });
    const finish = jest.spyOn(kms.store.versions, 'finish').mockRejectedValue(new Error('disk full'));
    await expect(createKey(kms, newCall(), { description: 'cut short' })).rejects.toThrow('disk full');
    finish.mockRestore();
    expect(token.objects.size).toBe(4);
    await expect(cleanUp(kms)).resolves.toBe(1);
    expect([...token.objects.keys()]).toEqual([kept.current.encryptObject, kept.current.wrapObject]);
    expect(await kms.store.versions.unfinished()).toEqual([]);
    expect(await kms.store.versions.objects()).toEqual(new Set(token.objects.keys()));
    await expect(cleanUp(kms)).resolves.toBe(0);
  });

  it('forgets nothing while the token cannot be reached', async () => {
    const { kms, token } = await openDomain();
    token.failAt('createKeyObjects', unavailable());
    token.failAt('destroyObjects', unavailable());
    await codeOf(createKey(kms, newCall(), { description: '' }));
    expect(await codeOf(cleanUp(kms))).toBe('KEY_UNAVAILABLE');
    expect(await kms.store.versions.unfinished()).toHaveLength(1);
    token.work();
    await expect(cleanUp(kms)).resolves.toBe(1);
  });

  it('has a removal recorded before it is forgotten, and does none that there is no room to record', async () => {
    const { kms, token } = await openDomain();
    const finish = jest.spyOn(kms.store.versions, 'finish').mockRejectedValue(new Error('disk full'));
    await expect(createKey(kms, newCall(), { description: '' })).rejects.toThrow('disk full');
    finish.mockRestore();
    const full = new KmsError('AUDIT_UNAVAILABLE', 'The disk is full.');
    const refused = removeUnfinished(kms, {
      removing: () => Promise.reject(full),
      onFailed: () => undefined,
    });
    expect(await codeOf(refused)).toBe('AUDIT_UNAVAILABLE');
    expect(token.objects.size).toBe(2);
    const record = jest.fn(async () => {
      expect(token.objects.size).toBe(0);
      expect(await kms.store.versions.unfinished()).toHaveLength(1);
    });
    await removeUnfinished(kms, { removing: (_version, work) => work(record), onFailed: () => undefined });
    expect(record).toHaveBeenCalledTimes(1);
    expect(await kms.store.versions.unfinished()).toEqual([]);
  });

  it('does not ask the token where nothing was cut short', async () => {
    const { kms, token } = await openDomain();
    await expect(cleanUp(kms)).resolves.toBe(0);
    expect(token.jobs).toEqual([]);
  });
});
