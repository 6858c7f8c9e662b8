import { ALICE, decisions, delegates, deny, OTHER_KEY, only } from './decisions';
import { ACCOUNT, KEY_ARN } from './policies';

decisions('which actions are meant', [
  ['one of several', { key: [{ ...only(ALICE), Action: ['kms:Decrypt', 'kms:Encrypt'] }] }, {}, 'allowed'],
  ['in other letters', { key: [{ ...only(ALICE), Action: 'KMS:eNCRYPT' }] }, {}, 'allowed'],
  ['every action of every service', { key: [{ ...only(ALICE), Action: '*' }] }, {}, 'allowed'],
  ['every action of the service', { key: [{ ...only(ALICE), Action: 'kms:*' }] }, {}, 'allowed'],
  ['the action of any service', { key: [{ ...only(ALICE), Action: '*:Encrypt' }] }, {}, 'allowed'],
  ['another service', { key: [{ ...only(ALICE), Action: 's3:Encrypt' }] }, {}, 'no-identity-allow'],
  ['by a pattern with both wildcards', { key: [{ ...only(ALICE), Action: 'kms:?ncr*' }] }, {}, 'allowed'],
  [
    'by a pattern that is longer',
    { key: [{ ...only(ALICE), Action: 'kms:Encrypt?' }] },
    {},
    'no-identity-allow',
  ],
  ['the beginning of the name', { key: [{ ...only(ALICE), Action: 'kms:Enc' }] }, {}, 'no-identity-allow'],
  [
    'a longer name',
    { key: [{ ...only(ALICE), Action: 'kms:GenerateDataKey' }] },
    { action: 'kms:GenerateDataKeyPair' },
    'no-identity-allow',
  ],
  ['all but others', { key: [{ ...only(ALICE), Action: undefined, NotAction: 'kms:De*' }] }, {}, 'allowed'],
  [
    'all but this',
    { key: [{ ...only(ALICE), Action: undefined, NotAction: ['kms:ENC*', 'kms:Sign'] }] },
    {},
    'no-identity-allow',
  ],
  [
    'a Deny of all but this',
    { key: [only(ALICE), { ...deny, Action: undefined, NotAction: 'kms:Encrypt' }] },
    {},
    'allowed',
  ],
  [
    'a Deny of all but others',
    { key: [only(ALICE), { ...deny, Action: undefined, NotAction: 'kms:Decrypt' }] },
    {},
    'explicit-deny-resource',
  ],
  ['no action at all', { key: [{ ...only(ALICE), Action: undefined }] }, {}, 'no-identity-allow'],
]);

decisions('which resources are meant', [
  ['this key', { key: [{ ...only(ALICE), Resource: KEY_ARN }] }, {}, 'allowed'],
  ['another key', { key: [{ ...only(ALICE), Resource: OTHER_KEY }] }, {}, 'no-identity-allow'],
  ['every key', { key: [{ ...only(ALICE), Resource: 'arn:aws:kms:*:*:key/*' }] }, {}, 'allowed'],
  ['one of several', { key: delegates, identity: [{ Resource: [OTHER_KEY, KEY_ARN] }] }, {}, 'allowed'],
  [
    'a wildcard beyond a colon',
    { key: delegates, identity: [{ Resource: 'arn:aws:kms:*key/1234*' }] },
    {},
    'allowed',
  ],
  [
    'one character',
    { key: delegates, identity: [{ Resource: KEY_ARN.replace('1234', '????') }] },
    {},
    'allowed',
  ],
  [
    'in other letters',
    { key: delegates, identity: [{ Resource: KEY_ARN.replace('abcd', 'ABCD') }] },
    {},
    'no-identity-allow',
  ],
  [
    'aliases are not the key',
    { key: delegates, identity: [{ Resource: 'arn:aws:kms:*:*:alias/*' }] },
    {},
    'no-identity-allow',
  ],
  [
    'all but others',
    { key: delegates, identity: [{ Resource: undefined, NotResource: OTHER_KEY }] },
    {},
    'allowed',
  ],
  [
    'all but this',
    { key: delegates, identity: [{ Resource: undefined, NotResource: [OTHER_KEY, KEY_ARN] }] },
    {},
    'no-identity-allow',
  ],
  [
    'a Deny of all but this',
    { key: [only(ALICE)], identity: [{ ...deny, Resource: undefined, NotResource: KEY_ARN }] },
    {},
    'allowed',
  ],
  [
    'a Deny of all but others',
    { key: [only(ALICE)], identity: [{ ...deny, Resource: undefined, NotResource: OTHER_KEY }] },
    {},
    'explicit-deny-identity',
  ],
  ['no resource at all', { key: [{ ...only(ALICE), Resource: undefined }] }, {}, 'no-identity-allow'],
  [
    'an ARN of fewer fields',
    { key: [{ ...only(ALICE), Resource: `arn:verenc:${ACCOUNT}:key/*` }] },
    { resource: `arn:verenc:${ACCOUNT}:key/1234abcd` },
    'allowed',
  ],
]);
