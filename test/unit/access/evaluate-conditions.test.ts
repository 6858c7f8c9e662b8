import { ALICE, type Outcome, outcomeOf, type ShortRequest } from './decisions';
import { ACCOUNT, KEY_ARN } from './policies';

type Values = NonNullable<ShortRequest['conditions']>;
type Row = [what: string, condition: object, values: Values, holds: boolean];

/** Whether a statement with such a condition has an effect. */
const holdsIn = (Effect: 'Allow' | 'Deny', Condition: object, conditions: Values): boolean => {
  const everybody = { Principal: '*' };
  const key = [...(Effect === 'Deny' ? [everybody] : []), { ...everybody, Effect, Condition }];
  const effective: Outcome = Effect === 'Allow' ? 'allowed' : 'explicit-deny-resource';
  return outcomeOf({ key }, { conditions }) === effective;
};

/** A test for each row: what holds in an Allow does in a Deny. */
const conditions = (title: string, rows: Row[]): void =>
  describe(title, () => {
    it.each(rows)('%s', (_what, condition, values, holds) => {
      expect(holdsIn('Allow', condition, values)).toBe(holds);
      expect(holdsIn('Deny', condition, values)).toBe(holds);
    });
  });

const tag = (value: string | string[]) => ({ 'aws:RequestTag/a': value });
const on = (operator: string, value: unknown) => ({ [operator]: { 'aws:RequestTag/a': value } });

conditions('strings', [
  ['StringEquals, equal', on('StringEquals', 'x'), tag('x'), true],
  ['StringEquals, in other letters', on('StringEquals', 'x'), tag('X'), false],
  ['StringEquals, one of several', on('StringEquals', ['y', 'x']), tag('x'), true],
  ['StringEquals takes * as it is', on('StringEquals', 'x*'), tag('xyz'), false],
  ['StringEquals, a missing key', on('StringEquals', 'x'), {}, false],
  ['StringEquals, an empty value', on('StringEquals', ''), tag(''), true],
  ['StringNotEquals, equal', on('StringNotEquals', 'x'), tag('x'), false],
  ['StringNotEquals, another', on('StringNotEquals', 'x'), tag('y'), true],
  ['StringNotEquals, equal to one of several', on('StringNotEquals', ['x', 'y']), tag('x'), false],
  ['StringNotEquals, a missing key', on('StringNotEquals', 'x'), {}, true],
  ['StringEqualsIgnoreCase', on('StringEqualsIgnoreCase', 'aBc'), tag('AbC'), true],
  ['StringEqualsIgnoreCase, another', on('StringEqualsIgnoreCase', 'abc'), tag('abd'), false],
  ['StringNotEqualsIgnoreCase', on('StringNotEqualsIgnoreCase', 'aBc'), tag('AbC'), false],
  ['StringNotEqualsIgnoreCase, another', on('StringNotEqualsIgnoreCase', 'abc'), tag('abd'), true],
  ['StringLike, *', on('StringLike', 'a*d'), tag('abcd'), true],
  ['StringLike, ?', on('StringLike', 'a?d'), tag('abcd'), false],
  ['StringLike, in other letters', on('StringLike', 'a*'), tag('Abc'), false],
  ['StringLike * needs the key', on('StringLike', '*'), {}, false],
  ['StringNotLike', on('StringNotLike', 'a*'), tag('abc'), false],
  ['StringNotLike, another', on('StringNotLike', 'a*'), tag('bc'), true],
  ['the name of the key in other letters', { StringEquals: { 'AWS:requesttag/A': 'x' } }, tag('x'), true],
  ['all operators must hold', { StringLike: { 'a:b': '*' }, ...on('StringEquals', 'x') }, tag('x'), false],
  ['all keys must hold', { StringEquals: { 'a:b': '1', 'a:c': '1' } }, { 'a:b': '1', 'a:c': '2' }, false],
]);

conditions('numbers', [
  ['NumericEquals', on('NumericEquals', '10'), tag('10.0'), true],
  ['NumericEquals, a number in the policy', on('NumericEquals', 10), tag('+10'), true],
  ['NumericEquals, another', on('NumericEquals', '10'), tag('11'), false],
  ['NumericNotEquals', on('NumericNotEquals', '10'), tag('11'), true],
  ['NumericNotEquals, equal', on('NumericNotEquals', '10'), tag('010'), false],
  ['NumericLessThan, not as text', on('NumericLessThan', '10'), tag('9'), true],
  ['NumericLessThan, equal', on('NumericLessThan', '10'), tag('10'), false],
  ['NumericLessThanEquals, equal', on('NumericLessThanEquals', '10'), tag('10'), true],
  ['NumericLessThanEquals, more', on('NumericLessThanEquals', '10'), tag('10.5'), false],
  ['NumericGreaterThan', on('NumericGreaterThan', '-2'), tag('-1'), true],
  ['NumericGreaterThan, equal', on('NumericGreaterThan', '1'), tag('1'), false],
  ['NumericGreaterThanEquals, equal', on('NumericGreaterThanEquals', '1'), tag('1'), true],
  ['NumericGreaterThanEquals, less', on('NumericGreaterThanEquals', '1'), tag('0'), false],
]);

const now = (time: string) => ({ 'aws:CurrentTime': time });
const at = (operator: string, time: string) => ({ [operator]: { 'aws:CurrentTime': time } });

conditions('dates', [
  [
    'DateEquals, by another zone',
    at('DateEquals', '2024-05-01T12:00:00+02:00'),
    now('2024-05-01T10:00:00Z'),
    true,
  ],
  ['DateEquals, another', at('DateEquals', '2024-05-01T12:00:00Z'), now('2024-05-01T10:00:00Z'), false],
  ['DateEquals, seconds since 1970', at('DateEquals', '1714557600'), now('2024-05-01T10:00:00.000Z'), true],
  ['DateNotEquals', at('DateNotEquals', '2024-05-01'), now('2024-05-01T00:00:00Z'), false],
  ['DateNotEquals, another', at('DateNotEquals', '2024-05-01'), now('2024-05-01T00:00:01Z'), true],
  ['DateLessThan, a day', at('DateLessThan', '2024-05-01'), now('2024-04-30T23:59:59.999Z'), true],
  ['DateLessThan, equal', at('DateLessThan', '2024-05'), now('2024-05-01T00:00:00Z'), false],
  ['DateLessThanEquals, equal', at('DateLessThanEquals', '2024-05'), now('2024-05-01T00:00:00Z'), true],
  ['DateGreaterThan', at('DateGreaterThan', '2024-05-01T10:00Z'), now('1714557601'), true],
  ['DateGreaterThan, equal', at('DateGreaterThan', '2024-05-01T10:00Z'), now('1714557600'), false],
  ['DateGreaterThanEquals, equal', at('DateGreaterThanEquals', '2024-05-01T10:00Z'), now('1714557600'), true],
  [
    'DateGreaterThanEquals, before',
    at('DateGreaterThanEquals', '2024-05-01T10:00Z'),
    now('1714557599'),
    false,
  ],
]);

const tls = (value: string) => ({ 'aws:SecureTransport': value });
const bytes = Buffer.from('Bytes').toString('base64');

conditions('truth, bytes and existence', [
  ['Bool', { Bool: { 'aws:SecureTransport': 'true' } }, tls('true'), true],
  ['Bool, a boolean in the policy', { Bool: { 'aws:SecureTransport': true } }, tls('true'), true],
  ['Bool, in other letters', { Bool: { 'aws:SecureTransport': 'True' } }, tls('true'), true],
  ['Bool, the other', { Bool: { 'aws:SecureTransport': 'false' } }, tls('true'), false],
  ['Bool, a missing key', { Bool: { 'aws:MultiFactorAuthPresent': 'false' } }, {}, false],
  ['BinaryEquals', on('BinaryEquals', bytes), tag(bytes), true],
  [
    'BinaryEquals, other bytes',
    on('BinaryEquals', bytes),
    tag(Buffer.from('bytes').toString('base64')),
    false,
  ],
  ['Null true, a missing key', on('Null', 'true'), {}, true],
  ['Null true, a key', on('Null', 'true'), tag('x'), false],
  ['Null false, a missing key', on('Null', false), {}, false],
  ['Null false, a key', on('Null', 'False'), tag(''), true],
  ['Null false, a key without values', on('Null', 'false'), tag([]), false],
  ['Null of both', on('Null', ['true', 'false']), tag('x'), true],
]);

const from = (address: string) => ({ 'aws:SourceIp': address });
const ip = (range: unknown, operator = 'IpAddress') => ({ [operator]: { 'aws:SourceIp': range } });

conditions('addresses', [
  ['an address', ip('10.1.2.3'), from('10.1.2.3'), true],
  ['another address', ip('10.1.2.3'), from('10.1.2.4'), false],
  ['a range', ip('10.1.0.0/16'), from('10.1.255.3'), true],
  ['a range that is written with more', ip('10.1.2.3/16'), from('10.1.255.3'), true],
  ['beyond a range', ip('10.1.0.0/16'), from('10.2.0.0'), false],
  ['a range that ends within a byte', ip('10.1.4.0/22'), from('10.1.7.255'), true],
  ['beyond such a range', ip('10.1.4.0/22'), from('10.1.8.0'), false],
  ['one of several ranges', ip(['192.168.0.0/16', '10.0.0.0/8']), from('10.1.2.3'), true],
  ['every IPv4 address', ip('0.0.0.0/0'), from('203.0.113.9'), true],
  ['every IPv4 address is no IPv6 address', ip('0.0.0.0/0'), from('2001:db8::1'), false],
  ['every IPv6 address is no IPv4 address', ip('::/0'), from('203.0.113.9'), false],
  ['IPv6 in other words', ip('2001:DB8:0:0::1'), from('2001:db8::1'), true],
  ['a range of IPv6', ip('2001:db8:1234:5678::/64'), from('2001:db8:1234:5678:9::1'), true],
  ['beyond a range of IPv6', ip('2001:db8:1234:5678::/64'), from('2001:db8:1234:5679::1'), false],
  ['IPv4 in the clothes of IPv6', ip('10.0.0.0/8'), from('::ffff:10.1.2.3'), true],
  ['the same, in digits', ip('10.0.0.0/8'), from('::ffff:a01:203'), true],
  ['a range in the clothes of IPv6', ip('::ffff:10.0.0.0/104'), from('10.1.2.3'), true],
  ['a zone does not matter', ip('fe80::/10'), from('fe80::1%eth0'), true],
  ['NotIpAddress, within', ip('10.0.0.0/8', 'NotIpAddress'), from('10.1.2.3'), false],
  ['NotIpAddress, beyond', ip('10.0.0.0/8', 'NotIpAddress'), from('11.1.2.3'), true],
  ['NotIpAddress, a missing key', ip('10.0.0.0/8', 'NotIpAddress'), {}, true],
]);

const arn = (operator: string, value: string) => ({ [operator]: { 'aws:SourceArn': value } });
const source = { 'aws:SourceArn': KEY_ARN };

conditions('ARNs', [
  ['ArnEquals', arn('ArnEquals', KEY_ARN), source, true],
  ['ArnEquals has wildcards', arn('ArnEquals', `arn:aws:kms:*:${ACCOUNT}:key/*`), source, true],
  ['ArnLike', arn('ArnLike', 'arn:*:kms:us-????-1:*:key/1234*'), source, true],
  ['ArnLike, in other letters', arn('ArnLike', KEY_ARN.toUpperCase()), source, false],
  ['ArnLike, a wildcard ends at a colon', arn('ArnLike', 'arn:aws:*:key/1234*'), source, false],
  ['ArnLike, * is no ARN', arn('ArnLike', '*'), source, false],
  ['ArnLike, what is no ARN', arn('ArnLike', '*'), { 'aws:SourceArn': 'x' }, false],
  [
    'ArnLike, the last part has colons',
    arn('ArnLike', 'arn:aws:logs:*:*:log:*'),
    { 'aws:SourceArn': 'arn:aws:logs:r:1:log:a:b' },
    true,
  ],
  [
    'ArnLike, fewer parts',
    arn('ArnLike', 'arn:verenc:*:key/*'),
    { 'aws:SourceArn': 'arn:verenc:1:key/2' },
    true,
  ],
  ['ArnLike, more parts than the pattern', arn('ArnLike', 'arn:aws:kms'), source, false],
  [
    'ArnLike, fewer parts than the pattern',
    arn('ArnLike', `${KEY_ARN}*`),
    { 'aws:SourceArn': 'arn:aws:kms' },
    false,
  ],
  ['ArnNotEquals', arn('ArnNotEquals', KEY_ARN), source, false],
  ['ArnNotLike', arn('ArnNotLike', 'arn:aws:s3:*:*:*'), source, true],
  ['ArnNotLike, a missing key', arn('ArnNotLike', 'arn:aws:s3:*:*:*'), {}, true],
]);

conditions('IfExists', [
  ['a missing key', on('StringEqualsIfExists', 'x'), {}, true],
  ['a key that matches', on('StringEqualsIfExists', 'x'), tag('x'), true],
  ['a key that does not', on('StringEqualsIfExists', 'x'), tag('y'), false],
  ['a missing key, negated', on('StringNotEqualsIfExists', 'x'), {}, true],
  ['a key that matches, negated', on('StringNotEqualsIfExists', 'x'), tag('x'), false],
  ['of Bool', { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'true' } }, {}, true],
  ['of a number', on('NumericLessThanIfExists', '5'), tag('6'), false],
]);

conditions('sets', [
  ['ForAllValues, all match', on('ForAllValues:StringEquals', ['x', 'y', 'z']), tag(['x', 'y']), true],
  ['ForAllValues, one does not', on('ForAllValues:StringEquals', ['x', 'y']), tag(['x', 'w']), false],
  ['ForAllValues, a missing key', on('ForAllValues:StringEquals', 'x'), {}, true],
  ['ForAllValues, no values', on('ForAllValues:StringEquals', 'x'), tag([]), true],
  ['ForAllValues, negated', on('ForAllValues:StringNotLike', 'x*'), tag(['y', 'z']), true],
  ['ForAllValues, negated, one matches', on('ForAllValues:StringNotLike', 'x*'), tag(['y', 'xz']), false],
  ['ForAnyValue, one matches', on('ForAnyValue:StringLike', ['x*', 'w']), tag(['y', 'xz']), true],
  ['ForAnyValue, none does', on('ForAnyValue:StringEquals', 'x'), tag(['y', 'z']), false],
  ['ForAnyValue, a missing key', on('ForAnyValue:StringEquals', 'x'), {}, false],
  ['ForAnyValue, negated, one does not match', on('ForAnyValue:StringNotEquals', 'x'), tag(['x', 'y']), true],
  ['ForAnyValue, negated, all match', on('ForAnyValue:StringNotEquals', 'x'), tag(['x']), false],
  ['ForAnyValue, negated, a missing key', on('ForAnyValue:StringNotEquals', 'x'), {}, false],
  ['ForAnyValue, IfExists, a missing key', on('ForAnyValue:StringEqualsIfExists', 'x'), {}, false],
  [
    'ForAnyValue of ranges',
    { 'ForAnyValue:IpAddress': { 'a:b': '10.0.0.0/8' } },
    { 'a:b': ['::1', '10.0.0.1'] },
    true,
  ],
]);

conditions('what the caller says of itself', [
  ['aws:PrincipalArn', { ArnEquals: { 'aws:PrincipalArn': ALICE } }, {}, true],
  ['kms:CallerAccount', { StringEquals: { 'kms:CallerAccount': ACCOUNT } }, {}, true],
  ['aws:PrincipalAccount', { StringEquals: { 'aws:PrincipalAccount': '444455556666' } }, {}, false],
  ['aws:PrincipalType', { StringEquals: { 'aws:PrincipalType': 'User' } }, {}, true],
  ['aws:username', { StringEquals: { 'aws:username': 'alice' } }, {}, true],
  ['aws:userid is not known', { Null: { 'aws:userid': 'true' } }, {}, true],
  ['aws:ViaAWSService', { Bool: { 'aws:ViaAWSService': 'false' } }, {}, true],
  ['nobody else says it', { StringEquals: { 'aws:username': 'bob' } }, { 'aws:username': 'bob' }, false],
]);

describe('what is in doubt goes against the caller: it does not allow, and it denies', () => {
  it.each<[string, object, Values]>([
    ['what is no number', on('NumericLessThan', '5'), tag('many')],
    ['what is no number, negated', on('NumericNotEquals', '5'), tag('1e3')],
    ['what is no date', at('DateLessThan', '2024-05-01'), now('tomorrow')],
    ['a day that is not', at('DateNotEquals', '2024-05-01'), now('2024-13-01')],
    ['what is neither true nor false', { Bool: { 'aws:SecureTransport': 'true' } }, tls('yes')],
    ['what is no base64', on('BinaryEquals', bytes), tag('%')],
    ['what is no address', ip('10.0.0.0/8'), from('10.1.2')],
    ['what is no address, negated', ip('10.0.0.0/8', 'NotIpAddress'), from('')],
    ['one of two values matches', on('StringEquals', 'x'), tag(['x', 'y'])],
    ['one of two values matches, negated', on('StringNotEquals', 'x'), tag(['x', 'y'])],
    ['one in a set is no number', on('ForAllValues:NumericLessThan', '5'), tag(['1', 'one'])],
  ])('%s', (_what, condition, values) => {
    expect(holdsIn('Allow', condition, values)).toBe(false);
    expect(holdsIn('Deny', condition, values)).toBe(true);
  });
});
