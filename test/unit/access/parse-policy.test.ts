import fc from 'fast-check';
import { parsePolicy } from '../../../src/access/parse-policy';
import type { PolicyDocument, Statement } from '../../../src/access/policy-document';
import { KmsError } from '../../../src/errors';
import { formatPolicy, policyOf, ROOT, STATEMENT } from './policies';

const only = (text: string): Statement => {
  const [statement] = parsePolicy(text).statements;
  if (!statement) throw new Error('no statement');
  return statement;
};

function refusalOf(text: string): KmsError {
  try {
    parsePolicy(text);
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw error;
  }
  throw new Error('not refused');
}

describe('a policy', () => {
  it('is read with everything that the grammar has', () => {
    const text = JSON.stringify({
      Version: '2012-10-17',
      Id: 'an id',
      Statement: [
        {
          Sid: 'Enable IAM User Permissions',
          Effect: 'Deny',
          NotPrincipal: {
            AWS: ['*', '111122223333', ROOT],
            Service: 'logs.us-east-1.amazonaws.com',
            Federated: ['accounts.google.com', 'arn:aws:iam::111122223333:saml-provider/corp'],
            CanonicalUser: 'a'.repeat(64),
          },
          NotAction: ['kms:Describe*', '*'],
          NotResource: 'arn:aws:kms:*:*:key/*',
          Condition: {
            'ForAnyValue:StringLikeIfExists': { 'kms:EncryptionContext:a b': ['x*', 5, true] },
            Null: { 'aws:TokenIssueTime': false },
          },
        },
      ],
    });
    expect(parsePolicy(text)).toEqual({
      version: '2012-10-17',
      id: 'an id',
      statements: [
        {
          sid: 'Enable IAM User Permissions',
          effect: 'Deny',
          principals: {
            except: true,
            listed: [
              { type: 'AWS', id: '*' },
              { type: 'AWS', id: '111122223333' },
              { type: 'AWS', id: ROOT },
              { type: 'Service', id: 'logs.us-east-1.amazonaws.com' },
              { type: 'Federated', id: 'accounts.google.com' },
              { type: 'Federated', id: 'arn:aws:iam::111122223333:saml-provider/corp' },
              { type: 'CanonicalUser', id: 'a'.repeat(64) },
            ],
          },
          actions: { except: true, listed: ['kms:Describe*', '*'] },
          resources: { except: true, listed: ['arn:aws:kms:*:*:key/*'] },
          conditions: [
            {
              operator: 'StringLike',
              set: 'ForAnyValue',
              ifExists: true,
              key: 'kms:EncryptionContext:a b',
              values: ['x*', '5', 'true'],
            },
            { operator: 'Null', ifExists: false, key: 'aws:TokenIssueTime', values: ['false'] },
          ],
        },
      ],
    });
  });

  it('may have one statement, and the older version without a word', () => {
    expect(parsePolicy(JSON.stringify({ Statement: STATEMENT }))).toEqual({
      version: '2008-10-17',
      statements: [
        {
          effect: 'Allow',
          principals: { except: false, listed: [{ type: 'AWS', id: ROOT }] },
          actions: { except: false, listed: ['kms:*'] },
          resources: { except: false, listed: ['*'] },
          conditions: [],
        },
      ],
    });
  });

  it('may have "*" for everybody', () => {
    expect(only(policyOf({ Principal: '*' })).principals).toEqual({
      except: false,
      listed: [{ type: 'AWS', id: '*' }],
    });
  });

  it('may have statements without action or resource', () => {
    expect(Object.keys(only(policyOf({ Action: undefined, Resource: undefined })))).toEqual([
      'effect',
      'principals',
      'conditions',
    ]);
  });

  it('may say a member twice: the last counts', () => {
    const twice = `{"Effect":"Deny",${JSON.stringify(STATEMENT).slice(1)}`;
    expect(only(`{"Statement":${twice}}`).effect).toBe('Allow');
  });
});

describe('what is no policy is refused, with what is wrong and where', () => {
  const condition = (Condition: unknown) => policyOf({ Condition });

  const faults: [text: string, message: string][] = [
    ['', 'The policy is not JSON.'],
    ['{', 'The policy is not JSON.'],
    ['{}{}', 'The policy is not JSON.'],
    ['['.repeat(20_000), 'The policy is not JSON.'],
    ['null', 'The policy must be an object.'],
    ['[]', 'The policy must be an object.'],
    ['"policy"', 'The policy must be an object.'],
    ['{}', 'The policy must have a Statement.'],
    ['{"Statement":[]}', 'Statement must not be empty.'],
    ['{"Statement":[1]}', 'Statement[0] must be an object.'],
    ['{"Statement":null}', 'Statement must be an object.'],
    ['{"statement":{}}', 'The policy has the unknown member "statement".'],
    ['{"__proto__":{},"Statement":{}}', 'The policy has the unknown member "__proto__".'],
    ['{"Version":"2012-10-18","Statement":{}}', 'Version must be "2012-10-17" or "2008-10-17".'],
    ['{"Version":2012,"Statement":{}}', 'Version must be a string.'],
    ['{"Id":{},"Statement":{}}', 'Id must be a string.'],
    [policyOf({}, { Effect: undefined }), 'Statement[1] must have an Effect.'],
    [policyOf({ Effect: 'allow' }), 'Statement[0].Effect must be "Allow" or "Deny".'],
    [policyOf({ Sid: 1 }), 'Statement[0].Sid must be a string.'],
    [policyOf({ Foo: 1 }), 'Statement[0] has the unknown member "Foo".'],
    [policyOf({ ['x'.repeat(100)]: 1 }), `Statement[0] has the unknown member "${'x'.repeat(64)}".`],
    [policyOf({ Principal: undefined }), 'Statement[0] must have a Principal.'],
    [policyOf({ Principal: {} }), 'Statement[0].Principal must not be empty.'],
    [policyOf({ Principal: { AWS: [] } }), 'Statement[0].Principal.AWS must not be empty.'],
    [policyOf({ Principal: { AWS: [ROOT, 1] } }), 'Statement[0].Principal.AWS[1] must be a string.'],
    [policyOf({ Principal: { aws: ROOT } }), 'Statement[0].Principal has the unknown member "aws".'],
    [policyOf({ Principal: null }), 'Statement[0].Principal must be an object.'],
    [policyOf({ NotPrincipal: '*' }), 'Statement[0] must not have an element and its opposite.'],
    [policyOf({ NotAction: '*' }), 'Statement[0] must not have an element and its opposite.'],
    [policyOf({ NotResource: '*' }), 'Statement[0] must not have an element and its opposite.'],
    [policyOf({ Action: [] }), 'Statement[0].Action must not be empty.'],
    [policyOf({ Action: ['kms:*', 'kms'] }), 'Statement[0].Action[1] is not valid: "kms".'],
    [policyOf({ Action: 'kms:Put Key' }), 'Statement[0].Action is not valid: "kms:Put Key".'],
    [policyOf({ Resource: 'key' }), 'Statement[0].Resource is not valid: "key".'],
    [policyOf({ Resource: [['*']] }), 'Statement[0].Resource[0] must be a string.'],
    [condition('x'), 'Statement[0].Condition must be an object.'],
    [condition({ StringIs: {} }), 'Statement[0].Condition has the unknown operator "StringIs".'],
    [condition({ toString: {} }), 'Statement[0].Condition has the unknown operator "toString".'],
    [condition({ NullIfExists: {} }), 'Statement[0].Condition has the unknown operator "NullIfExists".'],
    [
      condition({ 'ForNoValue:Bool': {} }),
      'Statement[0].Condition has the unknown operator "ForNoValue:Bool".',
    ],
    [condition({ Bool: 1 }), 'Statement[0].Condition.Bool must be an object.'],
    [condition({ Bool: { key: true } }), 'Statement[0].Condition.Bool has the invalid key "key".'],
    [condition({ Bool: { 'a:b': [] } }), 'Statement[0].Condition.Bool.a:b must not be empty.'],
    [
      condition({ StringEquals: { 'a:b': ['x', null] } }),
      'Statement[0].Condition.StringEquals.a:b[1] must be a string, a number or a boolean.',
    ],
    [condition({ Bool: { 'a:b': 'yes' } }), 'Statement[0].Condition.Bool.a:b is no value for Bool: "yes".'],
    [
      condition({ NumericEquals: { 'a:b': '1x' } }),
      'Statement[0].Condition.NumericEquals.a:b is no value for NumericEquals: "1x".',
    ],
    [
      condition({ DateLessThan: { 'a:b': '2020-13-01' } }),
      'Statement[0].Condition.DateLessThan.a:b is no value for DateLessThan: "2020-13-01".',
    ],
    [
      condition({ IpAddress: { 'a:b': '10.0.0.0/33' } }),
      'Statement[0].Condition.IpAddress.a:b is no value for IpAddress: "10.0.0.0/33".',
    ],
    [
      condition({ BinaryEquals: { 'a:b': '*' } }),
      'Statement[0].Condition.BinaryEquals.a:b is no value for BinaryEquals: "*".',
    ],
  ];

  it.each(faults.map(([text, message]) => [message, text]))('%s', (message, text) => {
    expect(refusalOf(text)).toMatchObject({ code: 'MALFORMED_POLICY', message });
  });

  it.each([
    { AWS: 'alice' },
    { AWS: 'AIDAEXAMPLE' },
    { AWS: 'arn:aws::111122223333:root' },
    { AWS: ['*', '11112222333'] },
    { AWS: 'arn:aws:s3:::bucket' },
    { Service: '*' },
    { Service: 'logs' },
    { Federated: 'google' },
    { CanonicalUser: 'abc' },
    'alice',
  ])('the principal %j', (Principal) => {
    expect(refusalOf(policyOf({ Principal }))).toMatchObject({
      code: 'MALFORMED_POLICY',
      message: expect.stringMatching(
        /^Policy contains a statement with one or more invalid principals: Statement\[0\]\.Principal/,
      ),
    });
  });

  it.each(['group/admins', 'user/*', 'instance-profile/web'])('the ARN of an identity: %s', (name) => {
    const Principal = { AWS: [ROOT, `arn:aws:iam::111122223333:${name}`] };
    expect(refusalOf(policyOf({ Principal }))).toMatchObject({
      code: 'INVALID_ARN',
      message: 'An ARN in the specified key policy is invalid: Statement[0].Principal.AWS[1].',
    });
  });
});

describe('condition values that can be compared', () => {
  it.each([
    ['Bool', ['true', 'False', true]],
    ['NumericLessThan', [0, -1.5, '+7']],
    [
      'DateGreaterThan',
      ['2026', '2026-01', '2026-01-02', '2026-01-02T03:04:05Z', '2026-01-02T03:04+01:00', 1767323045],
    ],
    ['NotIpAddress', ['10.0.0.1', '10.0.0.0/8', '2001:db8::/32', '::1']],
    ['BinaryEquals', ['AAECAw==', '']],
    ['ArnLike', ['arn:aws:iam::*:role/*', '*']],
  ])('%s %j', (operator, values) => {
    const [condition] = only(policyOf({ Condition: { [operator]: { 'aws:key': values } } })).conditions;
    expect(condition?.values).toEqual(values.map(String));
  });
});

describe('any text', () => {
  const refusesOrReads = (text: string) => {
    try {
      parsePolicy(text);
    } catch (error) {
      if (!(error instanceof KmsError) || !['MALFORMED_POLICY', 'INVALID_ARN'].includes(error.code))
        throw error;
    }
  };

  it('is read or refused as malformed', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), refusesOrReads), { numRuns: 2000 });
  });

  it('that is almost a policy is, too', () => {
    const anything = fc.oneof(fc.jsonValue(), fc.constantFrom('*', 'Allow', 'kms:*', ROOT, {}, []));
    const statement = fc.record(
      {
        Effect: fc.oneof(fc.constant('Allow'), anything),
        Principal: fc.oneof(fc.constant('*'), fc.record({ AWS: anything }), anything),
        NotPrincipal: anything,
        Action: anything,
        Resource: anything,
        Condition: fc.oneof(
          fc.record({ Bool: anything }),
          fc.record({ Null: fc.dictionary(fc.string(), anything) }),
        ),
      },
      { requiredKeys: ['Effect'] },
    );
    const policy = fc.record({ Statement: fc.oneof(statement, fc.array(statement)) });
    fc.assert(
      fc.property(policy, (value) => refusesOrReads(JSON.stringify(value))),
      { numRuns: 2000 },
    );
  });
});

it('a document that is written down is read as it was', () => {
  const selection = <T>(item: fc.Arbitrary<T>) =>
    fc.record({ except: fc.boolean(), listed: fc.array(item, { minLength: 1 }) });
  const principal = fc.constantFrom(
    { type: 'AWS', id: '*' } as const,
    { type: 'AWS', id: ROOT } as const,
    { type: 'AWS', id: '444455556666' } as const,
    { type: 'Service', id: 'ec2.amazonaws.com' } as const,
  );
  const condition = fc.record(
    {
      operator: fc.constantFrom('StringEquals' as const, 'StringNotLike' as const, 'ArnLike' as const),
      set: fc.constantFrom('ForAllValues' as const, 'ForAnyValue' as const),
      ifExists: fc.boolean(),
      key: fc.string().map((rest) => `aws:k${rest}`),
      values: fc.array(fc.string(), { minLength: 1 }),
    },
    { requiredKeys: ['operator', 'ifExists', 'key', 'values'] },
  );
  const statement = fc.record(
    {
      sid: fc.string(),
      effect: fc.constantFrom('Allow' as const, 'Deny' as const),
      // One type, and conditions of one each: a document says nothing of their order.
      principals: selection(principal).filter(
        ({ listed }) => new Set(listed.map(({ type }) => type)).size === 1,
      ),
      actions: selection(fc.constantFrom('*', 'kms:*', 'kms:Put?*', 's3:GetObject')),
      resources: selection(fc.constantFrom('*', 'arn:aws:kms:*:*:key/*', 'arn:verenc:111122223333:key/*')),
      conditions: fc.array(condition, { maxLength: 1 }),
    },
    { requiredKeys: ['effect', 'principals', 'conditions'] },
  );
  const document: fc.Arbitrary<PolicyDocument> = fc.record(
    {
      version: fc.constantFrom('2008-10-17' as const, '2012-10-17' as const),
      id: fc.string(),
      statements: fc.array(statement, { minLength: 1 }),
    },
    { requiredKeys: ['version', 'statements'] },
  );
  fc.assert(
    fc.property(document, (written) => {
      expect(parsePolicy(formatPolicy(written))).toEqual(written);
    }),
    { numRuns: 500 },
  );
});
