/** Rows in columns that a person can read: each as wide as its widest cell, two spaces between them. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => `${indent}${line(row)}`.trimEnd()).join('\n');
}

/** A time in a cell: UTC, in whole seconds. */
export const dateOf = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');
