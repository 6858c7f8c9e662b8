import { CreateKeyCommand, type KMSClient } from '@aws-sdk/client-kms';

/** A new symmetric key's id. */
export async function createKey(client: KMSClient): Promise<string> {
  const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
  if (!KeyMetadata?.KeyId) throw new Error('no key was made');
  return KeyMetadata.KeyId;
}
