/** `p11kms principals`: who may call. Beside a running service, which sees every change within a second. */
import { join } from 'node:path';
import {
  type AccountConfig,
  type Config,
  loadAccountConfig,
  loadConfig,
  type StoreConfig,
} from '../config/load';
import { assertNew, deliverRoot, deliverUser, rootCredentialsFile } from '../credentials-file';
import { StartError } from '../errors';
import { inspectToken } from '../hsm/token';
import { WorkerGone } from '../hsm/worker-process';
import { createArns } from '../kms/arns';
import { normaliseSubject } from '../kms/certificate-subject';
import * as principals from '../kms/principals';
import type { Sealer } from '../kms/secret-access-keys';
import { assertOwner } from '../store/owner';
import { ROOT } from '../store/principals';
import { openStore, type Store, storeExists } from '../store/store';
import { tokenAddress } from '../token-address';
import { parseDuration } from './duration';
import { readPolicy, withFileName } from './policy-file';
import { listing, listText, showText } from './principals-text';
import { recorded } from './recorded';

const JOB_DEADLINE_MS = 30_000;

export interface CreateOptions {
  readonly certificateSubject?: string;
  /** False with `--no-access-key`. */
  readonly accessKey: boolean;
  readonly credentialsFile?: string;
}

/** @throws StartError, KmsError */
export async function create(name: string, options: CreateOptions): Promise<void> {
  const certificateSubject = subjectOf(options.certificateSubject);
  const principal = { name, ...(certificateSubject !== undefined && { certificateSubject }) };
  const change = { operation: 'CreatePrincipal', details: { ...principal } };
  if (!options.accessKey) {
    if (options.credentialsFile !== undefined)
      throw new StartError('--credentials-file is of no use with --no-access-key: give one of the two');
    await withStore(loadAccountConfig(process.env), async (place) => {
      await recorded(place, change, () =>
        principals.createPrincipal(place.store.principals, principal, undefined),
      );
      print(`created ${name}: ${arnOf(place.config, name)}`, ...nextSteps(name, options));
    });
    return;
  }
  await withStore(loadConfig(process.env), async (place) => {
    await principals.checkNewPrincipal(place.store.principals, principal);
    const file = options.credentialsFile ?? defaultFile(name);
    assertNew(file);
    await withSealer(place, (sealer) =>
      recorded(place, change, () =>
        principals.createPrincipal(place.store.principals, principal, {
          sealer,
          deliver: deliverUser(file, name),
        }),
      ),
    );
    print(`created ${name}: ${arnOf(place.config, name)}`, written(file, name), ...nextSteps(name, options));
  });
}

/** @throws StartError, KmsError */
export async function list({ json }: { readonly json?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async ({ config, store }) => {
    const rows = listing(createArns(config.arnPrefix), await store.principals.list());
    print(json ? JSON.stringify(rows, undefined, 2) : listText(rows));
  });
}

/** @throws StartError, KmsError */
export async function show(name: string): Promise<void> {
  await withStore(loadAccountConfig(process.env), async ({ config, store }) => {
    const principal = await principals.findPrincipal(store.principals, name);
    print(showText(createArns(config.arnPrefix), principal));
  });
}

/** @throws StartError, KmsError */
export async function remove(name: string, { yes }: { readonly yes?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async (place) => {
    const principal = await principals.findPrincipal(place.store.principals, name);
    if (!yes && principal.name !== ROOT) {
      const keys = principals.liveAccessKeys(principal).map(({ id }) => id);
      throw new StartError(
        `nothing was deleted. ${principal.name} has ${keys.join(' and ') || 'no access key'}, which would stop working ` +
          'at once, and there is no way back: add --yes to delete it',
      );
    }
    const change = { operation: 'DeletePrincipal', details: { name: principal.name } };
    await recorded(place, change, () => principals.deletePrincipal(place.store.principals, principal.name));
    print(
      `deleted ${principal.name}`,
      'Grants and key policies that name it stay: they would be those of the next principal of this name.',
    );
  });
}

export interface RotateOptions {
  readonly grace?: string;
  readonly credentialsFile?: string;
}

/** @throws StartError, KmsError */
export async function rotateKey(name: string, { grace, credentialsFile }: RotateOptions): Promise<void> {
  const graceMs = grace === undefined ? 0 : parseDuration(grace);
  await withStore(loadConfig(process.env), async (place) => {
    const { config, store } = place;
    const principal = await principals.checkRotation(store.principals, name, graceMs);
    const isRoot = principal.name === ROOT;
    if (isRoot && credentialsFile !== undefined)
      throw new StartError(
        `the root principal's access key is always in ${rootCredentialsFile(config.dataDir)}`,
      );
    const file = isRoot
      ? rootCredentialsFile(config.dataDir)
      : (credentialsFile ?? defaultFile(principal.name));
    if (!isRoot) assertNew(file);
    const deliver = isRoot ? deliverRoot(config.dataDir, store) : deliverUser(file, principal.name);
    const change = {
      operation: 'RotateAccessKey',
      details: { name: principal.name, graceSeconds: graceMs / 1_000 },
    };
    await withSealer(place, (sealer) =>
      recorded(place, change, () =>
        principals.rotateAccessKey(store.principals, principal.name, graceMs, { sealer, deliver }),
      ),
    );
    const old = principals.liveAccessKeys(principal).length;
    const ending = grace === undefined ? 'has ended' : `ends in ${grace}`;
    print(
      `${principal.name} has a new access key`,
      written(file, isRoot ? 'default' : principal.name),
      ...(old > 0 ? [`What it had before ${ending}.`] : []),
    );
  });
}

/** @throws StartError, KmsError */
export async function attachPolicy(name: string, policyName: string, file: string): Promise<void> {
  const policy = { name: policyName, document: readPolicy(file) };
  await withStore(loadAccountConfig(process.env), async (place) => {
    const { name: principal } = await principals.findPrincipal(place.store.principals, name);
    const change = { operation: 'AttachPolicy', details: { name: principal, policy: policyName } };
    const attach = () => principals.attachPolicy(place.store.principals, principal, policy);
    await recorded(place, change, () => withFileName(file, attach));
    print(`attached ${policyName} to ${principal}`);
  });
}

/** @throws StartError, KmsError */
export async function detachPolicy(name: string, policyName: string): Promise<void> {
  await withStore(loadAccountConfig(process.env), async (place) => {
    const { name: principal } = await principals.findPrincipal(place.store.principals, name);
    const change = { operation: 'DetachPolicy', details: { name: principal, policy: policyName } };
    await recorded(place, change, () =>
      principals.detachPolicy(place.store.principals, principal, policyName),
    );
    print(`detached ${policyName} from ${principal}`);
  });
}

interface Place<C extends StoreConfig> {
  readonly config: C;
  readonly store: Store;
}

/** Opens the store that a service has made. */
async function withStore<C extends StoreConfig>(
  config: C,
  work: (place: Place<C>) => Promise<void>,
): Promise<void> {
  const { dataDir, database } = config;
  assertOwner(dataDir);
  const name = database?.name ?? dataDir;
  const advice = 'start the service once (p11kms serve), which makes it';
  if (!(await storeExists(database ?? dataDir))) {
    throw new StartError(
      `there is no store in ${name} yet: ${advice}; or set P11KMS_DATA_DIR as the service has it`,
    );
  }
  const store = await openStore(database ?? dataDir);
  try {
    if (!(await store.principals.find(ROOT)))
      throw new StartError(`the store in ${name} has no root principal yet: ${advice}`);
    await work({ config, store });
  } finally {
    await store.close();
  }
}

/** Opens the token, where a secret is made and sealed. */
async function withSealer(
  { config, store }: Place<Config>,
  work: (sealer: Sealer) => Promise<void>,
): Promise<void> {
  const { id: storeId, serviceKey } = await store.identity.read();
  // Never made here: a token that lacks it is not this store's.
  const identity = { id: storeId, serviceKey: { id: serviceKey.id, mayCreate: false } };
  try {
    const { trouble } = await inspectToken(tokenAddress(config, identity), (worker) =>
      work({
        run: async (name, input) => (await worker.run(name, input, JOB_DEADLINE_MS)).output,
        storeId,
        serviceKey: serviceKey.id,
      }),
    );
    if (trouble) throw trouble;
  } catch (error) {
    if (!(error instanceof WorkerGone)) throw error;
    throw new StartError(`no access key was made: ${error.message}`, undefined, { cause: error });
  }
}

function subjectOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const subject = normaliseSubject(text);
  if (subject !== undefined) return subject;
  throw new StartError(
    `"${text.slice(0, 80)}" is no subject of a certificate: write it as openssl x509 -noout -subject -in FILE shows it, ` +
      'such as CN=billing,O=Example',
  );
}

const defaultFile = (name: string): string => join('.', `${name}.credentials`);

const arnOf = ({ arnPrefix }: AccountConfig, name: string): string => createArns(arnPrefix).user(name);

const written = (file: string, profile: string): string =>
  `Its access key is in ${file}, profile ${profile}: AWS_SHARED_CREDENTIALS_FILE=${file} AWS_PROFILE=${profile}`;

function nextSteps(name: string, { accessKey, certificateSubject }: CreateOptions): string[] {
  const policy = `It may do nothing yet, unless a key policy or a grant names it: p11kms principals attach-policy ${name} POLICY-NAME FILE`;
  return accessKey || certificateSubject !== undefined
    ? [policy]
    : [
        `It has neither access key nor certificate: p11kms principals rotate-key ${name} makes it an access key`,
        policy,
      ];
}

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
