/** What happens to keys over time, told of any number of services on one store and one token. */

import {
  DecryptCommand,
  DescribeKeyCommand,
  EnableKeyRotationCommand,
  EncryptCommand,
  GenerateDataKeyPairWithoutPlaintextCommand,
  type KMSClient,
  ListKeyRotationsCommand,
  RotateKeyOnDemandCommand,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import SQLite from 'better-sqlite3';
import { createKey } from './keys';
import { exceptionOf } from './kms-client';
import { eventually, type LogLine, type Server } from './server';
import type { Site } from './site';

/** Services that share a store and a token, with a client for each. */
export interface Cluster {
  readonly servers: readonly Server[];
  readonly clients: readonly KMSClient[];
  readonly time: TimeMachine;
}

/** Changes what the store says of time. */
export interface TimeMachine {
  rotationDue(keyId: string): Promise<void>;
  /** By the wall clock and in heartbeats. */
  deletionDue(keyId: string): Promise<void>;
  /** Whatever was in flight when the destruction of the key began has ended. */
  drained(keyId: string): Promise<void>;
}

type Execute = (sql: string) => Promise<void>;

/** @param execute one statement on the store that the services use */
export function timeMachine(execute: Execute): TimeMachine {
  return {
    rotationDue: (id) => execute(`UPDATE keys SET next_rotation_at = 1 WHERE id = '${id}'`),
    deletionDue: (id) =>
      execute(
        `UPDATE keys SET deletion_at = 1, deletion_heartbeat = 0 WHERE id = '${id}' AND state = 'pending_deletion'`,
      ),
    drained: (id) =>
      execute(`UPDATE keys SET deletion_heartbeat = 0 WHERE id = '${id}' AND state = 'deleting'`),
  };
}

/** Looks into the store of a site, or changes it, while a service runs on it. */
export function inStore<T>({ dataDir }: Pick<Site, 'dataDir'>, use: (database: SQLite.Database) => T): T {
  const database = new SQLite(`${dataDir}/p11kms.sqlite`, { timeout: 5_000 });
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** The time machine of a store in SQLite. */
export const siteTime = (site: Site): TimeMachine =>
  timeMachine(async (sql) => inStore(site, (database) => void database.exec(sql)));

export async function encrypt(client: KMSClient, KeyId: string, text = 'data'): Promise<Buffer> {
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext: Buffer.from(text) }));
  return Buffer.from(CiphertextBlob ?? []);
}

export async function decrypt(client: KMSClient, CiphertextBlob: Uint8Array): Promise<string> {
  const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob }));
  return Buffer.from(Plaintext ?? []).toString();
}

/** The version of its key that a ciphertext is under. */
export const versionOf = (ciphertext: Buffer): number => ciphertext.readUInt32BE(20);

export async function rotationsOf(client: KMSClient, KeyId: string) {
  const { Rotations = [] } = await client.send(new ListKeyRotationsCommand({ KeyId, Limit: 1000 }));
  return Rotations;
}

/** The lines of all logs that say this of the key. */
export const linesOf = ({ servers }: Pick<Cluster, 'servers'>, message: string, keyId: string): LogLine[] =>
  servers
    .flatMap((server) => server.log())
    .filter((line) => line.message === message && line.keyId === keyId);

const first = <T>(items: readonly T[]): T => {
  const [item] = items;
  if (item === undefined) throw new Error('there is none');
  return item;
};

const outputOf = ({ servers }: Pick<Cluster, 'servers'>) =>
  servers.map((server) => server.output()).join('\n');

async function said(cluster: Pick<Cluster, 'servers'>, message: string, keyId: string): Promise<void> {
  await eventually(
    () => linesOf(cluster, message, keyId).length > 0 || undefined,
    15_000,
    () => `nobody says "${message}" of ${keyId}:\n${outputOf(cluster)}`,
  );
}

/** As many rounds of housekeeping as there are services: what was due before has been seen by each. */
async function roundsOfHousekeeping({ servers, clients, time }: Cluster): Promise<void> {
  for (const _server of servers) {
    const marker = await createKey(first(clients));
    await first(clients).send(new EnableKeyRotationCommand({ KeyId: marker }));
    await time.rotationDue(marker);
    await said({ servers }, 'key rotated', marker);
  }
}

/** A key whose automatic rotation is due gets one new version; every service uses it, and opens what is older. */
export async function automaticRotation(cluster: Cluster): Promise<string> {
  const { clients, time } = cluster;
  const keyId = await createKey(first(clients));
  const before = await Promise.all(clients.map((client) => encrypt(client, keyId)));
  await first(clients).send(new EnableKeyRotationCommand({ KeyId: keyId, RotationPeriodInDays: 90 }));
  await time.rotationDue(keyId);
  await said(cluster, 'key rotated', keyId);
  await roundsOfHousekeeping(cluster);
  for (const client of clients) {
    const rotations = await rotationsOf(client, keyId);
    expect(rotations).toMatchObject([{ RotationType: 'AUTOMATIC', KeyMaterialState: 'CURRENT' }]);
    await eventually(
      async () => versionOf(await encrypt(client, keyId)) === 2 || undefined,
      3_000,
      () => 'the new version is not used',
    );
    for (const blob of before) expect(await decrypt(client, blob)).toBe('data');
  }
  expect(linesOf(cluster, 'key rotated', keyId)).toHaveLength(1);
  return keyId;
}

/** Rotations asked of every service at once make one version each, and no ciphertext is lost. */
export async function rotationsOnDemand({ clients }: Cluster, each = 3): Promise<string> {
  const keyId = await createKey(first(clients));
  const blobs: Buffer[] = [];
  await Promise.all(
    clients.flatMap((client) => [
      ...Array.from({ length: each }, () => client.send(new RotateKeyOnDemandCommand({ KeyId: keyId }))),
      ...Array.from({ length: each * 4 }, async () => blobs.push(await encrypt(client, keyId))),
    ]),
  );
  for (const client of clients) {
    expect(await rotationsOf(client, keyId)).toHaveLength(each * clients.length);
    for (const blob of blobs) expect(await decrypt(client, blob)).toBe('data');
  }
  return keyId;
}

/** A key whose deletion is due is destroyed once, and then unknown to every service. */
export async function destruction(cluster: Cluster): Promise<string> {
  const { clients, time } = cluster;
  const keyId = await createKey(first(clients));
  const blob = await encrypt(first(clients), keyId);
  await first(clients).send(new RotateKeyOnDemandCommand({ KeyId: keyId }));
  await first(clients).send(new ScheduleKeyDeletionCommand({ KeyId: keyId }));
  await time.deletionDue(keyId);
  await said(cluster, 'destroying a key whose deletion is due', keyId);
  await time.drained(keyId);
  await said(cluster, 'key destroyed', keyId);
  for (const client of clients) {
    await eventually(
      async () => {
        const name = await exceptionOf(client.send(new DescribeKeyCommand({ KeyId: keyId }))).catch(() => '');
        return name === 'NotFoundException' || undefined;
      },
      3_000,
      () => 'the key is still there',
    );
    const opening = client.send(new DecryptCommand({ CiphertextBlob: blob }));
    expect(await exceptionOf(opening)).toBe('AccessDeniedException');
  }
  await roundsOfHousekeeping(cluster);
  expect(linesOf(cluster, 'destroying a key whose deletion is due', keyId)).toHaveLength(1);
  expect(linesOf(cluster, 'key destroyed', keyId)).toHaveLength(1);
  return keyId;
}

/**
 * Encrypts through every service at once, far beyond the bound of calls under one version: no version is used for
 * more, and everything opens.
 */
export async function encryptingToTheBound({ clients }: Cluster, bound: number, each = 20): Promise<void> {
  const keyId = await createKey(first(clients));
  const blobs: Buffer[] = [];
  await Promise.all(
    clients.map(async (client) => {
      for (let count = 0; count < each; count++) {
        const pair = { KeyId: keyId, KeyPairSpec: 'ECC_NIST_P256' } as const;
        if (count % 5) blobs.push(await encrypt(client, keyId));
        else {
          const command = new GenerateDataKeyPairWithoutPlaintextCommand(pair);
          blobs.push(Buffer.from((await client.send(command)).PrivateKeyCiphertextBlob ?? []));
        }
      }
    }),
  );
  expect(blobs).toHaveLength(each * clients.length);
  assertWithinBound(blobs, bound);
  for (const client of clients) for (const blob of blobs) expect(await decrypt(client, blob)).not.toBe('');
}

/** No version made more ciphertexts than it may. */
export function assertWithinBound(blobs: readonly Buffer[], bound: number): void {
  const counts = new Map<string, number>();
  for (const blob of blobs) {
    const name = blob.toString('hex', 4, 24);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  for (const count of counts.values()) expect(count).toBeLessThanOrEqual(bound);
}
