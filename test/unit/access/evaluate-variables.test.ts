import { decisions, delegates, deny, root } from './decisions';
import { ACCOUNT } from './policies';

const alias = (name: string) => `arn:aws:kms:us-east-1:${ACCOUNT}:alias/${name}`;
const about = (name: string) => ({ action: 'kms:CreateAlias', resource: alias(name) });
const lets = (name: string) => ({ Resource: alias(name) });
const tagged = (value: string | string[]) => ({ conditions: { 'aws:RequestTag/team': value } });
const where = (operator: string, value: string | string[]) => ({
  Condition: { [operator]: { 'kms:EncryptionContext:owner': value } },
});
const owner = (value: string, more: Record<string, string> = {}) => ({
  conditions: { 'kms:EncryptionContext:owner': value, ...more },
});

decisions('variables in Resource', [
  ['the user’s name', { identity: [lets(`\${aws:username}-*`)] }, about('alice-1'), 'allowed'],
  ['another user’s name', { identity: [lets(`\${aws:username}-*`)] }, about('bob-1'), 'no-identity-allow'],
  ['in other letters', { identity: [lets(`\${AWS:UserName}`)] }, about('alice'), 'allowed'],
  [
    'two of them',
    { identity: [lets(`\${aws:username}/\${kms:CallerAccount}`)] },
    about(`alice/${ACCOUNT}`),
    'allowed',
  ],
  [
    'the older version has none',
    { identity: [lets(`\${aws:username}`)], version: '2008-10-17' },
    about('alice'),
    'no-identity-allow',
  ],
  [
    'the older version takes them as they are',
    { identity: [lets(`\${aws:username}`)], version: '2008-10-17' },
    about(`\${aws:username}`),
    'allowed',
  ],
  [
    'one that is not closed is taken as it is',
    { identity: [lets(`\${aws:username`)] },
    about(`\${aws:username`),
    'allowed',
  ],
  ['a key that is missing', { identity: [lets(`\${aws:RequestTag/team}`)] }, about(''), 'no-identity-allow'],
  [
    'a key that is missing, beside what matches',
    { identity: [{ Resource: [alias(`\${aws:x}`), alias('app')] }] },
    about('app'),
    'allowed',
  ],
  ['a default is not needed', { identity: [lets(`\${aws:username, 'nobody'}`)] }, about('alice'), 'allowed'],
  ['a default is taken', { identity: [lets(`\${aws:RequestTag/team,'none'}`)] }, about('none'), 'allowed'],
  ['an empty default', { identity: [lets(`\${aws:RequestTag/team, ''}x`)] }, about('x'), 'allowed'],
  [
    'a default without quotes is none',
    { identity: [lets(`\${aws:RequestTag/team, none}`)] },
    about('none'),
    'no-identity-allow',
  ],
  [
    'the root has no name',
    { key: [{ Principal: '*', Resource: alias(`\${aws:username}`) }] },
    { ...about('root'), caller: root },
    'no-resource-allow',
  ],
  [
    'the root by a default',
    { key: [{ Principal: '*', Resource: alias(`\${aws:username, 'root'}`) }] },
    { ...about('root'), caller: root },
    'allowed',
  ],
  [
    'a wildcard that came in is none',
    { identity: [lets(`\${aws:RequestTag/team}`)] },
    { ...about('anything'), ...tagged('*') },
    'no-identity-allow',
  ],
  [
    'a wildcard that came in is itself',
    { identity: [lets(`\${aws:RequestTag/team}*`)] },
    { ...about('?*x'), ...tagged('?*') },
    'allowed',
  ],
  [
    'several values are none',
    { identity: [lets(`\${aws:RequestTag/team}`)] },
    { ...about('a'), ...tagged(['a', 'b']) },
    'no-identity-allow',
  ],
  [
    'several values do not fall back',
    { identity: [lets(`\${aws:RequestTag/team, 'c'}`)] },
    { ...about('c'), ...tagged(['a', 'b']) },
    'no-identity-allow',
  ],
  ['a star', { identity: [lets(`\${*}`)] }, about('*'), 'allowed'],
  ['a star is no wildcard', { identity: [lets(`\${*}`)] }, about('a'), 'no-identity-allow'],
  ['a question mark is no wildcard', { identity: [lets(`\${?}`)] }, about('a'), 'no-identity-allow'],
  ['a dollar', { identity: [lets(`\${$}{aws:username}`)] }, about(`\${aws:username}`), 'allowed'],
  [
    'NotResource',
    { identity: [{ Resource: undefined, NotResource: alias(`\${aws:username}`) }] },
    about('bob'),
    'allowed',
  ],
  [
    'NotResource, a key that is missing',
    { identity: [{ Resource: undefined, NotResource: alias(`\${aws:x}`) }] },
    about('bob'),
    'no-identity-allow',
  ],
  [
    'Deny, NotResource, a key that is missing',
    { identity: [{}, { ...deny, Resource: undefined, NotResource: alias(`\${aws:x}`) }] },
    about('bob'),
    'explicit-deny-identity',
  ],
]);

const may = (operator: string, value: string | string[]) => ({
  key: delegates,
  identity: [where(operator, value)],
});
const mayNot = (operator: string, value: string | string[]) => ({
  key: delegates,
  identity: [{}, { ...deny, ...where(operator, value) }],
});

decisions('variables in conditions', [
  ['StringEquals', may('StringEquals', `\${aws:username}`), owner('alice'), 'allowed'],
  ['StringEquals, another', may('StringEquals', `\${aws:username}`), owner('bob'), 'no-identity-allow'],
  ['StringEquals, a star', may('StringEquals', `\${*}`), owner('*'), 'allowed'],
  ['StringLike', may('StringLike', `\${aws:username}@*`), owner('alice@example.com'), 'allowed'],
  ['StringLike, a star', may('StringLike', `a\${*}`), owner('ab'), 'no-identity-allow'],
  ['ArnLike', may('ArnLike', `\${aws:PrincipalArn}`), owner(`arn:aws:iam::${ACCOUNT}:user/alice`), 'allowed'],
  [
    'ArnLike, a star that came in',
    may('ArnLike', `arn:aws:iam::*:user/\${aws:RequestTag/x}`),
    owner('arn:aws:iam::1:user/a', { 'aws:RequestTag/x': '*' }),
    'no-identity-allow',
  ],
  [
    'ArnLike, a star of its own',
    may('ArnLike', `arn:aws:iam::*:user/\${aws:username}*`),
    owner('arn:aws:iam::1:user/alice2'),
    'allowed',
  ],
  [
    'another key of the request',
    may('StringEquals', `\${kms:EncryptionContext:team}`),
    owner('red', { 'kms:EncryptionContext:Team': 'red' }),
    'allowed',
  ],
  ['a key that is missing', may('StringEquals', `\${aws:userid}`), owner('alice'), 'no-identity-allow'],
  [
    'a key that is missing, beside what matches',
    may('StringEquals', [`\${aws:userid}`, 'alice']),
    owner('alice'),
    'allowed',
  ],
  ['negated', may('StringNotEquals', `\${aws:username}`), owner('bob'), 'allowed'],
  [
    'negated, a key that is missing',
    may('StringNotEquals', `\${aws:userid}`),
    owner('alice'),
    'no-identity-allow',
  ],
  ['negated, both missing', may('StringNotLike', ['x', `\${aws:userid}`]), {}, 'no-identity-allow'],
  ['negated, a default', may('StringNotEquals', `\${aws:userid, 'none'}`), owner('alice'), 'allowed'],
  ['Deny', mayNot('StringNotEquals', `\${aws:username}`), owner('bob'), 'explicit-deny-identity'],
  ['Deny, what is excepted', mayNot('StringNotEquals', `\${aws:username}`), owner('alice'), 'allowed'],
  ['Deny, a key that is missing', mayNot('StringEquals', `\${aws:userid}`), owner('bob'), 'allowed'],
  [
    'Deny, a key that is missing, beside what matches',
    mayNot('StringEquals', [`\${aws:userid}`, 'bob']),
    owner('bob'),
    'explicit-deny-identity',
  ],
  [
    'Deny, negated, a key that is missing',
    mayNot('StringNotEquals', `\${aws:userid}`),
    owner('bob'),
    'explicit-deny-identity',
  ],
]);
