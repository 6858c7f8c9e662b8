import { table } from '../../../src/cli/table';

describe('table', () => {
  it('makes each column as wide as its widest cell, two spaces apart, indented by two', () => {
    expect(
      table([
        ['NAME', 'STATE', 'NOTE'],
        ['a long name', 'found', ''],
        ['b', 'missing', 'a note'],
      ]),
    ).toBe(
      [
        '  NAME         STATE    NOTE', //
        '  a long name  found',
        '  b            missing  a note',
      ].join('\n'),
    );
  });

  it('leaves no blanks at the end of a line, and takes rows of different lengths', () => {
    expect(table([['a'], ['bb', 'c'], []])).toBe('  a\n  bb  c\n');
  });

  it('is indented as it is told', () => {
    expect(table([['a', 'b']], '    ')).toBe('    a  b');
    expect(table([['a', 'b']], '')).toBe('a  b');
  });

  it('is nothing where there is nothing', () => {
    expect(table([])).toBe('');
  });
});
