/** Grants: permissions that are given and taken back without a word in a policy. */
import { randomBytes } from 'node:crypto';
import { parsePrincipalArn } from '../access/principals';
import { KmsError } from '../errors';
import type { GrantFilter, GrantRow, NewGrant } from '../store/grants';
import type { Arns } from './arns';
import { type Grant, type GrantOperation, SYMMETRIC_OPERATIONS } from './grant';
import { decodeConstraints, encodeConstraints, type GrantConstraints } from './grant-constraints';
import { grantIdOf, invalidGrantToken, newGrantToken } from './grant-tokens';
import type { KeyId } from './key';
import { assertEnabled } from './key-state';
import { changeKey, describeKeyWithoutAlias } from './keys';
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
  let grantId = randomBytes(32).toString('hex');
  await changeKey(kms, call, request.keyId, assertEnabled, async (key) => {
    stopDryRun(request.dryRun);
    const grant = newGrant(grantId, key.id, operations, request);
    const outcome = await kms.store.grants.create(grant, GRANTS_PER_KEY);
    if (outcome === 'too-many') {
      throw new KmsError('LIMIT_EXCEEDED', `${key.arn} may have at most ${GRANTS_PER_KEY} grants.`);
    }
    if (outcome === 'forbidden') return false;
    grantId = outcome.id;
    return true;
  });
  return { grantId, token: newGrantToken(grantId) };
}

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
  _call: Call,
  request: PageOfGrants & { readonly retiringPrincipal: string },
): Promise<Page<Grant>> {
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
 * Ends a grant: what revoking and retiring it have in common. They differ in who may.
 *
 * @throws KmsError INVALID_GRANT_ID, INVALID_ARN, NOT_FOUND, DRY_RUN
 */
export async function removeGrant(
  kms: Kms,
  call: Call,
  { keyId, grantId, dryRun }: RemoveGrantRequest,
): Promise<void> {
  assertGrantId(grantId);
  const key = await describeKeyWithoutAlias(kms, call, keyId);
  const grant = await kms.store.grants.find(grantId);
  if (grant?.key_id !== key.id) throw unknownGrant(grantId);
  stopDryRun(dryRun);
  if (!(await kms.store.grants.remove(key.id, grantId))) throw unknownGrant(grantId);
}

const unknownGrant = (grantId: string): KmsError =>
  new KmsError('NOT_FOUND', `Grant ID ${grantId} not found`);

/**
 * Ends the grant that a token names.
 *
 * @throws KmsError INVALID_GRANT_TOKEN, DRY_RUN
 */
export async function retireGrantByToken(
  kms: Kms,
  call: Call,
  { token, dryRun }: { token: string; dryRun: boolean },
): Promise<void> {
  const grant = await kms.store.grants.find(grantIdOf(token));
  if (!grant) throw invalidGrantToken();
  call.keyId = grant.key_id;
  stopDryRun(dryRun);
  if (!(await kms.store.grants.remove(grant.key_id, grant.id))) throw invalidGrantToken();
}

function assertPrincipal(arn: string): void {
  if (!parsePrincipalArn(arn)) {
    throw new KmsError('INVALID_ARN', `ARN does not refer to a valid principal: ${arn}`);
  }
}

function assertGrantId(grantId: string): void {
  if (!GRANT_ID.test(grantId)) throw new KmsError('INVALID_GRANT_ID', 'The grant ID is not valid.');
}
