import { KmsError } from '../../../errors';
import * as random from '../../../kms/random';
import { encodeSecret } from '../base64';
import { operation } from '../operation';
import { customKeyStoreId, numberOfBytes, recipient, structure } from '../schema';

export const generateRandom = operation({
  name: 'GenerateRandom',
  note: "From the token's generator",
  schema: structure(
    {},
    { NumberOfBytes: numberOfBytes, CustomKeyStoreId: customKeyStoreId, Recipient: recipient },
  ),
  async run(kms, call, request) {
    const bytes = request.NumberOfBytes;
    if (bytes === undefined) throw new KmsError('INVALID_REQUEST', 'NumberOfBytes is required.');
    return { Plaintext: encodeSecret(await random.generateRandom(kms, call, { bytes })) };
  },
});
