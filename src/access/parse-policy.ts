/** From a policy's text to the document that it is. */
import { KmsError } from '../errors';
import { isComparable, parseOperator } from './condition-operators';
import type {
  CommonStatement,
  Condition,
  Effect,
  IdentityPolicy,
  IdentityStatement,
  PolicyDocument,
  Principal,
  PrincipalType,
  Selection,
  Statement,
} from './policy-document';
import {
  itemsOf,
  knownMembersOf,
  malformed,
  membersOf,
  oneOf,
  type Place,
  quote,
  textOf,
} from './policy-json';
import { isIdentityArn, parsePrincipalArn } from './principals';

const PRINCIPAL_TYPES = ['AWS', 'Service', 'Federated', 'CanonicalUser'] as const;
const COMMON_MEMBERS = [
  'Sid',
  'Effect',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
] as const;

const HOST_NAME = /^[a-z0-9-]+(\.[a-z0-9-]+)+$/;
const PROVIDER_ARN = /^arn:[a-z0-9-]+:iam::[A-Za-z0-9-]+:(saml|oidc)-provider\/[\w+=,.@:/-]+$/;
const ACTION = /^(\*|(\*|[A-Za-z0-9-]+):[A-Za-z0-9*?]+)$/;
const isAction = (text: string): boolean => ACTION.test(text);

/** Some ARNs here have fewer fields than AWS's. */
const RESOURCE = /^(\*|arn:[^:\s]+:\S+)$/;
const VARIABLE = /\$\{[^{}]*\}/g;
/** Variables may have spaces in them. */
const isResource = (text: string): boolean => RESOURCE.test(text.replace(VARIABLE, 'x'));

const CONDITION_KEY = /^[^:\s]+:.+$/s;

/**
 * Reads a policy of a resource. Strict: every member is known, every value is one that its place can have. Principals
 * are checked for their form, not for their existence.
 *
 * @throws KmsError MALFORMED_POLICY, saying what is wrong and where; INVALID_ARN for the ARN of something that IAM
 *   has and that is no principal, such as a group
 */
export const parsePolicy = (text: string): PolicyDocument => policyOf(text, statementOf);

/**
 * Reads a policy of an identity, as strictly: it names no principal, and must have actions and resources.
 *
 * @throws KmsError MALFORMED_POLICY, saying what is wrong and where
 */
export const parseIdentityPolicy = (text: string): IdentityPolicy => policyOf(text, identityStatementOf);

function policyOf<S>(text: string, readStatement: (place: Place) => S) {
  const document = { value: parseJson(text), path: '' };
  const { Version, Id, Statement } = knownMembersOf(document, ['Version', 'Id', 'Statement']);
  if (!Statement) throw malformed(document, 'must have a Statement.');
  return {
    version: Version ? oneOf(Version, ['2012-10-17', '2008-10-17']) : ('2008-10-17' as const),
    ...(Id && { id: textOf(Id) }),
    statements: itemsOf(Statement).map(readStatement),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without its cause: a SyntaxError quotes the policy.
    throw new KmsError('MALFORMED_POLICY', 'The policy is not JSON.');
  }
}

function statementOf(place: Place): Statement {
  const members = knownMembersOf(place, [...COMMON_MEMBERS, 'Principal', 'NotPrincipal']);
  const effect = effectOf(place, members);
  const principals = selectionOf(place, members.Principal, members.NotPrincipal, principalsOf);
  if (!principals) throw malformed(place, 'must have a Principal.');
  return { effect, principals, ...commonOf(place, members) };
}

function identityStatementOf(place: Place): IdentityStatement {
  const members = knownMembersOf(place, COMMON_MEMBERS);
  const effect = effectOf(place, members);
  const { actions, resources, ...others } = commonOf(place, members);
  if (!actions) throw malformed(place, 'must have an Action.');
  if (!resources) throw malformed(place, 'must have a Resource.');
  return { effect, actions, resources, ...others };
}

type CommonMembers = Partial<Record<(typeof COMMON_MEMBERS)[number], Place>>;

function effectOf(place: Place, { Effect }: CommonMembers): Effect {
  if (!Effect) throw malformed(place, 'must have an Effect.');
  return oneOf(Effect, ['Allow', 'Deny']);
}

function commonOf(place: Place, members: CommonMembers): Omit<CommonStatement, 'effect'> {
  const { Sid, Action, NotAction, Resource, NotResource, Condition } = members;
  const actions = selectionOf(place, Action, NotAction, (list) => patternsOf(list, isAction));
  const resources = selectionOf(place, Resource, NotResource, (list) => patternsOf(list, isResource));
  return {
    ...(Sid && { sid: textOf(Sid) }),
    ...(actions && { actions }),
    ...(resources && { resources }),
    conditions: Condition ? conditionsOf(Condition) : [],
  };
}

/** An element that can be written as it is, or as its opposite, but not both. */
function selectionOf<T>(
  statement: Place,
  these: Place | undefined,
  others: Place | undefined,
  listOf: (place: Place) => T[],
): Selection<T> | undefined {
  if (these && others) throw malformed(statement, 'must not have an element and its opposite.');
  const place = these ?? others;
  return place && { except: place === others, listed: listOf(place) };
}

function patternsOf(place: Place, isValid: (text: string) => boolean): string[] {
  return itemsOf(place).map((item) => {
    const text = textOf(item);
    if (!isValid(text)) throw malformed(item, `is not valid: ${quote(text)}.`);
    return text;
  });
}

function principalsOf(place: Place): Principal[] {
  if (place.value === '*') return [{ type: 'AWS', id: '*' }];
  if (typeof place.value === 'string') throw invalidPrincipal(place);
  const byType = knownMembersOf(place, PRINCIPAL_TYPES);
  const principals = PRINCIPAL_TYPES.flatMap((type) => {
    const list = byType[type];
    return list ? itemsOf(list).map((item) => principalOf(type, item)) : [];
  });
  if (principals.length === 0) throw malformed(place, 'must not be empty.');
  return principals;
}

const IS_VALID: Readonly<Record<PrincipalType, (id: string) => boolean>> = {
  AWS: (id) => id === '*' || /^\d{12}$/.test(id) || parsePrincipalArn(id) !== undefined,
  Service: (id) => HOST_NAME.test(id),
  Federated: (id) => HOST_NAME.test(id) || PROVIDER_ARN.test(id),
  CanonicalUser: (id) => /^[0-9a-f]{64}$/.test(id),
};

function principalOf(type: PrincipalType, place: Place): Principal {
  const id = textOf(place);
  if (IS_VALID[type](id)) return { type, id };
  if (type === 'AWS' && isIdentityArn(id)) {
    throw new KmsError('INVALID_ARN', `An ARN in the specified key policy is invalid: ${place.path}.`);
  }
  throw invalidPrincipal(place);
}

const invalidPrincipal = ({ path }: Place): KmsError =>
  new KmsError(
    'MALFORMED_POLICY',
    `Policy contains a statement with one or more invalid principals: ${path}.`,
  );

function conditionsOf(place: Place): Condition[] {
  return [...membersOf(place)].flatMap(([name, keys]) => {
    const written = parseOperator(name);
    if (!written) throw malformed(place, `has the unknown operator ${quote(name)}.`);
    return [...membersOf(keys)].map(([key, values]) => {
      if (!CONDITION_KEY.test(key)) throw malformed(keys, `has the invalid key ${quote(key)}.`);
      return { ...written, key, values: itemsOf(values).map((value) => conditionValue(written, value)) };
    });
  });
}

function conditionValue({ operator }: Pick<Condition, 'operator'>, place: Place): string {
  const { value } = place;
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw malformed(place, 'must be a string, a number or a boolean.');
  }
  const text = String(value);
  if (!isComparable(operator, text)) throw malformed(place, `is no value for ${operator}: ${quote(text)}.`);
  return text;
}
