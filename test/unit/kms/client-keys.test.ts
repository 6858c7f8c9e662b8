import { isClientKeyId, makeClientKey, makeClientKeyId } from '../../../src/kms/client-keys';

it('ids are those of Alibaba, and never the same', () => {
  const ids = Array.from({ length: 100 }, makeClientKeyId);
  expect(ids.filter((id) => !isClientKeyId(id))).toEqual([]);
  expect(new Set(ids).size).toBe(100);
});

it('a client key is an RSA pair of 2048 bits, until its time in whole seconds', async () => {
  const { id, privateKey, publicKey, createdAt, expiresAt } = await makeClientKey(90_000);
  expect(isClientKeyId(id)).toBe(true);
  for (const key of [privateKey, publicKey])
    expect([key.asymmetricKeyType, key.asymmetricKeyDetails?.modulusLength]).toEqual(['rsa', 2_048]);
  expect([createdAt % 1_000, expiresAt - createdAt]).toEqual([0, 90_000]);
});
