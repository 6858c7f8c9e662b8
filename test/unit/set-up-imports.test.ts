import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
/** Run in a checkout that has no node_modules yet. */
const ENTRIES = ['scripts/start.mjs', 'scripts/test.mjs', 'scripts/build.mjs', 'scripts/set-up.mjs'];
/** What they import once they run, for which nothing is installed either. */
const LATER = ['scripts/set-up/start.mjs', 'scripts/set-up/test.mjs', 'scripts/set-up/build.mjs'];

/** The packages that a module and the modules that it imports need to be loaded. */
function packagesOf(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gm);
  return [...imports].flatMap(([, name = '']) => {
    if (name.startsWith('node:')) return [];
    return name.startsWith('.') ? packagesOf(resolve(dirname(file), name), seen) : [name];
  });
}

it.each([...ENTRIES, ...LATER])('%s needs no package before it has installed them', (file) => {
  expect(packagesOf(resolve(ROOT, file))).toEqual([]);
});

it('sees the packages that a module needs', () => {
  expect(packagesOf(resolve(ROOT, 'scripts/set-up/example.mjs'))).toContain('@smithy/signature-v4');
});
