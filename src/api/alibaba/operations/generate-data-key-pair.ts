import { KmsError } from '../../../errors';
import * as dataKeyPairs from '../../../kms/data-key-pairs';
import type { VersionChoice } from '../../../kms/encrypting-version';
import type { Call, Kms } from '../../../kms/kms';
import type { Message } from '../messages';
import { operation } from '../operation';
import { ALGORITHM, assertCipher, authenticatedBy, formatOf, keyIdOf, specOf } from '../parameters';

type PairRequest = Message<'AdvanceGenerateDataKeyPairRequest'>;

export const generateDataKeyPair = operation({
  name: 'GenerateDataKeyPair',
  note: "Wrapped under the key's initial version; RSA_2048, RSA_3072, RSA_4096, EC_P256, EC_P256K, as far as the token has them; PEM and DER",
  makesKeyPair: true,
  async run(kms, call, request) {
    assertCipher(request);
    const pair = await withPlaintext(kms, call, wanted(request, 'initial'));
    return { ...wrapped(request, pair), PrivateKeyPlaintext: pair.privateKeyPlaintext };
  },
});

export const generateDataKeyPairWithoutPlaintext = operation({
  name: 'GenerateDataKeyPairWithoutPlaintext',
  note: 'As GenerateDataKeyPair',
  makesKeyPair: true,
  async run(kms, call, request) {
    assertCipher(request);
    const pair = await dataKeyPairs.generateDataKeyPairWithoutPlaintext(
      kms,
      call,
      wanted(request, 'initial'),
    );
    return wrapped(request, pair);
  },
});

export const advanceGenerateDataKeyPair = operation({
  name: 'AdvanceGenerateDataKeyPair',
  note: "As GenerateDataKeyPair, under the key's newest version",
  makesKeyPair: true,
  async run(kms, call, request) {
    const pair = await withPlaintext(kms, call, wanted(request, 'current'));
    return {
      ...wrapped(request, pair),
      PrivateKeyPlaintext: pair.privateKeyPlaintext,
      KeyVersionId: pair.version.materialId,
    };
  },
});

export const advanceGenerateDataKeyPairWithoutPlaintext = operation({
  name: 'AdvanceGenerateDataKeyPairWithoutPlaintext',
  note: "As GenerateDataKeyPair, under the key's newest version",
  makesKeyPair: true,
  async run(kms, call, request) {
    const pair = await dataKeyPairs.generateDataKeyPairWithoutPlaintext(
      kms,
      call,
      wanted(request, 'current'),
    );
    return { ...wrapped(request, pair), KeyVersionId: pair.version.materialId };
  },
});

/** Where no private key leaves the service, the caller has to ask for something else. */
async function withPlaintext(
  kms: Kms,
  call: Call,
  request: dataKeyPairs.DataKeyPairRequest,
): Promise<dataKeyPairs.DataKeyPair> {
  try {
    return await dataKeyPairs.generateDataKeyPairWithPlaintext(kms, call, request);
  } catch (error) {
    const isSealed = error instanceof KmsError && error.code === 'UNSUPPORTED_OPERATION';
    if (!isSealed || kms.privateKeyExport !== 'never') throw error;
    throw new KmsError('UNSUPPORTED_OPERATION', ALTERNATIVES);
  }
}

const ALTERNATIVES =
  'No private key leaves this service in plaintext. GenerateDataKeyPairWithoutPlaintext and ' +
  'AdvanceGenerateDataKeyPairWithoutPlaintext make key pairs without that.';

const wanted = (request: PairRequest, under: VersionChoice): dataKeyPairs.DataKeyPairRequest => ({
  keyId: keyIdOf(request),
  spec: specOf(request),
  format: formatOf(request),
  authenticated: authenticatedBy(request),
  under,
});

const wrapped = (
  { KeyPairSpec }: PairRequest,
  { key, iv, privateKeyCiphertext, publicKey }: dataKeyPairs.WrappedDataKeyPair,
) => ({
  KeyId: key.id,
  Iv: iv,
  KeyPairSpec,
  PrivateKeyCiphertextBlob: privateKeyCiphertext,
  PublicKey: publicKey,
  Algorithm: ALGORITHM,
});
