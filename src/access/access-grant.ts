/** Grants, as far as they decide on access. */
/** What a grant allows, whoever has it. */
export interface NewGrant {
  /** By their names in grants: `Encrypt`, `ReEncryptFrom`. */
  readonly operations: readonly string[];
  readonly constraints?: ContextConstraints;
}

/** `equals`: the context must be this one; `subset`: it must have these pairs, and may have others. */
export interface ContextConstraints {
  readonly kind: 'equals' | 'subset';
  readonly pairs: ReadonlyMap<string, string>;
}

export interface AccessGrant extends NewGrant {
  readonly granteePrincipal: string;
}

/** What of a request grants look at. */
export interface GrantedRequest {
  /** Such as `kms:Encrypt`. */
  readonly action: string;
  /** For the constraints of grants, which compare it exactly. */
  readonly encryptionContext?: ReadonlyMap<string, string>;
  /** What CreateGrant would make: a grant that allows CreateGrant allows it only for what it covers. */
  readonly newGrant?: NewGrant;
}

/** Grants of these hold whatever the encryption context: they have none. */
const WITHOUT_CONTEXT: ReadonlySet<string> = new Set(['CreateGrant', 'DescribeKey', 'RetireGrant']);

const SERVICE = 'kms:';
const NO_CONTEXT: ReadonlyMap<string, string> = new Map();

/** Whether what a grant allows, leaving aside to whom, is what is asked for. */
export function grantAllows(
  grant: NewGrant,
  { action, newGrant, encryptionContext = NO_CONTEXT }: GrantedRequest,
): boolean {
  if (!action.startsWith(SERVICE)) return false;
  const operation = action.slice(SERVICE.length);
  if (!grant.operations.includes(operation)) return false;
  if (operation === 'CreateGrant' && newGrant && !grantCovers(grant, newGrant)) return false;
  if (!grant.constraints || WITHOUT_CONTEXT.has(operation)) return true;
  const { kind, pairs } = grant.constraints;
  if (kind === 'equals' && pairs.size !== encryptionContext.size) return false;
  return includesPairs(encryptionContext, pairs);
}

/**
 * Whether who may create grants by this grant alone may create that one: it allows no operation more, and its
 * constraints are these or stricter.
 */
export function grantCovers(parent: NewGrant, child: NewGrant): boolean {
  return (
    parent.operations.includes('CreateGrant') &&
    child.operations.every((operation) => parent.operations.includes(operation)) &&
    isAsStrict(child.constraints, parent.constraints)
  );
}

function isAsStrict(child: ContextConstraints | undefined, parent: ContextConstraints | undefined): boolean {
  if (!parent) return true;
  if (!child) return false;
  if (parent.kind === 'subset') return includesPairs(child.pairs, parent.pairs);
  return (
    child.kind === 'equals' &&
    child.pairs.size === parent.pairs.size &&
    includesPairs(child.pairs, parent.pairs)
  );
}

function includesPairs(all: ReadonlyMap<string, string>, some: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of some) if (all.get(key) !== value) return false;
  return true;
}
