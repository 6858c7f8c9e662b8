import { conditionValues, valuesOf } from '../../../src/access/access-request';
import { alice, requestOf, root } from './decisions';
import { ACCOUNT } from './policies';

describe('condition values', () => {
  it('are found by keys in any letters', () => {
    expect(conditionValues([['aws:SourceIp', '10.0.0.1']]).get('aws:sourceip')).toEqual(['10.0.0.1']);
  });

  it('of one key come together', () => {
    const values = conditionValues([
      ['kms:EncryptionContext:Team', 'red'],
      ['kms:EncryptionContext:team', ['blue', 'green']],
    ]);
    expect([...values]).toEqual([['kms:encryptioncontext:team', ['red', 'blue', 'green']]]);
  });

  it('of the caller are its own, whatever the request says', () => {
    const claims = {
      'aws:PrincipalArn': 'x',
      'aws:PrincipalType': 'x',
      'kms:CallerAccount': 'x',
      'aws:username': 'x',
    };
    const valuesFor = (caller: typeof alice) =>
      ['aws:principalarn', 'aws:principaltype', 'kms:calleraccount', 'aws:username', 'aws:userid'].map(
        (key) => valuesOf(requestOf({ caller, conditions: claims }), key),
      );
    expect(valuesFor(alice)).toEqual([[alice.arn], ['User'], [ACCOUNT], ['alice'], undefined]);
    expect(valuesFor(root)).toEqual([[root.arn], ['Account'], [ACCOUNT], undefined, [ACCOUNT]]);
  });
});
