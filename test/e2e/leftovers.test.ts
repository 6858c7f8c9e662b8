import { CreateKeyCommand, EncryptCommand } from '@aws-sdk/client-kms';
import SQLite from 'better-sqlite3';
import { kmsClient } from '../support/kms-client';
import { startServer } from '../support/server';
import { createShimSite } from '../support/site';

const CKR_ACTION_PROHIBITED = 0x1b;

it('a key whose making was cut short, and which the token does not let go, does not keep the service from starting', async () => {
  const site = await createShimSite();
  const first = await startServer(site);
  const { KeyMetadata } = await kmsClient(first).send(new CreateKeyCommand({}));
  await first.kill();
  const database = new SQLite(`${site.dataDir}/p11kms.sqlite`);
  database.exec("UPDATE keys SET state = 'creating'; UPDATE key_versions SET state = 'creating'");
  database.close();
  // The start proves mechanisms, which leaves objects to destroy, too: those of the key come after.
  site.shim.set(`C_DestroyObject fail=${CKR_ACTION_PROHIBITED} skip=${site.shim.count('C_DestroyObject')}`);

  const second = await startServer(site);
  const said = await second.logged(({ message }) => message.startsWith('cannot remove a key version'));
  expect(said).toMatchObject({ level: 'warn', keyId: KeyMetadata?.KeyId, version: 1 });
  const client = kmsClient(second);
  const { KeyMetadata: other } = await client.send(new CreateKeyCommand({}));
  const encrypted = await client.send(
    new EncryptCommand({ KeyId: other?.KeyId, Plaintext: Buffer.from('data') }),
  );
  expect(encrypted.CiphertextBlob).toBeDefined();
});
