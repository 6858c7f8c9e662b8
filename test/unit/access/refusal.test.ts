import type { RefusalReason } from '../../../src/access/evaluate';
import { refusalMessage } from '../../../src/access/refusal';
import { ALICE, requestOf } from './decisions';
import { KEY_ARN } from './policies';

describe('a refusal', () => {
  it.each<[RefusalReason, string]>([
    ['explicit-deny-identity', 'with an explicit deny in an identity-based policy'],
    ['explicit-deny-resource', 'with an explicit deny in a resource-based policy'],
    ['no-identity-allow', 'because no identity-based policy allows the kms:Encrypt action'],
    ['no-resource-allow', 'because no resource-based policy allows the kms:Encrypt action'],
  ])('says why: %s', (reason, words) => {
    expect(refusalMessage(requestOf({}), reason)).toBe(
      `User: ${ALICE} is not authorized to perform: kms:Encrypt on resource: ${KEY_ARN} ${words}`,
    );
  });

  it('can show another resource', () => {
    expect(refusalMessage(requestOf({}), 'no-identity-allow', '*')).toContain(' on resource: * because ');
  });
});
