/** May this caller do this: a request's facts and the policies that count, put before `access`. */
import { randomUUID } from 'node:crypto';
import type { AccessGrant, NewGrant } from '../access/access-grant';
import { type AccessRequest, conditionValues } from '../access/access-request';
import { evaluate, type Policies } from '../access/evaluate';
import { letsCallerPutPolicy } from '../access/lockout';
import { mentionsCondition } from '../access/mentions';
import type { PolicyDocument } from '../access/policy-document';
import { refusalMessage } from '../access/refusal';
import { KmsError } from '../errors';
import type { EncryptionContext } from './encryption-context';
import type { Key, KeyArn, KeyId } from './key';
import { keyPolicyOf } from './key-policy';
import type { KeyReference } from './key-reference';
import type { Call, Kms } from './kms';

/** What IAM's condition keys can be about, in a request to p11kms. */
type ConditionKey = `kms:${string}` | `aws:${string}`;
export type Facts = Readonly<Record<ConditionKey, string | readonly string[]>>;

/** What a request says of itself that policies and grants may ask for. */
export interface About {
  /** The action without its `kms:`, where it is not the operation's name. */
  readonly action?: string;
  readonly encryptionContext?: EncryptionContext;
  readonly facts?: Facts;
  /** What CreateGrant would make. */
  readonly newGrant?: NewGrant;
  /** The grants that count, where those are not all that the caller has on the key. */
  readonly grants?: readonly AccessGrant[];
  /** How the client named the key. */
  readonly reference?: KeyReference;
  /** What a refusal names in place of the key. */
  readonly shown?: string;
}

/**
 * For what is about no key, or about another resource beside a key: the caller's own policies decide.
 *
 * @param resource an ARN, or `*`
 * @throws KmsError ACCESS_DENIED
 */
export function authorize(call: Call, resource: string, about: About = {}): void {
  const request = requestOf(call, resource, about, factsOf(about));
  decide(call, request, { identity: call.caller.policies });
}

/**
 * For what is about a key: its policy, the caller's own policies and its grants decide.
 *
 * @throws KmsError ACCESS_DENIED
 */
export async function authorizeKey(kms: Kms, call: Call, key: Key, about: About = {}): Promise<void> {
  const policies = { identity: call.caller.policies, key: keyPolicyOf(kms.arns, key) };
  const facts = [...factsOf(about), ...(await factsOfKey(kms, key, policies))];
  const request = requestOf(call, key.arn, about, facts);
  const decision = evaluate(request, policies);
  if (decision.allowed) return;
  // Nothing outweighs a deny.
  if (!decision.reason.startsWith('explicit-deny')) {
    const grants = about.grants ?? (await kms.keys.access.grants(key.id, principalsOf(kms, call)));
    if (grants.length > 0 && evaluate(request, { ...policies, grants }).allowed) return;
  }
  decide(call, request, policies, about.shown ?? shownAs(kms, about.reference));
}

/** Grants to the account let the caller's own policies decide. */
const principalsOf = ({ arns }: Kms, { caller }: Call) => [caller.identity.arn, arns.accountRoot];

/**
 * For a key that is not there: only who may do this with keys in general learns that it is not.
 *
 * @throws KmsError ACCESS_DENIED
 */
export function authorizeUnknownKey(kms: Kms, call: Call, about: About, reference: KeyReference): void {
  // Nobody can have named a key that was never made.
  const id = reference.kind === 'id' ? reference.id : (randomUUID() as KeyId);
  const request = requestOf(call, kms.arns.key(id), about, factsOf(about));
  decide(call, request, { identity: call.caller.policies }, shownAs(kms, reference));
}

/** The lockout safety check: whether the caller could put another key policy in the place of this one. */
export function mayPutAnother(call: Call, document: PolicyDocument, keyArn: KeyArn): boolean {
  const request = requestOf(call, keyArn, {}, Object.entries(KEY_FACTS));
  return letsCallerPutPolicy(document, request, call.caller.policies);
}

/** Who asks by an alias does not learn which key it names, nor whether it names one. */
function shownAs({ arns }: Kms, reference: KeyReference | undefined): string | undefined {
  return reference?.kind === 'alias' ? arns.alias(reference.name) : undefined;
}

function decide(call: Call, request: AccessRequest, policies: Policies, shown?: string): void {
  const decision = evaluate(request, policies);
  if (decision.allowed) return;
  call.denied = decision.reason;
  throw new KmsError('ACCESS_DENIED', refusalMessage(request, decision.reason, shown));
}

type Fact = readonly [key: string, value: string | readonly string[]];

function requestOf(
  { operation, caller, source }: Call,
  resource: string,
  { action = operation, encryptionContext, newGrant }: About,
  facts: readonly Fact[],
): AccessRequest {
  const now = Date.now();
  return {
    caller: caller.identity,
    action: `kms:${action}`,
    resource,
    conditions: conditionValues([
      ['aws:CurrentTime', new Date(now).toISOString()],
      ['aws:EpochTime', String(Math.floor(now / 1000))],
      ['aws:SecureTransport', String(source.secure)],
      ...(source.address === undefined ? [] : [['aws:SourceIp', source.address] as const]),
      ...facts,
    ]),
    ...(encryptionContext && { encryptionContext }),
    ...(newGrant && { newGrant }),
  };
}

function factsOf({ facts, encryptionContext, reference }: About): Fact[] {
  return [
    ...(facts ? Object.entries(facts) : []),
    ...(reference?.kind === 'alias' ? [['kms:RequestAlias', reference.name] as const] : []),
    ...(encryptionContext && encryptionContext.size > 0 ? factsOfContext(encryptionContext) : []),
  ];
}

function factsOfContext(pairs: EncryptionContext): Fact[] {
  return [
    ['kms:EncryptionContextKeys', [...pairs.keys()]],
    ...[...pairs].map(([name, value]) => [`kms:EncryptionContext:${name}`, value] as const),
  ];
}

export const KEY_FACTS = {
  'kms:KeySpec': 'SYMMETRIC_DEFAULT',
  'kms:KeyUsage': 'ENCRYPT_DECRYPT',
  'kms:KeyOrigin': 'AWS_KMS',
  'kms:MultiRegion': 'false',
} as const;
export const factsOfBypass = (bypass: boolean): Facts => ({
  'kms:BypassPolicyLockoutSafetyCheck': String(bypass),
});

const RESOURCE_ALIASES = 'kms:ResourceAliases';
const RESOURCE_TAG = 'aws:ResourceTag/';

/** Aliases and tags are looked up only where a policy asks for them. */
async function factsOfKey({ keys, arns }: Kms, { id }: Key, policies: Policies): Promise<Fact[]> {
  const facts: Fact[] = Object.entries(KEY_FACTS);
  facts.push(['aws:ResourceAccount', arns.account]);
  if (mentionsCondition(policies, RESOURCE_ALIASES)) {
    const aliases = await keys.access.aliases(id);
    if (aliases.length > 0) facts.push([RESOURCE_ALIASES, aliases]);
  }
  if (mentionsCondition(policies, RESOURCE_TAG)) {
    for (const [name, value] of await keys.access.tags(id)) facts.push([`${RESOURCE_TAG}${name}`, value]);
  }
  return facts;
}
