import { KmsError } from '../../../errors';
import { ABSENT } from '../absent';
import type { Operation } from '../operation';

/** The operations of the API that p11kms does not have, and why. */
export const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['ConnectCustomKeyStore', ABSENT.customKeyStores],
  ['CreateCustomKeyStore', ABSENT.customKeyStores],
  ['Decapsulate', ABSENT.keyEncapsulation],
  ['DeleteCustomKeyStore', ABSENT.customKeyStores],
  ['DeleteImportedKeyMaterial', ABSENT.importedKeyMaterial],
  ['DeriveSharedSecret', ABSENT.asymmetricKeys],
  ['DescribeCustomKeyStores', ABSENT.customKeyStores],
  ['DisconnectCustomKeyStore', ABSENT.customKeyStores],
  ['Encapsulate', ABSENT.keyEncapsulation],
  ['GenerateMac', ABSENT.hmacKeys],
  ['GetParametersForImport', ABSENT.importedKeyMaterial],
  ['GetPublicKey', ABSENT.asymmetricKeys],
  ['ImportKeyMaterial', ABSENT.importedKeyMaterial],
  ['ReplicateKey', ABSENT.multiRegionKeys],
  ['Sign', ABSENT.asymmetricKeys],
  ['UpdateCustomKeyStore', ABSENT.customKeyStores],
  ['UpdatePrimaryRegion', ABSENT.multiRegionKeys],
  ['Verify', ABSENT.asymmetricKeys],
  ['VerifyMac', ABSENT.hmacKeys],
]);

/** An operation of the API that refuses whatever it is asked, so that log and metrics have its name. */
export const unsupported = ([name, why]: readonly [name: string, why: string]): Operation => ({
  name,
  async run() {
    throw new KmsError('UNSUPPORTED_OPERATION', `${name} is not supported: ${why}.`);
  },
});
