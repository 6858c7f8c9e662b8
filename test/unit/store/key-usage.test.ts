import type { KeyUsageRow } from '../../../src/store/key-usage';
import { addKey, engines, idOf } from './fixture';

describe.each(engines)('the use of keys on $name', ({ open }) => {
  const use = (number: number, used_at: number, operation = 'Encrypt'): KeyUsageRow => ({
    key_id: idOf(number),
    operation,
    request_id: `request-${used_at}`,
    used_at,
  });

  describe('the last use of a key', () => {
    it('is what was recorded', async () => {
      const store = await open();
      await addKey(store, 1);
      expect(await store.usage.find(idOf(1))).toBeUndefined();
      await store.usage.record([use(1, 5, 'GenerateDataKey')]);
      expect(await store.usage.find(idOf(1))).toEqual(use(1, 5, 'GenerateDataKey'));
    });

    it('is the latest, in whatever order they come', async () => {
      const store = await open();
      await addKey(store, 1);
      await store.usage.record([use(1, 5)]);
      await store.usage.record([use(1, 4, 'Decrypt')]);
      expect(await store.usage.find(idOf(1))).toEqual(use(1, 5));
      await store.usage.record([use(1, 6, 'Decrypt'), use(1, 7, 'ReEncrypt')]);
      expect(await store.usage.find(idOf(1))).toEqual(use(1, 7, 'ReEncrypt'));
    });

    it('is known of every key by itself', async () => {
      const store = await open();
      for (const number of [1, 2, 3]) await addKey(store, number);
      await store.usage.record([use(3, 5), use(1, 6)]);
      const found = await Promise.all([1, 2, 3].map((number) => store.usage.find(idOf(number))));
      expect(found).toEqual([use(1, 6), undefined, use(3, 5)]);
    });

    it('of a key that there is not is dropped, and keeps no other from being recorded', async () => {
      const store = await open();
      await addKey(store, 1);
      await store.usage.record([use(0, 5), use(1, 5), use(9, 5)]);
      expect(await store.usage.find(idOf(1))).toEqual(use(1, 5));
      expect(await store.usage.find(idOf(9))).toBeUndefined();
      await store.usage.record([]);
    });

    it('is tracked since the store was made', async () => {
      const before = Date.now();
      const store = await open();
      await store.identity.read();
      const since = await store.usage.trackedSince();
      expect(since).toBeGreaterThanOrEqual(before);
      expect(since).toBeLessThanOrEqual(Date.now());
    });
  });
});
