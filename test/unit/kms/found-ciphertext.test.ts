import { decodeCiphertext, encodeCiphertext } from '../../../src/kms/ciphertext';
import { encrypt } from '../../../src/kms/data';
import { findCiphertext } from '../../../src/kms/found-ciphertext';
import { scheduleKeyDeletion } from '../../../src/kms/key-deletion';
import { createKey } from '../../../src/kms/keys';
import { rotateKeyOnDemand } from '../../../src/kms/rotation';
import { codeOf, context, newCall, openDomain } from './fixture';

/** Two instances on one store, a key that both know, and a ciphertext of it. */
async function withInstances() {
  const one = await openDomain();
  const key = await createKey(one.kms, newCall(), { description: '' });
  const other = await openDomain({ sharing: one });
  await other.kms.keys.resolve(key.id);
  const request = { keyId: key.id, plaintext: Buffer.from('x'), authenticated: context(), dryRun: false };
  const encryptIt = async () => (await encrypt(one.kms, newCall(), request)).ciphertext;
  return { one, other, key, encryptIt };
}

const find = ({ kms }: Awaited<ReturnType<typeof openDomain>>, ciphertext: Buffer) =>
  findCiphertext(kms, newCall(), { ciphertext, authenticated: context() }, {});

describe('the version that a ciphertext names', () => {
  it('is found in the store where another instance has just made it', async () => {
    const { one, other, key, encryptIt } = await withInstances();
    await rotateKeyOnDemand(one.kms, newCall(), key.id);
    const ciphertext = await encryptIt();
    expect((await other.kms.keys.resolve(key.id)).versions.has(2)).toBe(false);
    const found = await find(other, ciphertext);
    expect(found.version.number).toBe(2);
    expect(found.version).toEqual((await one.kms.keys.resolve(key.id)).current);
    // From then on it is remembered.
    expect((await other.kms.keys.resolve(key.id)).current.number).toBe(2);
  });

  it('is not asked for in the store where it is known', async () => {
    const { one, encryptIt } = await withInstances();
    const asked = jest.spyOn(one.kms.store.keys, 'find');
    await find(one, await encryptIt());
    expect(asked).not.toHaveBeenCalled();
  });

  it('does not exist while it is in the making, nor where nobody made it', async () => {
    const { one, other, key, encryptIt } = await withInstances();
    const blob = await encryptIt();
    await one.kms.store.versions.beginNext(key.id, { encryptObject: 'e', wrapObject: 'w' });
    for (const version of [0, 2, 3, 0xffffffff]) {
      const ciphertext = encodeCiphertext({ ...decodeCiphertext(blob), version });
      expect(await codeOf(find(other, ciphertext))).toBe('INVALID_CIPHERTEXT');
    }
  });
});

it('a key that is pending deletion is told before anything about the ciphertext', async () => {
  const { one, key, encryptIt } = await withInstances();
  const blob = await encryptIt();
  await scheduleKeyDeletion(one.kms, newCall(), { keyId: key.id, windowInDays: 7 });
  for (const version of [1, 7]) {
    const ciphertext = encodeCiphertext({ ...decodeCiphertext(blob), version });
    expect(await codeOf(find(one, ciphertext))).toBe('INVALID_STATE');
  }
});
