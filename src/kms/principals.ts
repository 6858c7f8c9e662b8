/** Principals: who they are, their access keys and policies. For the command line; requests use the directory. */
import { parseIdentityPolicy } from '../access/parse-policy';
import { assertNoRepeats } from '../access/policy-json';
import { KmsError } from '../errors';
import type { PrincipalRow } from '../store/principal-rows';
import {
  MAX_ACCESS_KEYS,
  MAX_POLICIES,
  type NewAccessKey,
  type PrincipalRepository,
  ROOT,
} from '../store/principals';
import { type AccessKey, makeAccessKey, type Sealer, sealSecret } from './secret-access-keys';

/**
 * Hands a new access key out before `keep` writes it to the store: an access key that is in the store, and whose secret
 * nobody has, would be of no use. Takes it back where `keep` fails.
 */
export type Deliver = (accessKey: AccessKey, keep: () => Promise<void>) => Promise<void>;

/** How access keys are made and handed out. */
export interface Issuer {
  readonly sealer: Sealer;
  readonly deliver: Deliver;
}

export interface NewPrincipal {
  readonly name: string;
  /** As `normaliseSubject` has it. */
  readonly certificateSubject?: string;
}

/** IAM's rules for the names of users, and of policies. */
const NAME = /^[\w+=,.@-]{1,64}$/;
const POLICY_NAME = /^[\w+=,.@-]{1,128}$/;
/** IAM's quota, which does not count white space. */
const MAX_POLICY_CHARACTERS = 6_144;

/**
 * Makes the account's root principal where there is none.
 *
 * @returns whether there was none
 * @throws KmsError, and whatever `deliver` throws
 */
export async function createRootPrincipal(principals: PrincipalRepository, issuer: Issuer): Promise<boolean> {
  if (await principals.find(ROOT)) return false;
  await issue(issuer, async (accessKey) => {
    if (!(await principals.createRoot(accessKey))) throw alreadyThere(ROOT);
  });
  return true;
}

/**
 * @param issuer absent where it shall have no access key
 * @returns the id of its access key
 * @throws KmsError INVALID_REQUEST, ALREADY_EXISTS, NOT_FOUND where there is no root principal yet
 */
export async function createPrincipal(
  principals: PrincipalRepository,
  principal: NewPrincipal,
  issuer?: Issuer,
): Promise<string | undefined> {
  const keep = async (accessKey?: NewAccessKey) => {
    const outcome = await principals.create(principal, accessKey);
    if (outcome === 'no-root') throw notFound(ROOT);
    if (outcome === 'name-taken') throw alreadyThere(principal.name);
    if (outcome === 'certificate-taken') throw certificateTaken(principal.certificateSubject);
  };
  await checkNewPrincipal(principals, principal);
  if (issuer) return issue(issuer, keep);
  await keep();
  return undefined;
}

/**
 * What can be said against a new principal, before an access key is made for it.
 *
 * @throws KmsError INVALID_REQUEST, ALREADY_EXISTS
 */
export async function checkNewPrincipal(
  principals: PrincipalRepository,
  { name, certificateSubject }: NewPrincipal,
): Promise<void> {
  if (!NAME.test(name)) {
    throw new KmsError(
      'INVALID_REQUEST',
      `"${name.slice(0, 64)}" is no name for a principal: it must be 1 to 64 letters, digits or any of + = , . @ _ -`,
    );
  }
  if (name.toLowerCase() === ROOT) {
    throw new KmsError('INVALID_REQUEST', 'root is the name of the root principal, which the service makes');
  }
  const same = await principals.find(name);
  if (same) throw alreadyThere(same.name);
  if (certificateSubject !== undefined && (await principals.findByCertificate(certificateSubject)))
    throw certificateTaken(certificateSubject);
}

/** @throws KmsError NOT_FOUND */
export async function findPrincipal(principals: PrincipalRepository, name: string): Promise<PrincipalRow> {
  const principal = await principals.find(name);
  if (!principal) throw notFound(name);
  return principal;
}

/** @throws KmsError NOT_FOUND, INVALID_REQUEST for the root principal */
export async function deletePrincipal(principals: PrincipalRepository, name: string): Promise<void> {
  assertNotRoot(name, 'cannot be deleted: it is what is left when all policies are wrong');
  if (!(await principals.remove(name))) throw notFound(name);
}

/**
 * Gives a principal a new access key.
 *
 * @param graceMs how long the others go on working; they end at once where it is 0
 * @returns the id of the access key
 * @throws KmsError NOT_FOUND, LIMIT_EXCEEDED
 */
export async function rotateAccessKey(
  principals: PrincipalRepository,
  name: string,
  graceMs: number,
  issuer: Issuer,
): Promise<string> {
  return issue(issuer, async (accessKey) => {
    const othersEndAt = graceMs === 0 ? undefined : Date.now() + graceMs;
    const outcome = await principals.addAccessKey(name, accessKey, othersEndAt);
    if (outcome === 'missing') throw notFound(name);
    if (outcome === 'full') throw tooManyAccessKeys(name);
  });
}

/**
 * What can be said against another access key, before it is made.
 *
 * @throws KmsError NOT_FOUND, LIMIT_EXCEEDED
 */
export async function checkRotation(
  principals: PrincipalRepository,
  name: string,
  graceMs: number,
): Promise<PrincipalRow> {
  const principal = await findPrincipal(principals, name);
  if (graceMs > 0 && liveAccessKeys(principal).length >= MAX_ACCESS_KEYS) throw tooManyAccessKeys(name);
  return principal;
}

/** Those that have not expired, oldest first. */
export const liveAccessKeys = ({ accessKeys }: PrincipalRow): PrincipalRow['accessKeys'] =>
  accessKeys.filter(({ expires_at: expiresAt }) => expiresAt === null || expiresAt > Date.now());

/**
 * Attaches a policy, in the place of one of the same name.
 *
 * @throws KmsError MALFORMED_POLICY, saying where; INVALID_REQUEST, LIMIT_EXCEEDED, NOT_FOUND
 */
export async function attachPolicy(
  principals: PrincipalRepository,
  name: string,
  policy: { readonly name: string; readonly document: string },
): Promise<void> {
  assertNotRoot(name, 'needs no policies, and none would bind it: what it may do, key policies alone say');
  if (!POLICY_NAME.test(policy.name)) {
    const rule = 'it must be 1 to 128 letters, digits or any of + = , . @ _ -';
    throw new KmsError('INVALID_REQUEST', `"${policy.name.slice(0, 128)}" is no name for a policy: ${rule}`);
  }
  if ([...policy.document.replace(/\s/g, '')].length > MAX_POLICY_CHARACTERS) {
    const limit = `${MAX_POLICY_CHARACTERS} characters, white space not counted`;
    throw new KmsError('LIMIT_EXCEEDED', `The policy is longer than ${limit}: make two of it.`);
  }
  parseIdentityPolicy(policy.document);
  assertNoRepeats(policy.document);
  const outcome = await principals.attachPolicy(name, policy.name, policy.document);
  if (outcome === 'missing') throw notFound(name);
  if (outcome === 'full') {
    const advice = 'detach one first, or put what it says into one that is there';
    throw new KmsError('LIMIT_EXCEEDED', `${name} has ${MAX_POLICIES} policies already: ${advice}`);
  }
}

/** @throws KmsError NOT_FOUND */
export async function detachPolicy(
  principals: PrincipalRepository,
  name: string,
  policy: string,
): Promise<void> {
  const principal = await findPrincipal(principals, name);
  if (await principals.detachPolicy(name, policy)) return;
  const names = principal.policies.map((attached) => attached.name).join(', ') || 'none';
  throw new KmsError('NOT_FOUND', `${principal.name} has no policy ${policy}; it has: ${names}`);
}

async function issue(
  { sealer, deliver }: Issuer,
  keep: (accessKey: NewAccessKey) => Promise<void>,
): Promise<string> {
  const accessKey = await makeAccessKey(sealer);
  try {
    const sealedSecret = await sealSecret(sealer, accessKey);
    await deliver(accessKey, () => keep({ id: accessKey.id, sealed_secret: sealedSecret }));
    return accessKey.id;
  } finally {
    accessKey.secret.fill(0);
  }
}

function assertNotRoot(name: string, why: string): void {
  if (name.toLowerCase() === ROOT) throw new KmsError('INVALID_REQUEST', `the root principal ${why}`);
}

const notFound = (name: string): KmsError =>
  new KmsError('NOT_FOUND', `there is no principal ${name.slice(0, 64)}: p11kms principals list shows them`);

const alreadyThere = (name: string): KmsError =>
  new KmsError(
    'ALREADY_EXISTS',
    `there is a principal ${name} already (the case of letters makes no difference)`,
  );

const certificateTaken = (subject: string | undefined): KmsError =>
  new KmsError('ALREADY_EXISTS', `another principal has the certificate subject ${subject}`);

const tooManyAccessKeys = (name: string): KmsError =>
  new KmsError(
    'LIMIT_EXCEEDED',
    `${name} has ${MAX_ACCESS_KEYS} access keys already: wait until the older one ends, or rotate without --grace, ` +
      'which ends both',
  );
