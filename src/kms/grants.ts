/** Grants: permissions that are given and taken back without a word in a policy. */
import { randomBytes } from 'node:crypto';
import { parsePrincipalArn } from '../access/principals';
import { KmsError } from '../errors';
import type { GrantFilter, GrantRow, NewGrant } from '../store/grants';
import type { Arns } from './arns';
import { type About, authorize } from './authorization';
import { type Grant, type GrantOperation, SYMMETRIC_OPERATIONS } from './grant';
import { decodeConstraints, encodeConstraints, type GrantConstraints } from './grant-constraints';
import { grantIdOf, invalidGrantToken, newGrantToken } from './grant-tokens';
import type { Key, KeyId } from './key';
import { assertEnabled } from './key-state';
import { changeKey, describeKey, describeKeyWithoutAlias } from './keys';
import type { Call, Kms } from './kms';
import { invalidMarker, type Page, pageOf } from './page';
import { stopDryRun } from './usable-key';

const GRANTS_PER_KEY = 50_000;
const GRANT_ID = /^[0-9a-f]{64}$/;

export interface CreateGrantRequest {
  readonly keyId: string;
  readonly granteePrincipal: string;
  readonly retiringPrincipal?: string;
  readonly operations: readonly GrantOperation[];
  /** Checked with `checkConstraints`. */
  readonly constraints?: GrantConstraints;
  readonly name?: string;
  readonly dryRun: boolean;
}

/**
 * Makes a grant. One with a name that is the same in everything else is not made twice: its id comes back with a
 * new token.
 *
 * @throws KmsError INVALID_REQUEST, INVALID_ARN, NOT_FOUND, DISABLED, INVALID_STATE, LIMIT_EXCEEDED, DRY_RUN
 */
export async function createGrant(
  kms: Kms,
  call: Call,
  request: CreateGrantRequest,
): Promise<{ grantId: string; token: string }> {
  assertPrincipal(request.granteePrincipal);
  if (request.retiringPrincipal !== undefined) assertPrincipal(request.retiringPrincipal);
  const operations = symmetricOperations(request.operations);
  call.details = { granteePrincipal: request.granteePrincipal, operations: operations.join(' ') };
  let grantId = randomBytes(32).toString('hex');
  const write = async (key: Key) => {
    stopDryRun(request.dryRun);
    const grant = newGrant(grantId, key.id, operations, request);
    const outcome = await kms.store.grants.create(grant, GRANTS_PER_KEY);
    if (outcome === 'too-many') {
      throw new KmsError('LIMIT_EXCEEDED', `${key.arn} may have at most ${GRANTS_PER_KEY} grants.`);
    }
    if (outcome === 'forbidden') return false;
    grantId = outcome.id;
    call.details = { grantId, ...call.details };
    return true;
  };
  await changeKey(kms, call, request.keyId, assertEnabled, write, aboutNew(operations, request));
  return { grantId, token: newGrantToken(grantId) };
}

function aboutNew(
  operations: readonly GrantOperation[],
  { granteePrincipal, retiringPrincipal, constraints }: CreateGrantRequest,
): About {
  return {
    newGrant: { operations, ...(constraints && { constraints }) },
    facts: {
      'kms:GrantOperations': operations,
      'kms:GranteePrincipal': granteePrincipal,
      'kms:GrantIsForAWSResource': 'false',
      ...(retiringPrincipal !== undefined && { 'kms:RetiringPrincipal': retiringPrincipal }),
      ...(constraints && { 'kms:GrantConstraintType': CONSTRAINT_TYPES[constraints.kind] }),
    },
    ...(constraints && { encryptionContext: constraints.pairs }),
  };
}

const CONSTRAINT_TYPES = { equals: 'EncryptionContextEquals', subset: 'EncryptionContextSubset' } as const;

const newGrant = (
  id: string,
  keyId: KeyId,
  operations: readonly GrantOperation[],
  { name, granteePrincipal, retiringPrincipal, constraints }: CreateGrantRequest,
): NewGrant => ({
  id,
  key_id: keyId,
  name: name ?? null,
  grantee_principal: granteePrincipal,
  retiring_principal: retiringPrincipal ?? null,
  operations: JSON.stringify(operations),
  constraints: constraints ? encodeConstraints(constraints) : null,
});

function symmetricOperations(operations: readonly GrantOperation[]): GrantOperation[] {
  if (operations.length === 0) throw new KmsError('INVALID_REQUEST', 'A grant must have operations.');
  const known: readonly string[] = SYMMETRIC_OPERATIONS;
  const other = operations.find((operation) => !known.includes(operation));
  if (other !== undefined) {
    throw new KmsError(
      'INVALID_REQUEST',
      `The operation ${other} cannot be granted on a symmetric encryption key.`,
    );
  }
  return [...new Set(operations)].sort();
}

interface PageOfGrants {
  readonly limit: number;
  readonly marker?: string;
}

/** @throws KmsError INVALID_ARN, INVALID_GRANT_ID, INVALID_MARKER, NOT_FOUND */
export async function listGrants(
  kms: Kms,
  call: Call,
  request: PageOfGrants & {
    readonly keyId: string;
    readonly grantId?: string;
    readonly granteePrincipal?: string;
  },
): Promise<Page<Grant>> {
  const { keyId, grantId, granteePrincipal } = request;
  if (grantId !== undefined) assertGrantId(grantId);
  if (granteePrincipal !== undefined) assertPrincipal(granteePrincipal);
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  return pageOfGrants(kms, request, {
    keyId: key.id,
    ...(grantId !== undefined && { grantId }),
    ...(granteePrincipal !== undefined && { granteePrincipal }),
  });
}

/**
 * The grants of all keys that a principal may retire.
 *
 * @throws KmsError INVALID_ARN, INVALID_MARKER
 */
export async function listRetirableGrants(
  kms: Kms,
  call: Call,
  request: PageOfGrants & { readonly retiringPrincipal: string },
): Promise<Page<Grant>> {
  authorize(call, '*');
  assertPrincipal(request.retiringPrincipal);
  return pageOfGrants(kms, request, { retiringPrincipal: request.retiringPrincipal });
}

async function pageOfGrants(
  { store, arns }: Kms,
  { limit, marker }: PageOfGrants,
  filter: Omit<GrantFilter, 'limit' | 'after'>,
): Promise<Page<Grant>> {
  if (marker !== undefined && !GRANT_ID.test(marker)) throw invalidMarker();
  const after = marker !== undefined && { after: marker };
  const rows = await store.grants.list({ ...filter, limit: limit + 1, ...after });
  return pageOf(
    rows.map((row) => grantOf(arns, row)),
    limit,
    ({ id }) => id,
  );
}

function grantOf(arns: Arns, row: GrantRow): Grant {
  return {
    id: row.id,
    keyArn: arns.key(row.key_id as KeyId),
    ...(row.name !== null && { name: row.name }),
    granteePrincipal: row.grantee_principal,
    ...(row.retiring_principal !== null && { retiringPrincipal: row.retiring_principal }),
    operations: JSON.parse(row.operations) as GrantOperation[],
    ...(row.constraints !== null && { constraints: decodeConstraints(row.constraints) }),
    createdAt: new Date(row.created_at),
  };
}

export interface RemoveGrantRequest {
  readonly keyId: string;
  readonly grantId: string;
  readonly dryRun: boolean;
}

/**
 * Takes a grant back.
 *
 * @throws KmsError INVALID_GRANT_ID, INVALID_ARN, ACCESS_DENIED, NOT_FOUND, DRY_RUN
 */
export const revokeGrant = (kms: Kms, call: Call, request: RemoveGrantRequest): Promise<void> =>
  endGrant(kms, call, request, () => ({ facts: { 'kms:GrantIsForAWSResource': 'false' } }));

/**
 * Ends a grant that has done its work.
 *
 * @throws KmsError INVALID_GRANT_ID, INVALID_ARN, ACCESS_DENIED, NOT_FOUND, DRY_RUN
 */
export const retireGrant = (kms: Kms, call: Call, request: RemoveGrantRequest): Promise<void> =>
  endGrant(kms, call, request, (grant) => aboutRetirement(call, grant));

/** What revoking and retiring have in common. They differ in who may. */
async function endGrant(
  kms: Kms,
  call: Call,
  { keyId, grantId, dryRun }: RemoveGrantRequest,
  aboutEnd: (grant: GrantRow | undefined) => About,
): Promise<void> {
  assertGrantId(grantId);
  call.details = { grantId };
  const grant = await kms.store.grants.find(grantId);
  const key = await describeKeyWithoutAlias(kms, call, keyId, aboutEnd(grant));
  if (grant?.key_id !== key.id) throw unknownGrant(grantId);
  stopDryRun(dryRun);
  if (!(await remove(kms, grant))) throw unknownGrant(grantId);
}

async function remove({ store, keys }: Kms, grant: GrantRow): Promise<boolean> {
  const removed = await store.grants.remove(grant.key_id, grant.id);
  keys.forget();
  return removed;
}

const unknownGrant = (grantId: string): KmsError =>
  new KmsError('NOT_FOUND', `Grant ID ${grantId} not found`);

/**
 * Ends the grant that a token names.
 *
 * @throws KmsError INVALID_GRANT_TOKEN, ACCESS_DENIED, DRY_RUN
 */
export async function retireGrantByToken(
  kms: Kms,
  call: Call,
  { token, dryRun }: { token: string; dryRun: boolean },
): Promise<void> {
  const grant = await kms.store.grants.find(grantIdOf(token));
  if (!grant) throw invalidGrantToken();
  call.details = { grantId: grant.id };
  await describeKey(kms, call, grant.key_id, aboutRetirement(call, grant));
  stopDryRun(dryRun);
  if (!(await remove(kms, grant))) throw invalidGrantToken();
}

/**
 * Who may retire a grant: its retiring principal, its grantee where it says so, and whom policies allow to. Other
 * grants allow nothing here.
 */
function aboutRetirement({ caller }: Call, grant: GrantRow | undefined): About {
  const { arn } = caller.identity;
  const operations = grant ? (JSON.parse(grant.operations) as GrantOperation[]) : [];
  const isRetiring = grant?.retiring_principal === arn;
  const isGrantee = grant?.grantee_principal === arn && operations.includes('RetireGrant');
  if (!isRetiring && !isGrantee) return { grants: [] };
  return { grants: [{ granteePrincipal: arn, operations: ['RetireGrant'] }] };
}

function assertPrincipal(arn: string): void {
  if (!parsePrincipalArn(arn)) {
    throw new KmsError('INVALID_ARN', `ARN does not refer to a valid principal: ${arn}`);
  }
}

function assertGrantId(grantId: string): void {
  if (!GRANT_ID.test(grantId)) throw new KmsError('INVALID_GRANT_ID', 'The grant ID is not valid.');
}
