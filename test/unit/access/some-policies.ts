/** Policies and requests out of few words, so that they often meet. */
import fc from 'fast-check';
import type { AccessGrant } from '../../../src/access/access-grant';
import {
  ALICE,
  alice,
  BOB,
  OTHER_KEY,
  OTHER_ROOT,
  root,
  type ShortPolicies,
  type ShortRequest,
} from './decisions';
import { ACCOUNT, KEY_ARN, ROOT } from './policies';

/** Operators by what they compare, with values of the kind, of a policy and of requests. */
const FAMILIES = [
  {
    operators: ['StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike', 'StringEqualsIgnoreCase'],
    values: ['x', 'y', 'X*', '?', '', `\${aws:username}`, `\${a:missing}`, `\${a:missing, 'x'}`, `\${*}`],
    given: ['x', 'y', 'alice', '*', ''],
  },
  {
    operators: ['NumericEquals', 'NumericNotEquals', 'NumericLessThan', 'NumericGreaterThanEquals'],
    values: ['1', '2', '10'],
    given: ['1', '2', '9', 'x'],
  },
  {
    operators: ['DateEquals', 'DateNotEquals', 'DateLessThan', 'DateGreaterThanEquals'],
    values: ['2024-05-01', '1714557600'],
    given: ['2024-05-01T10:00:00Z', '2024-04-30', 'x'],
  },
  { operators: ['Bool'], values: ['true', 'false'], given: ['true', 'false', 'x'] },
  { operators: ['Null'], values: ['true', 'false'], given: ['x', ''] },
  { operators: ['BinaryEquals'], values: ['QQ==', 'Qg=='], given: ['QQ==', 'Qg==', '%'] },
  {
    operators: ['IpAddress', 'NotIpAddress'],
    values: ['10.0.0.0/8', '::1', '::ffff:10.0.0.1', '0.0.0.0/0'],
    given: ['10.0.0.1', '::1', '11.0.0.1', 'x'],
  },
  {
    operators: ['ArnLike', 'ArnNotEquals'],
    values: ['arn:aws:iam::*:user/*', KEY_ARN, `arn:aws:iam::${ACCOUNT}:user/\${aws:username}`],
    given: [ALICE, BOB, KEY_ARN, 'x'],
  },
].map((family, index) => ({ ...family, key: `a:Key${index}` }));

const some = <T>(...items: T[]) => fc.subarray(items, { minLength: 1 });

const condition = fc.constantFrom(...FAMILIES).chain(({ operators, values, key }) =>
  fc.record({
    set: fc.constantFrom('', '', 'ForAllValues:', 'ForAnyValue:'),
    operator: fc.constantFrom(...operators),
    ifExists: fc.constantFrom('', '', 'IfExists'),
    key: fc.constant(key),
    values: some(...values),
  }),
);

const conditions = fc.array(condition, { maxLength: 2 }).map((list) => {
  const written: Record<string, Record<string, string[]>> = {};
  for (const { set, operator, ifExists, key, values } of list) {
    const name = `${set}${operator}${operator === 'Null' ? '' : ifExists}`;
    written[name] = { ...written[name], [key]: values };
  }
  return list.length > 0 ? { Condition: written } : {};
});

/** An element, or now and then its opposite. */
const selection = (name: string, listed: fc.Arbitrary<unknown>) =>
  fc
    .tuple(fc.nat(5), listed)
    .map(([chance, items]) =>
      chance === 0 ? { [name]: undefined, [`Not${name}`]: items } : { [name]: items },
    );

const effect = (value: fc.Arbitrary<string>) => value.map((Effect) => ({ Effect }));
const anyEffect = fc.constantFrom('Allow', 'Allow', 'Allow', 'Allow', 'Deny');
const actions = selection(
  'Action',
  some('kms:Encrypt', 'kms:*', 'KMS:enc*', 'kms:Decrypt', 'kms:CreateGrant'),
);
const resources = selection(
  'Resource',
  some('*', KEY_ARN, OTHER_KEY, 'arn:aws:kms:*:*:key/*', `arn:aws:kms:*:*:key/\${aws:RequestTag/key}`),
);
const principals = selection(
  'Principal',
  some(ROOT, ALICE, BOB, '*', OTHER_ROOT, ACCOUNT).map((AWS) => ({ AWS })),
);

const merged = (...parts: fc.Arbitrary<object>[]) =>
  fc.tuple(...parts).map((objects): object => Object.assign({}, ...objects));

const keyStatement = (Effect: fc.Arbitrary<string>) =>
  merged(effect(Effect), principals, actions, resources, conditions);
const identityStatement = (Effect: fc.Arbitrary<string>) =>
  merged(effect(Effect), actions, resources, conditions);

export const someDeny = {
  key: keyStatement(fc.constant('Deny')),
  identity: identityStatement(fc.constant('Deny')),
};

const pairs = fc
  .subarray<[string, string]>([
    ['a', '1'],
    ['b', '2'],
  ])
  .map((entries) => new Map(entries));

const constraints = fc.record({ kind: fc.constantFrom('equals' as const, 'subset' as const), pairs });

const newGrant = fc
  .record({ operations: some('Encrypt', 'Decrypt', 'CreateGrant'), constraints: fc.option(constraints) })
  .map(({ operations, constraints: under }) => ({ operations, ...(under && { constraints: under }) }));

const grant: fc.Arbitrary<AccessGrant> = fc
  .tuple(fc.constantFrom(ALICE, ROOT, BOB), newGrant)
  .map(([granteePrincipal, rest]) => ({ granteePrincipal, ...rest }));

const list = <T>(item: fc.Arbitrary<T>, minLength = 0) => fc.array(item, { minLength, maxLength: 3 });

export const somePolicies: fc.Arbitrary<Required<Omit<ShortPolicies, 'version'>>> = fc.record({
  key: list(keyStatement(anyEffect), 1),
  identity: list(identityStatement(anyEffect), 1),
  grants: list(grant),
});

const given = fc
  .tuple(
    ...FAMILIES.map((family) =>
      fc
        .option(fc.subarray(family.given, { minLength: 1, maxLength: 2 }))
        .map((values): [string, string[]][] => (values ? [[family.key, values]] : [])),
    ),
  )
  .map((entries) => Object.fromEntries(entries.flat()));

export const someRequest: fc.Arbitrary<ShortRequest> = fc.record({
  caller: fc.constantFrom(alice, alice, alice, root),
  action: fc.constantFrom('kms:Encrypt', 'kms:Encrypt', 'kms:Decrypt', 'kms:CreateGrant'),
  conditions: given,
  encryptionContext: pairs,
  newGrant,
});
