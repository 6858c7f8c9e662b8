import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeUpPassword, readPassword } from '../../../src/cli/client-key-password';
import { StartError } from '../../../src/errors';

const directory = mkdtempSync(join(tmpdir(), 'p11kms-password-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'password');

const put = (text: string | Buffer, mode = 0o600) => {
  writeFileSync(file, text);
  chmodSync(file, mode);
};

function refusal(): string {
  try {
    readPassword(file);
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
  throw new Error('the password was taken');
}

it.each([
  ['12345678', '12345678'],
  ['spaces within  count\n', 'spaces within  count'],
  ['one newline\r\n', 'one newline'],
  ['x'.repeat(1_000), 'x'.repeat(1_000)],
])('%j is a password', (text, password) => {
  put(text, 0o400);
  expect(readPassword(file)).toBe(password);
});

it.each<[string, string | Buffer, RegExp]>([
  ['an empty file', '', / is empty$/],
  ['nothing but a newline', '\n', / is empty$/],
  ['too few characters', 'secret7\n', /^the password in \S+ is shorter than 8 characters$/],
  ['two newlines', 'secret89\n\n', /^the password in \S+ has a line break in it: /],
  ['two lines', 'secret89\r\nand more', / has a line break in it: /],
  ['eight spaces', ' '.repeat(8), / begins or ends with white space$/],
  ['a space before it', ' secret89\n', / begins or ends with white space$/],
  ['a space after it', 'secret89 \n', / begins or ends with white space$/],
  ['other letters', 'geheimnißvoll', /not printable ASCII, on which the SDKs do not agree$/],
  ['what is no text', Buffer.from([0xff, ...Array(9).fill(0x41)]), / is not UTF-8 text$/],
  ['far too much', 'x'.repeat(2_000), / is longer than 1024 bytes$/],
])('%s is none, and is not repeated', (_what, text, message) => {
  put(text);
  expect(refusal()).toMatch(message);
  expect(refusal()).not.toContain('secret');
});

it('a file without a name is none', () => {
  expect(() => readPassword('')).toThrow(new StartError('--password-file names no file'));
});

it.each([0o640, 0o604, 0o444])('a file of mode %o is not taken: others know what is in it', (mode) => {
  put('a good password', mode);
  expect(refusal()).toMatch(/can be read by its group or by others: chmod 600 it$/);
});

it('one that is made up is long, and never the same', () => {
  const passwords = Array.from({ length: 100 }, makeUpPassword);
  for (const password of passwords) expect(password).toMatch(/^[\w-]{32}$/);
  expect(new Set(passwords).size).toBe(100);
});
