import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as sdk from '@aws-sdk/client-kms';
import { SUPPORTED, supportTable } from '../../../../src/api/trent/operations';
import { UNSUPPORTED } from '../../../../src/api/trent/operations/unsupported';
import { bodyOf, call, expectError, ROOT_ARN } from '../support';

/** A structure's name and its members with their schemas, as the SDK has them: [3, namespace, name, traits, names, …]. */
type Structure = readonly [number, string, string, unknown, readonly string[], readonly unknown[]];

const commands = Object.keys(sdk)
  .filter((name) => /^[A-Z]\w*Command$/.test(name))
  .map((name) => name.slice(0, -'Command'.length));
const supported = SUPPORTED.map(({ name }) => name);

describe('the operations', () => {
  it('are those of the SDK, each either supported or not', () => {
    expect(commands.length).toBeGreaterThan(50);
    expect([...supported, ...UNSUPPORTED.keys()].sort()).toEqual([...commands].sort());
  });

  it('are in the README as they are in the code', () => {
    const readme = readFileSync(join(__dirname, '../../../../README.md'), 'utf8');
    const marked = readme.split('<!-- operations -->')[1]?.split('<!-- /operations -->')[0];
    expect(marked?.trim()).toBe(supportTable());
  });

  it('each have a row of three cells, and a reason where they are not supported', () => {
    const rows = supportTable().split('\n').slice(2);
    const cells = rows.map((row) => /^\| (\w+) \| (yes|no) \| ([^|]*) \|$/.exec(row)?.slice(1) ?? [row]);
    expect(cells.filter(([, yes]) => yes === 'yes').map(([name]) => name)).toEqual([...supported].sort());
    expect(cells.filter(([, , note]) => note !== '')).toEqual(
      expect.arrayContaining([...UNSUPPORTED.keys()].map((name) => [name, 'no', expect.any(String)])),
    );
  });
});

describe('an operation that is not supported', () => {
  it.each([...UNSUPPORTED])('%s says why, and has its name in the log', async (name, why) => {
    // Of no use to anybody, and no fault of the client's: nothing else is looked at.
    const answer = await call(name, { KeyId: 5 });
    expectError(answer, 'UnsupportedOperationException', `${name} is not supported: ${why}.`);
    expect(answer.record).toEqual({
      operation: name,
      outcome: 'UnsupportedOperationException',
      principal: ROOT_ARN,
      tokenMs: 0,
    });
  });
});

describe('every member that the SDK may send is looked at', () => {
  const requests = Object.values(sdk as Record<string, unknown>).filter(
    (schema): schema is Structure => Array.isArray(schema) && schema[0] === 3,
  );
  const rows = requests.flatMap(([, , structure, , members, types]) => {
    const operation = structure.replace(/Request$/, '');
    if (structure === operation || !supported.includes(operation)) return [];
    return members.map((member, index) => [operation, member, types[index]] as const);
  });

  it('in every operation', () => {
    expect(new Set(rows.map(([operation]) => operation))).toEqual(new Set(supported));
  });

  it.each(rows)('%s: %s', async (operation, member, type) => {
    // A boolean (2 in the SDK) is nothing that another member could be.
    const answer = await call(operation, { [member]: type === 2 ? 'x' : true });
    expect(bodyOf(answer)).toMatchObject({ __type: 'SerializationException' });
  });
});
