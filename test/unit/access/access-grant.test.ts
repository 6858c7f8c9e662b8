import { grantAllows, grantCovers, type NewGrant } from '../../../src/access/access-grant';
import { ALICE, outcomeOf } from './decisions';

type Pairs = Record<string, string>;

const pairs = (of: Pairs) => new Map(Object.entries(of));
const equals = (of: Pairs) => ({ kind: 'equals' as const, pairs: pairs(of) });
const subset = (of: Pairs) => ({ kind: 'subset' as const, pairs: pairs(of) });
const operations = ['Encrypt', 'Sign', 'DescribeKey', 'CreateGrant', 'RetireGrant'];
const plain: NewGrant = { operations };

describe('a grant under a constraint', () => {
  it.each<[string, NewGrant['constraints'] & object, Pairs | undefined, boolean]>([
    ['equals, the same', equals({ a: '1', b: '2' }), { b: '2', a: '1' }, true],
    ['equals, one more', equals({ a: '1' }), { a: '1', b: '2' }, false],
    ['equals, one less', equals({ a: '1', b: '2' }), { a: '1' }, false],
    ['equals, one in the place of another', equals({ a: '1', b: '2' }), { a: '1', c: '2' }, false],
    ['equals, no context', equals({ a: '1' }), undefined, false],
    ['equals nothing, no context', equals({}), undefined, true],
    ['equals nothing, a context', equals({}), { a: '1' }, false],
    ['subset, the same', subset({ a: '1' }), { a: '1' }, true],
    ['subset, one more', subset({ a: '1' }), { a: '1', b: '2' }, true],
    ['subset, another value', subset({ a: '1' }), { a: '2' }, false],
    ['subset, one less', subset({ a: '1', b: '2' }), { b: '2' }, false],
    ['subset, a value in other letters', subset({ a: 'x' }), { a: 'X' }, false],
    ['subset, a key in other letters', subset({ a: 'x' }), { A: 'x' }, false],
    ['subset of nothing', subset({}), undefined, true],
    ['subset, an empty value is not a missing one', subset({ a: '' }), {}, false],
  ])('%s', (_what, constraints, context, allows) => {
    const encryptionContext = context && { encryptionContext: pairs(context) };
    expect(grantAllows({ operations, constraints }, { action: 'kms:Encrypt', ...encryptionContext })).toBe(
      allows,
    );
  });

  it.each(['CreateGrant', 'DescribeKey', 'RetireGrant'])('allows %s, which has no context', (operation) => {
    const grant = { operations, constraints: equals({ a: '1' }) };
    expect(grantAllows(grant, { action: `kms:${operation}` })).toBe(true);
  });

  it('does not allow what cannot meet it', () => {
    expect(grantAllows({ operations, constraints: subset({ a: '1' }) }, { action: 'kms:Sign' })).toBe(false);
  });
});

describe('a grant by a grant', () => {
  it.each<[string, NewGrant, NewGrant, boolean]>([
    ['the same', plain, plain, true],
    ['fewer operations', plain, { operations: ['Encrypt'] }, true],
    ['another operation', plain, { operations: ['Encrypt', 'Decrypt'] }, false],
    ['CreateGrant again', plain, { operations: ['CreateGrant'] }, true],
    ['of one that may not create grants', { operations: ['Encrypt'] }, { operations: ['Encrypt'] }, false],
    ['a constraint where there was none', plain, { operations, constraints: subset({ a: '1' }) }, true],
    ['no constraint where there was one', { operations, constraints: subset({ a: '1' }) }, plain, false],
    ...(
      [
        ['subset, the same', subset({ a: '1' }), subset({ a: '1' }), true],
        ['subset, a pair more', subset({ a: '1' }), subset({ b: '2', a: '1' }), true],
        ['subset, a pair less', subset({ a: '1', b: '2' }), subset({ a: '1' }), false],
        ['subset, another value', subset({ a: '1' }), subset({ a: '2' }), false],
        ['subset to equals', subset({ a: '1' }), equals({ a: '1', b: '2' }), true],
        ['subset to equals, a pair less', subset({ a: '1' }), equals({}), false],
        ['equals, the same', equals({ a: '1' }), equals({ a: '1' }), true],
        ['equals, a pair more', equals({ a: '1' }), equals({ a: '1', b: '2' }), false],
        ['equals, a pair less', equals({ a: '1', b: '2' }), equals({ a: '1' }), false],
        ['equals to subset', equals({ a: '1' }), subset({ a: '1' }), false],
      ] as const
    ).map(([what, parent, child, covers]): [string, NewGrant, NewGrant, boolean] => [
      what,
      { operations, constraints: parent },
      { operations, constraints: child },
      covers,
    ]),
  ])('%s', (_what, parent, child, covers) => {
    expect(grantCovers(parent, child)).toBe(covers);
    const grants = [{ ...parent, granteePrincipal: ALICE }];
    const request = { action: 'kms:CreateGrant', newGrant: child };
    expect(outcomeOf({ key: [{}], grants }, request)).toBe(covers ? 'allowed' : 'no-identity-allow');
  });

  it('by a policy may be any', () => {
    const request = { action: 'kms:CreateGrant', newGrant: { operations: ['Decrypt'] } };
    expect(outcomeOf({ key: [{}], identity: [{}], grants: [] }, request)).toBe('allowed');
  });
});
