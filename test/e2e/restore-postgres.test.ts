import { join } from 'node:path';
import { CreateKeyCommand, DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms';
import { auditRecords, verifyAudit } from '../support/audit-log';
import { kmsClient } from '../support/kms-client';
import { createUser } from '../support/principals';
import { restoration } from '../support/restoration';
import { p11kms, type Server, startServer } from '../support/server';
import { createPostgresSite, type PostgresSite } from '../support/site';

const Plaintext = Buffer.from('plaintext');

let site: PostgresSite;
let server: Server;
let client: KMSClient;
let early: string;
let late: string;
let dump: string;
let ciphertext: Uint8Array | undefined;

const createKey = async (): Promise<string> =>
  String((await client.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId);

beforeAll(async () => {
  site = await createPostgresSite();
  dump = join(site.token.directory, 'dump');
  server = await startServer(site);
  client = kmsClient(server);
  early = await createKey();
  ciphertext = (await client.send(new EncryptCommand({ KeyId: early, Plaintext }))).CiphertextBlob;
  await site.server.run('pg_dump', '--format=custom', `--file=${dump}`, site.databaseUrl);
  late = await createKey();
  await createUser(site, 'late');
});

// One story, told in its order.

describe('p11kms restore, for a store in PostgreSQL', () => {
  it('is refused while a service is connected', async () => {
    const { code, stderr } = await p11kms(['restore'], site, { P11KMS_DATA_DIR: site.token.directory });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^p11kms: another p11kms is connected to postgres:.*: stop all services first\n$/);
    await server.terminate();
  });

  it('is refused where pg_restore has not been run', async () => {
    const P11KMS_DATABASE_URL = await site.server.createDatabase();
    const { code, stderr } = await p11kms(['restore'], site, { P11KMS_DATABASE_URL });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^p11kms: there is no store in postgres:.*pg_restore.*first\n$/);
  });

  it('holds what was restored against the token, and adjusts it in place', async () => {
    const P11KMS_DATABASE_URL = await site.server.createDatabase();
    await site.server.run('pg_restore', '--no-owner', `--dbname=${P11KMS_DATABASE_URL}`, dump);
    const settings = { P11KMS_DATABASE_URL };
    expect(await restoration(site, [], settings)).toMatchObject({
      code: 3,
      restored: false,
      onlyOnToken: [{ keyId: late, version: 1 }],
      onlyInStore: [],
    });
    // Where the time is not known, nobody knows how many calls were made since.
    await site.server.run('psql', '--command=update store set heartbeat_at = null', P11KMS_DATABASE_URL);
    expect(await restoration(site, ['--yes'], settings)).toMatchObject({
      code: 0,
      restored: true,
      keys: { total: 1, toRotate: 1 },
    });
    // That of the principal whom the dump does not know.
    expect(auditRecords(site).at(-1)).toMatchObject({
      operation: 'RestoreStore',
      outcome: 'ok',
      details: { keys: 1, onlyOnToken: 1, chainsAdopted: 1, chainsDoubtful: 0 },
    });
    const there = { ...site, env: { ...site.env, ...settings } };
    expect(await verifyAudit(there)).toMatchObject({ code: 0 });
    const restored = kmsClient(await startServer(site, settings));
    const { KeyId } = await restored.send(new DecryptCommand({ CiphertextBlob: ciphertext }));
    expect(KeyId).toContain(early);
    const again = await restored.send(new EncryptCommand({ KeyId: early, Plaintext }));
    // The version is in bytes 20 to 23.
    expect(Buffer.from(again.CiphertextBlob ?? []).readUInt32BE(20)).toBe(2);
  });
});
