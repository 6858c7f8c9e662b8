import { parseIdentityPolicy } from '../../../src/access/parse-policy';
import { identityPolicyOf, ROOT } from './policies';

describe('a policy of an identity', () => {
  it('is read', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Id: 'an id',
      Statement: [
        { Sid: 'one', Effect: 'Allow', Action: 'kms:Encrypt', Resource: ['*', 'arn:aws:kms:*:*:key/*'] },
        { Effect: 'Deny', NotAction: '*', NotResource: '*', Condition: { Bool: { 'a:b': true } } },
      ],
    });
    expect(parseIdentityPolicy(text)).toEqual({
      version: '2012-10-17',
      id: 'an id',
      statements: [
        {
          sid: 'one',
          effect: 'Allow',
          actions: { except: false, listed: ['kms:Encrypt'] },
          resources: { except: false, listed: ['*', 'arn:aws:kms:*:*:key/*'] },
          conditions: [],
        },
        {
          effect: 'Deny',
          actions: { except: true, listed: ['*'] },
          resources: { except: true, listed: ['*'] },
          conditions: [{ operator: 'Bool', ifExists: false, key: 'a:b', values: ['true'] }],
        },
      ],
    });
  });

  it.each([`arn:aws:kms:*:*:alias/\${aws:username}`, `arn:aws:kms:*:*:alias/\${aws:username, 'no body'}-*`])(
    'may have a variable in Resource: %s',
    (Resource) => {
      expect(parseIdentityPolicy(identityPolicyOf({ Resource })).statements[0]?.resources.listed).toEqual([
        Resource,
      ]);
    },
  );

  it.each<[string, string]>([
    ['null', 'The policy must be an object.'],
    ['{}', 'The policy must have a Statement.'],
    [identityPolicyOf({ Principal: '*' }), 'Statement[0] has the unknown member "Principal".'],
    [
      identityPolicyOf({ NotPrincipal: { AWS: ROOT } }),
      'Statement[0] has the unknown member "NotPrincipal".',
    ],
    [identityPolicyOf({ Effect: undefined }), 'Statement[0] must have an Effect.'],
    [identityPolicyOf({ Action: undefined }), 'Statement[0] must have an Action.'],
    [identityPolicyOf({}, { Resource: undefined }), 'Statement[1] must have a Resource.'],
    [identityPolicyOf({ NotAction: '*' }), 'Statement[0] must not have an element and its opposite.'],
    [identityPolicyOf({ Action: 'Encrypt' }), 'Statement[0].Action is not valid: "Encrypt".'],
    [
      identityPolicyOf({ Resource: 'arn:aws:kms:* *' }),
      'Statement[0].Resource is not valid: "arn:aws:kms:* *".',
    ],
    [
      identityPolicyOf({ Resource: `\${aws:username}` }),
      `Statement[0].Resource is not valid: "\${aws:username}".`,
    ],
    [
      identityPolicyOf({ Condition: { Bool: { 'a:b': `\${aws:x}` } } }),
      `Statement[0].Condition.Bool.a:b is no value for Bool: "\${aws:x}".`,
    ],
  ])('%s is refused', (text, message) => {
    expect(() => parseIdentityPolicy(text)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_POLICY', message }),
    );
  });

  it('with many variables does not take for ever', () => {
    const Resource = `arn:aws:kms:${`\${a}`.repeat(8_000)} `;
    expect(() => parseIdentityPolicy(identityPolicyOf({ Resource }))).toThrow('is not valid');
  });
});
