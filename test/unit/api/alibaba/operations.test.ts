import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPERATIONS, supportTable, UNSUPPORTED } from '../../../../src/api/alibaba/operations';
import { MESSAGE_NAMES } from '../../../support/alibaba-messages';

describe('the operations', () => {
  it('are all for which clients have messages, each either supported or not', () => {
    const requests = MESSAGE_NAMES.filter((name) => name.endsWith('Request'));
    const known = new Set([...OPERATIONS.keys(), ...UNSUPPORTED.keys()]);
    expect(
      requests.map((name) => name.slice(0, -'Request'.length)).filter((name) => !known.has(name)),
    ).toEqual([]);
    expect(OPERATIONS.size).toBe(11);
  });

  it('are supported or not, never both', () => {
    expect([...OPERATIONS.keys()].filter((name) => UNSUPPORTED.has(name))).toEqual([]);
  });

  it('are in the README as they are in the code', () => {
    const readme = readFileSync(join(__dirname, '../../../../README.md'), 'utf8');
    const marked = readme.split('<!-- alibaba-operations -->')[1]?.split('<!-- /alibaba-operations -->')[0];
    expect(marked?.trim()).toBe(supportTable());
  });

  it('each have a row of three cells', () => {
    const rows = supportTable().split('\n').slice(2);
    for (const row of rows) expect(row).toMatch(/^\| \w+ \| (yes|no) \| [^|]+ \|$/);
    expect(rows).toHaveLength(OPERATIONS.size + UNSUPPORTED.size);
  });
});
