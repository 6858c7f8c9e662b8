import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conditionValues } from '../../../src/access/access-request';
import { evaluate } from '../../../src/access/evaluate';
import { parseIdentityPolicy, parsePolicy } from '../../../src/access/parse-policy';
import { alice, BOB, bob, requestOf, root } from './decisions';

const page = readFileSync(join(__dirname, '../../../docs/access.md'), 'utf8');
const example = page.slice(page.indexOf('## An example'));
const [keyPolicy = '', alicesPolicy = ''] = [...example.matchAll(/```json\n(.*?)```/gs)].map(
  ([, json]) => json,
);
const rows = example
  .split('\n')
  .filter((line) => /^\| (alice|bob|root) /.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

const pairsOf = (text: string) =>
  new Map(
    text
      .split(', ')
      .filter(Boolean)
      .map((pair): [string, string] => [pair.split('=')[0] ?? '', pair.split('=')[1] ?? '']),
  );

describe('the example of docs/access.md', () => {
  it('has a table', () => expect(rows.length).toBeGreaterThan(10));

  it.each(rows)('%s%s %s %s %s %s: %s', (_edge, who, action, context = '', from = '', tls = '', outcome) => {
    const encryptionContext = pairsOf(context);
    const conditions = conditionValues([
      ['aws:SourceIp', from],
      ['aws:SecureTransport', tls],
      ...[...encryptionContext].map(([name, value]): [string, string] => [
        `kms:EncryptionContext:${name}`,
        value,
      ]),
    ]);
    const caller = { alice, bob, root }[who ?? ''] ?? root;
    const decision = evaluate(
      { ...requestOf({ caller, action: action ?? '' }), conditions, encryptionContext },
      {
        key: parsePolicy(keyPolicy),
        identity: caller === alice ? [parseIdentityPolicy(alicesPolicy)] : [],
        grants: [
          {
            granteePrincipal: BOB,
            operations: ['Decrypt'],
            constraints: { kind: 'equals', pairs: new Map([['team', 'payments']]) },
          },
        ],
      },
    );
    expect(decision.allowed ? 'allowed' : decision.reason).toBe(outcome);
  });
});
