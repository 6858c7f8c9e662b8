import { letsAccountPutPolicy } from '../../../src/access/lockout';
import { parsePolicy } from '../../../src/access/parse-policy';
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
