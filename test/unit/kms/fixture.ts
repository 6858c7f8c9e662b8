import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KmsError } from '../../../src/errors';
import type { UsableTokenReport } from '../../../src/hsm/token';
import { type Arns, createArns } from '../../../src/kms/arns';
import type { AuthenticatedData } from '../../../src/kms/authenticated-data';
import { createGcmCalls } from '../../../src/kms/gcm-calls';
import { createKeyDirectory } from '../../../src/kms/key-directory';
import { removeUnfinished } from '../../../src/kms/key-versions';
import type { Call, Kms, PrivateKeyExport } from '../../../src/kms/kms';
import type { Principal, PrincipalDirectory } from '../../../src/kms/principal-directory';
import { createSingleFlight } from '../../../src/kms/single-flight';
import { createUsageLog } from '../../../src/kms/usage-log';
import { openStore } from '../../../src/store/store';
import { FakeToken } from './fake-token';

export const PREFIX = 'arn:aws:kms:us-east-1:111122223333';
/** A key id that nobody made. */
export const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

export interface Domain {
  readonly kms: Kms;
  readonly token: FakeToken;
  /** Of the store; its file is `p11kms.sqlite`. */
  readonly dataDir: string;
}

export interface DomainOptions {
  readonly privateKeyExport?: PrivateKeyExport;
  /** AES-GCM calls under one key version. */
  readonly gcmCalls?: number;
  readonly report?: Partial<UsableTokenReport>;
  /** To look at the same store and token under other settings. */
  readonly sharing?: Domain;
}

/** A domain with a real store, in a directory of its own unless one is shared, and a fake token. */
export async function openDomain(options: DomainOptions = {}): Promise<Domain> {
  const { privateKeyExport = 'on-request', gcmCalls = 2 ** 32, report, sharing } = options;
  const dataDir = sharing?.dataDir ?? mkdtempSync(join(tmpdir(), 'p11kms-kms-'));
  const store = await openStore(dataDir);
  cleanUps.push(async () => {
    await store.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const token = new FakeToken({ ...sharing?.token.report, ...report });
  for (const [id, label] of sharing?.token.objects ?? []) token.objects.set(id, label);
  const { id: storeId } = await store.identity.read();
  const arns = createArns(PREFIX);
  const kms: Kms = {
    store,
    token,
    storeId,
    arns,
    keys: createKeyDirectory(store, arns),
    principals: PRINCIPALS,
    gcmCalls: createGcmCalls(store, gcmCalls),
    usage: createUsageLog(store),
    exhausted: createSingleFlight(),
    privateKeyExport,
    rotating: (_keyId, _cause, work) => work(),
  };
  return { kms, token, dataDir };
}

/** The root principal of an account. */
export const rootOf = ({ account, accountRoot }: Arns): Principal => ({
  identity: { arn: accountRoot, account, kind: 'root', name: 'root' },
  policies: [],
});

const ROOT = rootOf(createArns(PREFIX));

/** A request of the root principal's, unless somebody else is named. */
export const newCall = (caller = ROOT, operation = 'AnOperation'): Call => ({
  requestId: 'a-request',
  operation,
  caller,
  source: { address: '127.0.0.1', secure: false },
  tokenMs: 0,
});

const nobody = () => Promise.reject(new Error('the domain does not authenticate'));
const PRINCIPALS: PrincipalDirectory = {
  root: () => ROOT,
  findSigningKey: nobody,
  findClientKey: () => Promise.reject(new Error('no client keys here')),
  findByCertificate: nobody,
  forget: () => undefined,
};

/** An encryption context. */
export const context = (pairs: Readonly<Record<string, string>> = {}): AuthenticatedData => ({
  kind: 'context',
  pairs: new Map(Object.entries(pairs)),
});

/** The KmsError that a promise rejects with; anything else fails the test. */
export async function kmsErrorOf(promise: Promise<unknown>): Promise<KmsError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

export const codeOf = async (promise: Promise<unknown>): Promise<string> => (await kmsErrorOf(promise)).code;

/** How many unfinished versions one clean-up removes. */
export async function cleanUp(kms: Kms): Promise<number> {
  let count = 0;
  await removeUnfinished(kms, {
    async removing(_version, work) {
      const isDone = await work(async () => undefined);
      if (isDone) count++;
      return isDone;
    },
    onFailed: () => undefined,
  });
  return count;
}
