import * as kms from '@aws-sdk/client-kms';
import { Client } from 'pg';
import { createKey } from './keys';
import { kmsClient } from './kms-client';
import { eventually, type Server, type Settings, startServer } from './server';
import { createPostgresSite, neighbour, type PostgresSite, type Site } from './site';

/** After so long every service has looked again for what is due. */
export const NEXT_LOOK_MS = 2_300;

/** A service with a client of it. */
export interface Instance {
  readonly server: Server;
  readonly client: kms.KMSClient;
}

/** Two services on one PostgreSQL and one token. */
export interface Pair {
  readonly site: PostgresSite;
  readonly first: Instance;
  readonly second: Instance;
}

/** One more service on the site's token and database. */
export async function startInstance(site: Site, settings: Settings = {}): Promise<Instance> {
  const server = await startServer(neighbour(site), settings);
  return { server, client: kmsClient(server) };
}

export async function startPair(settings: Settings = {}): Promise<Pair> {
  const site = await createPostgresSite();
  const start = () => startInstance(site, settings);
  const [first, second] = await Promise.all([start(), start()]);
  return { site, first, second };
}

/** Makes keys, through the one and the other. */
export const createKeys = ({ first, second }: Omit<Pair, 'site'>, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => createKey((index % 2 ? first : second).client)));

/** How often both services together have logged this of a key. */
export const timesLogged = ({ first, second }: Pair, wanted: string, keyId: string): number =>
  [first, second]
    .flatMap(({ server }) => server.log())
    .filter((line) => line.message === wanted && line.keyId === keyId).length;

/** Runs one statement on the site's database, and returns its rows. */
export async function query(
  { databaseUrl }: PostgresSite,
  text: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Waits until the database answers a question with a row. */
export const eventuallyFound = (site: PostgresSite, text: string, values: readonly unknown[] = []) =>
  eventually(
    async () => (await query(site, text, values))[0],
    15_000,
    () => `in vain: ${text}`,
  );

export async function encrypt(client: kms.KMSClient, KeyId: string): Promise<Uint8Array> {
  const command = new kms.EncryptCommand({ KeyId, Plaintext: Buffer.from('plaintext') });
  return (await client.send(command)).CiphertextBlob ?? new Uint8Array();
}

export async function decrypt(client: kms.KMSClient, CiphertextBlob: Uint8Array): Promise<string> {
  const { Plaintext = [] } = await client.send(new kms.DecryptCommand({ CiphertextBlob }));
  return Buffer.from(Plaintext).toString();
}

/** The version of its key that a ciphertext was made under, which its header names. */
export const versionOf = (ciphertext: Uint8Array): number => Buffer.from(ciphertext).readUInt32BE(20);

/** What made the versions of a key after its first, in their order. */
export async function rotationsOf(client: kms.KMSClient, KeyId: string): Promise<(string | undefined)[]> {
  const { Rotations = [] } = await client.send(new kms.ListKeyRotationsCommand({ KeyId }));
  return Rotations.map(({ RotationType }) => RotationType);
}
