import { letsCallerPutPolicy } from '../../../src/access/lockout';
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
import { KEY_ARN } from './policies';

const OTHER_ROOT = 'arn:aws:iam::444455556666:root';

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
