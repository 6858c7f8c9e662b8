import { mentionsCondition } from '../../../src/access/mentions';
import { policiesOf } from './decisions';

const condition = (key: string, value = 'x') => ({ Condition: { StringEquals: { [key]: value } } });

describe('policies mention a condition key', () => {
  it.each<[string, Parameters<typeof policiesOf>[0], string, boolean]>([
    ['nothing', { key: [{}], identity: [{}] }, 'kms:RequestAlias', false],
    ['no policy', {}, 'kms:RequestAlias', false],
    ['in the key policy', { key: [{}, condition('kms:RequestAlias')] }, 'kms:RequestAlias', true],
    ['in an identity policy', { identity: [condition('kms:RequestAlias')] }, 'kms:RequestAlias', true],
    ['in other letters', { identity: [condition('KMS:requestalias')] }, 'kms:RequestAlias', true],
    ['a longer key', { identity: [condition('kms:RequestAliases')] }, 'kms:RequestAlias', false],
    ['by its beginning', { identity: [condition('aws:ResourceTag/team')] }, 'aws:ResourceTag/', true],
    ['another beginning', { identity: [condition('aws:RequestTag/team')] }, 'aws:ResourceTag/', false],
    ['beside a prefix', { identity: [condition('aws:ResourceTag/team')] }, 'aws:ResourceTag', false],
    [
      'a variable in a value',
      { identity: [condition('a:b', `\${ aws:ResourceTag/x, 'y'}`)] },
      'aws:ResourceTag/',
      true,
    ],
    [
      'a variable in a resource',
      { identity: [{ Resource: `arn:aws:kms:*:*:alias/\${aws:ResourceTag/x}` }] },
      'aws:resourcetag/x',
      true,
    ],
    [
      'a variable of something else',
      { identity: [condition('a:b', `\${aws:username}`)] },
      'aws:ResourceTag/',
      false,
    ],
    [
      'no variable in the older version',
      { identity: [condition('a:b', `\${kms:x}`)], version: '2008-10-17' },
      'kms:x',
      false,
    ],
  ])('%s', (_what, policies, key, mentioned) => {
    expect(mentionsCondition(policiesOf(policies), key)).toBe(mentioned);
  });
});
