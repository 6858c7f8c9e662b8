import { letsAccountPutPolicy, letsCallerPutPolicy } from '../../../src/access/lockout';
import { parsePolicy } from '../../../src/access/parse-policy';
import {
  ALICE,
  allBut,
  deny,
  only,
  policiesOf,
  requestOf,
  root,
  type ShortPolicies,
  type ShortRequest,
} from './decisions';
import { ACCOUNT, KEY_ARN, policyOf, ROOT } from './policies';

const letsPut = (...statements: object[]): boolean =>
  letsAccountPutPolicy(parsePolicy(policyOf(...statements)), { account: ACCOUNT, keyArn: KEY_ARN });

const OTHER_ROOT = 'arn:aws:iam::444455556666:root';
const DENY = { Effect: 'Deny', Principal: '*', Action: 'kms:PutKeyPolicy' };

describe('somebody of the account can put another policy', () => {
  it.each<[string, object[]]>([
    ['the account may do everything', [{}]],
    ['the account by its number', [{ Principal: { AWS: ACCOUNT } }]],
    ['everybody may', [{ Principal: '*' }]],
    ['a user may', [{ Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/alice` } }]],
    ['a session may', [{ Principal: { AWS: `arn:aws:sts::${ACCOUNT}:assumed-role/admin/alice` } }]],
    ['one of several principals is of the account', [{ Principal: { AWS: [OTHER_ROOT, ROOT] } }]],
    ['everybody but others may', [{ Principal: undefined, NotPrincipal: { AWS: OTHER_ROOT } }]],
    ['the action alone', [{ Action: 'kms:PutKeyPolicy' }]],
    ['the action in other letters', [{ Action: 'KMS:putkeypolicy' }]],
    ['the action by a pattern', [{ Action: ['kms:Encrypt', 'kms:Put*'] }]],
    ['every action but another', [{ Action: undefined, NotAction: 'kms:Encrypt' }]],
    ['this key', [{ Resource: KEY_ARN }]],
    ['every key', [{ Resource: ['arn:aws:s3:::bucket', 'arn:aws:kms:*:*:key/*'] }]],
    ['under a condition', [{ Condition: { Bool: { 'aws:MultiFactorAuthPresent': true } } }]],
    ['another statement does not matter', [{ Action: 'kms:Encrypt' }, {}]],
    ['a user is denied it', [{}, { ...DENY, Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/eve` } }]],
    ['others are denied it', [{}, { ...DENY, Principal: { AWS: OTHER_ROOT } }]],
    [
      'all are denied it under a condition',
      [{}, { ...DENY, Condition: { Bool: { 'aws:SecureTransport': false } } }],
    ],
    ['all are denied something else', [{}, { ...DENY, Action: 'kms:Decrypt' }]],
  ])('%s', (_what, statements) => {
    expect(letsPut(...statements)).toBe(true);
  });
});

describe('nobody of the account can put another policy', () => {
  it.each<[string, object[]]>([
    ['only others may', [{ Principal: { AWS: OTHER_ROOT } }]],
    ['only a service may', [{ Principal: { Service: 'ec2.amazonaws.com' } }]],
    ['everybody but the account may', [{ Principal: undefined, NotPrincipal: { AWS: ROOT } }]],
    ['only another action', [{ Action: 'kms:GetKeyPolicy' }]],
    ['the pattern is of other actions', [{ Action: 'kms:Get*' }]],
    ['every action but this', [{ Action: undefined, NotAction: 'kms:Put*' }]],
    ['no action', [{ Action: undefined }]],
    ['only another key', [{ Resource: KEY_ARN.replace('1234', '5678') }]],
    ['every key but this', [{ Resource: undefined, NotResource: KEY_ARN }]],
    ['no resource', [{ Resource: undefined }]],
    ['it is only denied', [DENY]],
    ['all are denied it', [{}, DENY]],
    ['the account is denied it', [{}, { ...DENY, Principal: { AWS: ROOT } }]],
  ])('%s', (_what, statements) => {
    expect(letsPut(...statements)).toBe(false);
  });
});

describe('the caller can put another policy', () => {
  const put = { Action: 'kms:PutKeyPolicy' };
  const tls = { Condition: { Bool: { 'aws:SecureTransport': true } } };

  it.each<[string, Omit<ShortPolicies, 'grants'>, ShortRequest, boolean]>([
    ['the root, by the default policy', { key: [{}] }, { caller: root }, true],
    ['the root, where only a user may', { key: [only(ALICE)] }, { caller: root }, false],
    ['a user who is named', { key: [{ ...only(ALICE), ...put }] }, {}, true],
    [
      'a user who is named for something else',
      { key: [{ ...only(ALICE), Action: 'kms:Encrypt' }] },
      {},
      false,
    ],
    ['a user by an identity policy', { key: [{}], identity: [put] }, {}, true],
    [
      'a user whose identity policies allow something else',
      { key: [{}], identity: [{ Action: 'kms:Get*' }] },
      {},
      false,
    ],
    ['a user whom the account is not let to allow', { key: [only(OTHER_ROOT)], identity: [put] }, {}, false],
    ['a user who is denied it', { key: [only(ALICE), { ...deny, ...only(ALICE), ...put }] }, {}, false],
    [
      'a user who is denied it by an identity policy',
      { key: [only(ALICE)], identity: [{ ...deny, ...put }] },
      {},
      false,
    ],
    ['all but the caller', { key: [allBut(ALICE)] }, {}, false],
    ['another key', { key: [{ ...only(ALICE), Resource: `${KEY_ARN}0` }] }, {}, false],
    [
      'a condition that the request meets',
      { key: [{ ...only(ALICE), ...tls }] },
      { conditions: { 'aws:SecureTransport': 'true' } },
      true,
    ],
    [
      'a condition that it does not meet',
      { key: [{ ...only(ALICE), ...tls }] },
      { conditions: { 'aws:SecureTransport': 'false' } },
      false,
    ],
  ])('%s', (_what, policies, request, lets) => {
    const { key, identity } = policiesOf(policies);
    if (!key) throw new Error('no key policy');
    expect(letsCallerPutPolicy(key, requestOf(request), identity)).toBe(lets);
  });
});
