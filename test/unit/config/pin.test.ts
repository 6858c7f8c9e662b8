import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { PinValue, pinWarning, readPin } from '../../../src/config/pin';
import { dir, faultsOf, file, folder, unprivileged } from './fixture';

const inFile = (path: string) => ({ kind: 'file', path }) as const;

describe('readPin', () => {
  it.each([
    ['as it is', '1234', '1234'],
    ['less one line feed', '1234\n', '1234'],
    ['less one carriage return and line feed', '1234\r\n', '1234'],
    ['less one newline of two', '1234\n\n', '1234\n'],
    ['with a carriage return of its own', '1234\r', '1234\r'],
    ['with its spaces', ' 12 34 \n', ' 12 34 '],
    ['beyond ASCII', 'pässwörd🔑\n', 'pässwörd🔑'],
  ])('takes the PIN from a file %s', (_how, content, pin) => {
    expect(readPin(inFile(file(content))).toString('utf8')).toBe(pin);
  });

  it.each([
    ['an empty file', () => file(''), 'is empty'],
    ['a file with only a newline', () => file('\n'), 'is empty'],
    ['a file with only a Windows newline', () => file('\r\n'), 'is empty'],
    ['bytes that are no UTF-8', () => file(Buffer.from([0x31, 0xff, 0x32])), 'is not UTF-8 text'],
    ['UTF-16', () => file(Buffer.from('secret', 'utf16le')), 'is not UTF-8 text'],
    ['a file that is no PIN', () => file('secret'.repeat(1000)), 'is longer than 1024 bytes'],
    ['a missing file', () => join(dir, 'secret-missing'), 'does not exist'],
    ['a path through a file', () => join(file('secret'), 'x'), 'does not exist'],
    ['a directory', () => folder(), 'is not a regular file'],
    ['an impossible path', () => 'secret\0', 'cannot be read (ERR_INVALID_ARG_VALUE)'],
  ])('refuses %s, and names the setting only', (_what, make, fault) => {
    const path = make();
    expect(faultsOf(() => readPin(inFile(path)))).toEqual([`the file of P11KMS_PIN_FILE ${fault}`]);
  });

  it('refuses a file of somebody else', () => {
    const path = file('secret', 0o000);
    expect(faultsOf(() => unprivileged(() => readPin(inFile(path))))).toEqual([
      'the file of P11KMS_PIN_FILE may not be read by this user',
    ]);
  });

  it('refuses a named pipe at once, though nobody writes to it', () => {
    const path = join(dir, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(faultsOf(() => readPin(inFile(path)))).toEqual([
      'the file of P11KMS_PIN_FILE is not a regular file',
    ]);
  });

  it('gives each caller a copy to zero', () => {
    const source = new PinValue('1234');
    readPin(source).fill(0);
    expect(readPin(source).toString()).toBe('1234');
  });
});

describe('pinWarning', () => {
  it.each([
    [0o600, false],
    [0o400, false],
    [0o620, false],
    [0o640, true],
    [0o604, true],
    [0o644, true],
  ])('of a file with mode %o: %s', (mode, warned) => {
    const warning = pinWarning(inFile(file('12345678\n', mode)));
    expect(warning !== undefined).toBe(warned);
    expect(warning ?? '').not.toContain('12345678');
  });

  it('has nothing to say of a value', () => {
    expect(pinWarning(new PinValue('1234'))).toBeUndefined();
  });
});

describe('PinValue', () => {
  it('shows its bytes to nobody', () => {
    const source = new PinValue('correct-horse');
    const shown = [
      JSON.stringify(source),
      inspect(source, { showHidden: true, depth: Number.POSITIVE_INFINITY }),
      `${source}`,
      inspect(structuredClone({ ...source })),
    ].join('\n');
    for (const form of ['utf8', 'hex', 'base64'] as const) {
      expect(shown).not.toContain(Buffer.from('correct-horse').toString(form));
    }
    expect(shown).not.toContain(String([...Buffer.from('correct')].slice(0, 3)));
    expect(Object.getOwnPropertyNames(source)).toEqual(['kind']);
  });
});
