interface Supported {
  readonly name: string;
  readonly note?: string;
}

/**
 * Every operation of a protocol as a Markdown table, for the README.
 *
 * @param unsupported names, and why
 */
export function markdownTable(
  supported: Iterable<Supported>,
  unsupported: Iterable<readonly [name: string, why: string]>,
): string {
  const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;
  const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  return [
    row('Operation', 'Supported', 'Notes'),
    row('---', '---', '---'),
    ...Array.from(supported, ({ name, note = '' }) => row(name, 'yes', note)).sort(),
    ...Array.from(unsupported, ([name, why]) => row(name, 'no', capital(why))).sort(),
  ].join('\n');
}
