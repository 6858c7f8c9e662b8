import * as kms from '@aws-sdk/client-kms';
import { type KMSClient, ListKeyRotationsCommand } from '@aws-sdk/client-kms';
import { Client } from 'pg';
import { kmsClient } from './kms-client';
import { eventually, type Server, type Settings, startServer } from './server';
import { neighbour, type PostgresSite } from './site';

/** A service with a client of it. */
export interface Instance {
  readonly server: Server;
  readonly client: KMSClient;
}

/** One more service on the site's token and database. */
export async function startInstance(site: PostgresSite, settings: Settings = {}): Promise<Instance> {
  const server = await startServer(neighbour(site), settings);
  return { server, client: kmsClient(server) };
}

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

export async function createKey(client: KMSClient): Promise<string> {
  return String((await client.send(new kms.CreateKeyCommand({}))).KeyMetadata?.KeyId);
}

export async function encrypt(client: KMSClient, KeyId: string, text = 'plaintext'): Promise<Uint8Array> {
  const answer = await client.send(new kms.EncryptCommand({ KeyId, Plaintext: Buffer.from(text) }));
  return answer.CiphertextBlob ?? new Uint8Array();
}

export async function decrypt(client: KMSClient, CiphertextBlob: Uint8Array): Promise<string> {
  const { Plaintext = [] } = await client.send(new kms.DecryptCommand({ CiphertextBlob }));
  return Buffer.from(Plaintext).toString();
}

/** The version of its key that a ciphertext was made under, which its header names. */
export const versionOf = (ciphertext: Uint8Array): number => Buffer.from(ciphertext).readUInt32BE(20);

/** What made the versions of a key, in their order. */
export async function rotationsOf(client: KMSClient, KeyId: string): Promise<(string | undefined)[]> {
  const { Rotations = [] } = await client.send(new ListKeyRotationsCommand({ KeyId }));
  return Rotations.map(({ RotationType }) => RotationType);
}
