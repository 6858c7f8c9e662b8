import { decrypt, encrypt } from '../../../src/kms/data';
import type { Key } from '../../../src/kms/key';
import { createKey } from '../../../src/kms/keys';
import type { Kms } from '../../../src/kms/kms';
import { rotateDueKeys, rotateKeyOnDemand } from '../../../src/kms/rotation';
import { context, type Domain, newCall, openDomain } from './fixture';

/** A domain with one key. */
export async function withKey(): Promise<Domain & { readonly key: Key }> {
  const domain = await openDomain();
  return { ...domain, key: await createKey(domain.kms, newCall(), { description: '' }) };
}

/** Says when the key is to be rotated by itself. */
export const setNext = async (kms: Kms, key: Key, nextAt: number, days = 90) => {
  // Off first: a schedule with the same period would stay as it is.
  await kms.store.keys.setRotation(key.id, undefined);
  await kms.store.keys.setRotation(key.id, { days, nextAt });
  kms.keys.forget();
};

export const onDemand = (kms: Kms, key: Key) => rotateKeyOnDemand(kms, newCall(), key.id);
export const encryptUnder = (kms: Kms, key: Key) =>
  encrypt(kms, newCall(), {
    keyId: key.id,
    plaintext: Buffer.from('data'),
    authenticated: context(),
    dryRun: false,
  });
export const decryptAll = async (kms: Kms, ciphertexts: readonly Buffer[]) => {
  for (const ciphertext of ciphertexts) {
    const opened = await decrypt(kms, newCall(), { ciphertext, authenticated: context(), dryRun: false });
    expect(opened.plaintext.toString()).toBe('data');
  }
};

/** The numbers and causes of the versions of a key, as the store has them. */
export const versionsOf = async (kms: Kms, key: Key) => {
  const row = await kms.store.keys.find(key.id);
  expect(row?.current_version).toBe(row?.versions.at(-1)?.number);
  return row?.versions.map(({ number, rotation }) => [number, rotation]);
};

/** A domain that puts the id of each key that is rotated into a list. */
export const tellingRotations = (kms: Kms, rotated: string[]): Kms => ({
  ...kms,
  async rotating(keyId, _cause, work) {
    const isDone = await work();
    if (isDone) rotated.push(keyId);
    return isDone;
  },
});

/** The ids of the keys that one round of housekeeping rotates. */
export async function rotateDue(kms: Kms): Promise<string[]> {
  const rotated: string[] = [];
  await rotateDueKeys(tellingRotations(kms, rotated), () => undefined);
  return rotated;
}
