import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPolicy, withFileName } from '../../../src/cli/policy-file';
import { KmsError } from '../../../src/errors';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'p11kms-policy-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(text: string | Buffer): string {
  const file = join(directory, 'policy.json');
  writeFileSync(file, text);
  return file;
}

describe('a policy in a file', () => {
  it('is read as it is', () => {
    expect(readPolicy(fileOf('{ "ü":\t1 }\n'))).toBe('{ "ü":\t1 }\n');
  });

  it('may begin with a byte order mark, as some editors have it', () => {
    expect(readPolicy(fileOf('\ufeff{}'))).toBe('{}');
  });

  it.each<[string, string | Buffer, RegExp]>([
    [
      'is not JSON, with the place',
      '{\n  "Version": "2012-10-17"\n  "Statement": []\n}',
      /policy\.json is not JSON: .*line 3, column 3$/,
    ],
    ['is not JSON, with what is around it', '{"Statement": [}', /policy\.json is not JSON: .*'}'/],
    ['ends too soon', '{', /policy\.json is not JSON: /],
    ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /policy\.json is not UTF-8$/],
    ['is too long', ' '.repeat(65_537), /policy\.json is longer than 65536 bytes$/],
  ])('is refused where it %s', (_what, text, message) => {
    expect(() => readPolicy(fileOf(text))).toThrow(message);
  });

  it('that does not exist is refused', () => {
    expect(() => readPolicy(join(directory, 'none.json'))).toThrow(/none\.json does not exist$/);
  });

  it('is named with what is wrong in it, and with nothing else', async () => {
    const malformed = new KmsError('MALFORMED_POLICY', 'Statement[0] must have an Effect.');
    await expect(withFileName('p.json', () => Promise.reject(malformed))).rejects.toThrow(
      /^p\.json: Statement\[0\] must have an Effect\.$/,
    );
    const other = new KmsError('NOT_FOUND', 'nobody');
    await expect(withFileName('p.json', () => Promise.reject(other))).rejects.toBe(other);
  });
});
