import { decrypt, encrypt } from '../../../src/kms/data';
import { generateDataKeyPair, generateDataKeyPairWithoutPlaintext } from '../../../src/kms/data-key-pairs';
import { generateDataKey, generateDataKeyWithoutPlaintext } from '../../../src/kms/data-keys';
import { createKey, describeKey, disableKey } from '../../../src/kms/keys';
import type { Call, Kms } from '../../../src/kms/kms';
import { getKeyLastUsage } from '../../../src/kms/last-usage';
import { createUsageLog } from '../../../src/kms/usage-log';
import { codeOf, context, newCall, openDomain, UNKNOWN_ID } from './fixture';

async function withKey() {
  const domain = await openDomain();
  const key = await createKey(domain.kms, newCall(), { description: '' });
  const request = { keyId: key.id, authenticated: context(), dryRun: false };
  const { ciphertext } = await encrypt(domain.kms, newCall(), { ...request, plaintext: Buffer.from('x') });
  return { ...domain, key, request: { ...request, ciphertext } };
}

type Request = Awaited<ReturnType<typeof withKey>>['request'];

const call = (operation: string): Call => ({ ...newCall(), operation, requestId: `the ${operation}` });

describe('the last use of a key', () => {
  it('is unknown until it was used, and tracked since it was made', async () => {
    const { kms } = await openDomain();
    const key = await createKey(kms, newCall(), { description: '' });
    await describeKey(kms, newCall(), key.id);
    expect(await getKeyLastUsage(kms, newCall(), key.id)).toEqual({ key, trackedSince: key.createdAt });
  });

  it.each<[string, (kms: Kms, by: Call, request: Request) => Promise<unknown>]>([
    ['Encrypt', (kms, by, request) => encrypt(kms, by, { ...request, plaintext: Buffer.from('x') })],
    ['Decrypt', decrypt],
    ['GenerateDataKey', (kms, by, request) => generateDataKey(kms, by, { ...request, bytes: 32 })],
    [
      'GenerateDataKeyWithoutPlaintext',
      (kms, by, request) => generateDataKeyWithoutPlaintext(kms, by, { ...request, bytes: 32 }),
    ],
    [
      'GenerateDataKeyPair',
      (kms, by, request) => generateDataKeyPair(kms, by, { ...request, spec: 'ECC_NIST_P256' }),
    ],
    [
      'GenerateDataKeyPairWithoutPlaintext',
      (kms, by, request) =>
        generateDataKeyPairWithoutPlaintext(kms, by, { ...request, spec: 'ECC_NIST_P256' }),
    ],
  ])('is %s', async (operation, use) => {
    const { kms, key, request } = await withKey();
    const before = Date.now();
    await use(kms, call(operation), request);
    const { use: last } = await getKeyLastUsage(kms, newCall(), key.id);
    expect(last).toEqual({ operation, requestId: `the ${operation}`, at: expect.any(Date) });
    expect(last?.at.getTime()).toBeGreaterThanOrEqual(before);
  });

  it('is none that failed, and none that was only tried', async () => {
    const { kms, key, request } = await withKey();
    const { use: before } = await getKeyLastUsage(kms, newCall(), key.id);
    const wrong = { ...request, authenticated: context({ no: 'no' }) };
    expect(await codeOf(decrypt(kms, call('Decrypt'), wrong))).toBe('INVALID_CIPHERTEXT');
    expect(await codeOf(decrypt(kms, call('Decrypt'), { ...request, dryRun: true }))).toBe('DRY_RUN');
    await disableKey(kms, newCall(), key.id);
    expect(await codeOf(decrypt(kms, call('Decrypt'), request))).toBe('DISABLED');
    expect((await getKeyLastUsage(kms, newCall(), key.id)).use).toEqual(before);
  });

  it('is not told of an alias, nor of a key that there is not', async () => {
    const { kms, key } = await withKey();
    await kms.store.aliases.create('alias/app', key.id);
    expect(await codeOf(getKeyLastUsage(kms, newCall(), 'alias/app'))).toBe('INVALID_ARN');
    expect(await codeOf(getKeyLastUsage(kms, newCall(), UNKNOWN_ID))).toBe('NOT_FOUND');
  });
});

describe('the log of uses', () => {
  it('writes nothing until it is flushed, and then each key once', async () => {
    const { kms, key } = await withKey();
    await kms.usage.flush();
    const record = jest.spyOn(kms.store.usage, 'record');
    const usage = createUsageLog(kms.store);
    for (const operation of ['Encrypt', 'Decrypt', 'ReEncrypt']) usage.note(key, call(operation));
    expect(record).not.toHaveBeenCalled();
    await usage.flush();
    await usage.flush();
    expect(record.mock.calls).toEqual([[[expect.objectContaining({ operation: 'ReEncrypt' })]]]);
  });

  it('keeps what it could not write, unless something newer comes', async () => {
    const { kms, key } = await withKey();
    const other = await createKey(kms, newCall(), { description: '' });
    const usage = createUsageLog(kms.store);
    const record = jest.spyOn(kms.store.usage, 'record').mockRejectedValueOnce(new Error('no answer'));
    usage.note(key, call('Encrypt'));
    usage.note(other, call('Encrypt'));
    const flushing = usage.flush();
    usage.note(key, call('Decrypt'));
    await expect(flushing).rejects.toThrow('no answer');
    await usage.flush();
    expect(record).toHaveBeenCalledTimes(2);
    expect(await kms.store.usage.find(key.id)).toMatchObject({ operation: 'Decrypt' });
    expect(await kms.store.usage.find(other.id)).toMatchObject({ operation: 'Encrypt' });
  });
});
