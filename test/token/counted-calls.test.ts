import { shimmedSoftHsm } from '../support/token';

const CKR_OBJECT_HANDLE_INVALID = 0x82;
const encryptObject = '11'.repeat(16);
const wrapObject = '22'.repeat(16);

it('a job that has encrypted is done again only where its second encryption is counted', async () => {
  const fixture = await shimmedSoftHsm();
  try {
    const token = await fixture.open();
    await token.run('createKeyObjects', {
      encrypt: { id: encryptObject, label: 'encrypt' },
      wrap: { id: wrapObject, label: 'wrap' },
    });
    const job = {
      spec: 'ECC_NIST_P256' as const,
      encryptObject,
      wrapObject,
      aadBeforePoint: Buffer.from('before'),
      aadAfterPoint: Buffer.from('after'),
    };
    await token.run('generateKeyPair', job);
    const encryptions = () =>
      fixture.shim.log().filter((call) => call.function === 'C_Encrypt' && call.rv === 0).length;
    for (const counted of [true, false]) {
      fixture.shim.clearLog();
      // The private key has been wrapped by then, and the worker takes the handle for a stale one.
      fixture.shim.set(`C_DestroyObject fail-after=${CKR_OBJECT_HANDLE_INVALID} times=1`);
      const asked = jest.fn(() => counted);
      const done = token.run('generateKeyPair', job, undefined, asked).then(
        () => 'done',
        () => 'refused',
      );
      expect(await done).toBe(counted ? 'done' : 'refused');
      expect(asked).toHaveBeenCalledTimes(1);
      // One of the job, and one more where it was done again; canaries of new workers are the service key's.
      expect(encryptions()).toBeGreaterThanOrEqual(counted ? 2 : 1);
    }
  } finally {
    await fixture.remove();
  }
});
