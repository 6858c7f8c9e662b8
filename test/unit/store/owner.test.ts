import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../../../src/errors';
import { assertOwner } from '../../../src/store/owner';
import { fileIn, newDirectory } from './fixture';

const SOMEBODY = 65_534;

it('root is kept from working for a store that is not its own; whoever is not root may try', () => {
  const dataDir = newDirectory();
  writeFileSync(fileIn(dataDir), '');
  expect(() => assertOwner(dataDir)).not.toThrow();
  expect(() => assertOwner(join(dataDir, 'not-there'))).not.toThrow();
  if (process.geteuid?.() !== 0) return;
  chownSync(fileIn(dataDir), SOMEBODY, SOMEBODY);
  expect(() => assertOwner(dataDir)).toThrow(StartError);
  expect(() => assertOwner(dataDir)).toThrow(/belongs to the user 65534/);
  process.seteuid?.(SOMEBODY);
  try {
    expect(() => assertOwner(dataDir)).not.toThrow();
  } finally {
    process.seteuid?.(0);
  }
});
