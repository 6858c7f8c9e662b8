import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertNew, deliverRoot, deliverUser, rootCredentialsFile } from '../../src/credentials-file';
import { StartError } from '../../src/errors';
import type { Store } from '../../src/store/store';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'p11kms-credentials-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const newAccessKey = () => ({ id: 'AKIAABCDEFGHIJKLMNOP', secret: Buffer.from('a/secret+access/key') });
const done = async () => undefined;
const failed = async () => {
  throw new Error('the store is full');
};

/** A store in which these principals have these access keys. */
const storeOf = (owners: Readonly<Record<string, string>> = {}) =>
  ({
    principals: {
      findByAccessKey: async (id: string) => (owners[id] ? { principal: { name: owners[id] } } : undefined),
    },
  }) as unknown as Pick<Store, 'principals'>;

describe("a user's credentials file", () => {
  it('is what the AWS SDKs read, for its owner alone, and there before the store has the key', async () => {
    const file = join(directory, 'app.credentials');
    const text = `# p11kms: the access key of the principal app
[app]
aws_access_key_id = AKIAABCDEFGHIJKLMNOP
aws_secret_access_key = a/secret+access/key
`;
    const umask = process.umask(0o277);
    const deliver = deliverUser(file, 'app');
    await deliver(newAccessKey(), async () => {
      expect(readFileSync(file, 'utf8')).toBe(text);
    }).finally(() => process.umask(umask));
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is never written over another', async () => {
    const file = join(directory, 'app.credentials');
    writeFileSync(file, 'mine');
    expect(() => assertNew(file)).toThrow(StartError);
    await expect(deliverUser(file, 'app')(newAccessKey(), done)).rejects.toThrow(/exists already: move it/);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('is not written through a link, though there is no file at its end', async () => {
    const link = join(directory, 'link');
    symlinkSync(join(directory, 'nothing'), link);
    for (const attempt of [async () => assertNew(link), () => deliverUser(link, 'app')(newAccessKey(), done)])
      await expect(attempt()).rejects.toThrow(`${link} exists already: move it away, or name another with`);
    expect(readdirSync(directory)).toEqual(['link']);
  });

  it('has a name, and a place where a file can be', () => {
    expect(() => assertNew('', '--out')).toThrow(new StartError('--out names no file'));
    writeFileSync(join(directory, 'file'), '');
    expect(() => assertNew(join(directory, 'file', 'app.credentials'))).not.toThrow();
  });

  it('goes again where the store does not take the key', async () => {
    const file = join(directory, 'app.credentials');
    await expect(deliverUser(file, 'app')(newAccessKey(), failed)).rejects.toThrow('the store is full');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('that cannot be written says so, and the store does not get the key', async () => {
    const keep = jest.fn(done);
    const deliver = deliverUser(join(directory, 'no', 'app.credentials'), 'app');
    await expect(deliver(newAccessKey(), keep)).rejects.toThrow(/cannot be written to .*ENOENT/);
    expect(keep).not.toHaveBeenCalled();
  });
});

describe("the root principal's credentials file", () => {
  const file = () => rootCredentialsFile(directory);

  it('takes the place of one whose access key nobody in the store has', async () => {
    writeFileSync(file(), '[default]\naws_access_key_id = AKIAOTHER\n');
    writeFileSync(`${file()}.tmp`, 'left over');
    await deliverRoot(directory, storeOf())(newAccessKey(), done);
    expect(readFileSync(file(), 'utf8')).toMatch(/^# .*root.*\n\[default\]\naws_access_key_id = AKIAABC/);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['credentials']);
  });

  it('takes the place of its own', async () => {
    writeFileSync(file(), '[default]\naws_access_key_id=AKIAROOT\n');
    await deliverRoot(directory, storeOf({ AKIAROOT: 'root' }))(newAccessKey(), done);
    expect(readFileSync(file(), 'utf8')).toContain('AKIAABC');
  });

  it("never takes the place of a user's", async () => {
    const text = '[app]\n  aws_access_key_id = AKIAAPP\n';
    writeFileSync(file(), text);
    const keep = jest.fn(done);
    const deliver = deliverRoot(directory, storeOf({ AKIAAPP: 'app' }));
    await expect(deliver(newAccessKey(), keep)).rejects.toThrow(/has the access key of the principal app/);
    expect(readFileSync(file(), 'utf8')).toBe(text);
    expect(keep).not.toHaveBeenCalled();
  });

  it('is what it was where the store does not take the key', async () => {
    await expect(deliverRoot(directory, storeOf())(newAccessKey(), failed)).rejects.toThrow('is full');
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(file(), 'before');
    await expect(deliverRoot(directory, storeOf())(newAccessKey(), failed)).rejects.toThrow('is full');
    expect(readFileSync(file(), 'utf8')).toBe('before');
    expect(readdirSync(directory)).toEqual(['credentials']);
  });

  it('that cannot be written says so, and the store does not get the key', async () => {
    mkdirSync(file());
    const keep = jest.fn(done);
    await expect(deliverRoot(directory, storeOf())(newAccessKey(), keep)).rejects.toThrow();
    expect(keep).not.toHaveBeenCalled();
  });
});
