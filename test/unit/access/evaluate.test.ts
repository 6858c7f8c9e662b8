import { ALICE, BOB, bob, decisions, delegates, deny, only, root } from './decisions';
import { ACCOUNT, ROOT } from './policies';

decisions('identity policies and the key policy', [
  ['the default policy lets the root do all', { key: delegates }, { caller: root }, 'allowed'],
  ['the default policy lets a user do nothing by itself', { key: delegates }, {}, 'no-identity-allow'],
  ['the account lets identity policies decide', { key: delegates, identity: [{}] }, {}, 'allowed'],
  [
    'an identity policy that allows something else',
    { key: delegates, identity: [{ Action: 'kms:Decrypt' }] },
    {},
    'no-identity-allow',
  ],
  ['an identity policy alone never suffices', { key: [only(BOB)], identity: [{}] }, {}, 'no-resource-allow'],
  ['a key policy that names the caller suffices', { key: [only(ALICE)] }, {}, 'allowed'],
  ['neither allows', { key: [only(BOB)] }, {}, 'no-identity-allow'],
  [
    'the account is let something else',
    { key: [{ Action: 'kms:Decrypt' }], identity: [{}] },
    {},
    'no-resource-allow',
  ],
  ['the root is not let in by itself', { key: [only(ALICE)] }, { caller: root }, 'no-resource-allow'],
  [
    'a Deny of the identity wins over the key policy',
    { key: [only(ALICE)], identity: [deny] },
    {},
    'explicit-deny-identity',
  ],
  [
    'a Deny of the identity wins over its own Allow',
    { key: delegates, identity: [{}, { ...deny, Action: 'kms:Enc*' }] },
    {},
    'explicit-deny-identity',
  ],
  [
    'a Deny of the identity counts where the key policy does not let the account',
    { key: [only(ALICE)], identity: [{ ...deny, Action: 'kms:Encrypt' }] },
    {},
    'explicit-deny-identity',
  ],
  [
    'a Deny of another action does not',
    { key: [only(ALICE)], identity: [{ ...deny, Action: 'kms:Decrypt' }] },
    {},
    'allowed',
  ],
  [
    'a Deny of the key policy wins over both',
    { key: [{}, only(ALICE), { ...deny, ...only(ALICE) }], identity: [{}] },
    {},
    'explicit-deny-resource',
  ],
  [
    'a Deny before the Allow wins too',
    { key: [{ ...deny, ...only(ALICE) }, only(ALICE)] },
    {},
    'explicit-deny-resource',
  ],
  [
    'a Deny for somebody else does not matter',
    { key: [only(ALICE), { ...deny, ...only(BOB) }] },
    {},
    'allowed',
  ],
  ['a Deny for the account is for all in it', { key: [only(ALICE), deny] }, {}, 'explicit-deny-resource'],
  ['a Deny for the account is for its root', { key: [{}, deny] }, { caller: root }, 'explicit-deny-resource'],
  ['both deny: the identity is told of', { key: [deny], identity: [deny] }, {}, 'explicit-deny-identity'],
]);

decisions('where there is no key, identity policies decide', [
  ['the root may', {}, { caller: root, action: 'kms:ListKeys', resource: '*' }, 'allowed'],
  ['a user without policies may not', {}, { action: 'kms:ListKeys', resource: '*' }, 'no-identity-allow'],
  [
    'a user may by a policy',
    { identity: [{ Action: 'kms:List*' }] },
    { action: 'kms:ListKeys', resource: '*' },
    'allowed',
  ],
  [
    'a policy about keys is not about none',
    { identity: [{ Resource: 'arn:aws:kms:*:*:key/*' }] },
    { action: 'kms:ListKeys', resource: '*' },
    'no-identity-allow',
  ],
  [
    'a policy about all but keys is',
    { identity: [{ Resource: undefined, NotResource: 'arn:aws:kms:*:*:key/*' }] },
    { action: 'kms:ListKeys', resource: '*' },
    'allowed',
  ],
  [
    'an alias by its ARN',
    { identity: [{ Resource: `arn:aws:kms:*:${ACCOUNT}:alias/app-*` }] },
    { action: 'kms:CreateAlias', resource: `arn:aws:kms:us-east-1:${ACCOUNT}:alias/app-1` },
    'allowed',
  ],
  [
    'a Deny wins',
    { identity: [{}, deny] },
    { action: 'kms:CreateKey', resource: '*' },
    'explicit-deny-identity',
  ],
]);

const grant = { granteePrincipal: ALICE, operations: ['Encrypt', 'ReEncryptFrom'] };

decisions('grants', [
  ['suffice for their grantee', { key: [only(BOB)], grants: [grant] }, {}, 'allowed'],
  ['need no identity policy', { key: delegates, grants: [grant] }, {}, 'allowed'],
  ['are for nobody else', { key: [only(ALICE)], grants: [grant] }, { caller: bob }, 'no-identity-allow'],
  [
    'are for their operations',
    { key: delegates, grants: [grant] },
    { action: 'kms:Decrypt' },
    'no-identity-allow',
  ],
  [
    'name operations as AWS does',
    { key: delegates, grants: [grant] },
    { action: 'kms:ReEncryptFrom' },
    'allowed',
  ],
  [
    'are not for a longer name',
    { key: delegates, grants: [grant] },
    { action: 'kms:ReEncryptFromX' },
    'no-identity-allow',
  ],
  [
    'are not for another service',
    { key: delegates, grants: [grant] },
    { action: 's3:Encrypt' },
    'no-identity-allow',
  ],
  ['are refused by a Deny of the key policy', { key: [deny], grants: [grant] }, {}, 'explicit-deny-resource'],
  [
    'are refused by a Deny of the identity',
    { key: [{}], identity: [deny], grants: [grant] },
    {},
    'explicit-deny-identity',
  ],
  ['one of several', { key: delegates, grants: [{ ...grant, granteePrincipal: BOB }, grant] }, {}, 'allowed'],
  [
    'for the account let its identity policies decide',
    { key: [only(BOB)], identity: [{}], grants: [{ ...grant, granteePrincipal: ROOT }] },
    {},
    'allowed',
  ],
  [
    'for the account are not enough',
    { key: [only(BOB)], grants: [{ ...grant, granteePrincipal: ROOT }] },
    {},
    'no-identity-allow',
  ],
  [
    'for the account suffice for its root',
    { key: [only(BOB)], grants: [{ ...grant, granteePrincipal: ROOT }] },
    { caller: root },
    'allowed',
  ],
  [
    'for the caller suffice beside one for the account',
    { key: [only(BOB)], grants: [grant, { ...grant, granteePrincipal: ROOT }] },
    {},
    'allowed',
  ],
  ['count only with a key policy', { grants: [grant] }, {}, 'no-identity-allow'],
]);
