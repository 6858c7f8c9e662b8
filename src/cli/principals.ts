/** `p11kms principals`: who may call. Beside a running service, which sees every change within a second. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type AccountConfig, type Config, loadAccountConfig, loadConfig } from '../config/load';
import { assertNew, deliverRoot, deliverUser, rootCredentialsFile } from '../credentials-file';
import { StartError } from '../errors';
import { createArns } from '../kms/arns';
import { normaliseSubject } from '../kms/certificate-subject';
import * as principals from '../kms/principals';
import { ROOT } from '../store/principals';
import { parseDuration } from './duration';
import { type Place, withSealer, withStore } from './place';
import { readPolicy, withFileName } from './policy-file';
import { listing, listText, showText, withBelongings } from './principals-text';
import { recorded } from './recorded';

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
  if (options.accessKey) return createWithAccessKey(principal, options.credentialsFile ?? defaultFile(name));
  if (options.credentialsFile !== undefined)
    throw new StartError('--credentials-file is of no use with --no-access-key: give one of the two');
  await withStore(loadAccountConfig(process.env), async (place) => {
    await recorded(place, { operation: 'CreatePrincipal', details: principal }, () =>
      principals.createPrincipal(place.store.principals, principal),
    );
    print(...created(place.config, name, certificateSubject === undefined ? noWayIn(name) : undefined));
  });
}

async function createWithAccessKey(principal: principals.NewPrincipal, file: string): Promise<void> {
  const { name } = principal;
  await withStore(loadConfig(process.env), async (place) => {
    await principals.checkNewPrincipal(place.store.principals, principal);
    assertNew(file);
    const change = { operation: 'CreatePrincipal', details: { ...principal } };
    await withSealer(place, (sealer, withToken) =>
      recorded(
        withToken,
        change,
        () =>
          principals.createPrincipal(place.store.principals, principal, {
            sealer,
            deliver: deliverUser(file, name),
          }),
        keyDetails,
      ),
    );
    print(...created(place.config, name, written(file, name)));
  });
}

/** @throws StartError, KmsError */
export async function list({ json }: { readonly json?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async ({ config, store }) => {
    const rows = listing(
      createArns(config.arnPrefix),
      await store.principals.list(),
      await store.clientKeys.list(),
    );
    print(json ? JSON.stringify(rows, undefined, 2) : listText(rows));
  });
}

/** @throws StartError, KmsError */
export async function show(name: string): Promise<void> {
  await withStore(loadAccountConfig(process.env), async ({ config, store }) => {
    const principal = await principals.findPrincipal(store.principals, name);
    print(showText(createArns(config.arnPrefix), principal, await store.clientKeys.list(principal.name)));
  });
}

/** @throws StartError, KmsError */
export async function remove(name: string, { yes }: { readonly yes?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async (place) => {
    const principal = await principals.findPrincipal(place.store.principals, name);
    const all = withBelongings(principal, await place.store.clientKeys.list(principal.name));
    if (!yes && principal.name !== ROOT) {
      throw new StartError(
        `nothing was deleted. Whoever is ${principal.name} could not call any more: ` +
          `--yes deletes ${all}, at once and for good`,
      );
    }
    const change = { operation: 'DeletePrincipal', details: { name: principal.name } };
    await recorded(place, change, () => principals.deletePrincipal(place.store.principals, principal.name));
    print(
      `deleted ${all}`,
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
    const { store } = place;
    const principal = await principals.checkRotation(store.principals, name, graceMs);
    const { file, profile, deliver } = destinationOf(place, principal.name, credentialsFile);
    const change = {
      operation: 'RotateAccessKey',
      details: { name: principal.name, graceSeconds: graceMs / 1_000 },
    };
    await withSealer(place, (sealer, withToken) =>
      recorded(
        withToken,
        change,
        () => principals.rotateAccessKey(store.principals, principal.name, graceMs, { sealer, deliver }),
        keyDetails,
      ),
    );
    const old = principals.liveAccessKeys(principal).length;
    const ending = grace === undefined ? 'has ended' : `ends in ${grace}`;
    print(
      `${principal.name} has a new access key`,
      written(file, profile),
      ...(old > 0 ? [`What it had before ${ending}.`] : []),
    );
  });
}

/** Where another access key goes. The root principal's has its place. */
function destinationOf(
  { config: { dataDir }, store }: Place<Config>,
  name: string,
  credentialsFile: string | undefined,
): { readonly file: string; readonly profile: string; readonly deliver: principals.Deliver } {
  if (name !== ROOT) {
    const file = credentialsFile ?? defaultFile(name);
    assertNew(file);
    return { file, profile: name, deliver: deliverUser(file, name) };
  }
  const file = rootCredentialsFile(dataDir);
  if (credentialsFile !== undefined) {
    throw new StartError(
      `the root principal's access key is always in ${file}: leave out --credentials-file`,
    );
  }
  return { file, profile: 'default', deliver: deliverRoot(dataDir, store) };
}

/** @throws StartError, KmsError */
export async function attachPolicy(name: string, policyName: string, file: string): Promise<void> {
  const policy = { name: policyName, document: readPolicy(file) };
  await withStore(loadAccountConfig(process.env), async (place) => {
    const { name: principal } = await principals.findPrincipal(place.store.principals, name);
    const sha256 = createHash('sha256').update(policy.document).digest('hex');
    const change = { operation: 'AttachPolicy', details: { name: principal, policy: policyName, sha256 } };
    await recorded(place, change, () =>
      withFileName(file, () => principals.attachPolicy(place.store.principals, principal, policy)),
    );
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

const keyDetails = (accessKey: string | undefined) => (accessKey === undefined ? {} : { accessKey });

const created = ({ arnPrefix }: AccountConfig, name: string, way: string | undefined): string[] => [
  `created ${name}: ${createArns(arnPrefix).user(name)}`,
  ...(way === undefined ? [] : [way]),
  `It may do nothing yet, unless a key policy or a grant names it: p11kms principals attach-policy ${name} POLICY-NAME FILE`,
];

const noWayIn = (name: string): string =>
  `It cannot call yet: p11kms principals rotate-key ${name} makes it an access key, ` +
  `p11kms client-keys create --principal ${name} --out FILE a client key`;

const written = (file: string, profile: string): string =>
  `Its access key is in ${file}, profile ${profile}: AWS_SHARED_CREDENTIALS_FILE=${file} AWS_PROFILE=${profile}`;

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
