import { inspect } from 'node:util';
import { DatabaseUrl, databaseUrlFault } from '../../../src/config/database-url';
import { loadConfig } from '../../../src/config/load';
import { faultsOf, file } from './fixture';

const PASSWORD = 'correct-horse-battery';
const URL_WITH_PASSWORD = `postgres://p11kms:${PASSWORD}@db.example:5433/keys?sslmode=verify-full`;
const enough = {
  P11KMS_PKCS11_MODULE: file('not really a library'),
  P11KMS_TOKEN_LABEL: 'p11kms',
  P11KMS_PIN_FILE: file('1234\n'),
};
const inFile = (databaseUrl: string, mode: number) => file(JSON.stringify({ databaseUrl }), mode);

describe('the URL of a database', () => {
  it('is taken from the environment, and out of it', () => {
    const env: NodeJS.ProcessEnv = { ...enough, P11KMS_DATABASE_URL: URL_WITH_PASSWORD };
    const config = loadConfig(env);
    expect(config.database?.reveal()).toBe(URL_WITH_PASSWORD);
    expect(env).not.toHaveProperty('P11KMS_DATABASE_URL');
  });

  it('shows its password to nobody', () => {
    const config = loadConfig({ ...enough, P11KMS_DATABASE_URL: URL_WITH_PASSWORD });
    const shown = [
      JSON.stringify(config),
      inspect(config, { showHidden: true, depth: Number.POSITIVE_INFINITY }),
      `${config.database}`,
      inspect(structuredClone({ ...config.database })),
    ].join('\n');
    expect(shown).toContain('postgres://p11kms@db.example:5433/keys');
    expect(shown).not.toContain(PASSWORD);
  });

  it.each([
    ['postgres://db.example/keys', 'postgres://db.example/keys'],
    ['postgresql://me@[::1]:5433/keys', 'postgres://me@[::1]:5433/keys'],
    ['postgres://me:p%40ss%2Fword@db.example/keys?x=y', 'postgres://me@db.example/keys'],
    ['postgres://me:p@ss@db.example/keys', 'postgres://me@db.example/keys'],
    ['postgres://db.example/keys?user=me&password=secret', 'postgres://me@db.example/keys'],
    ['postgresql:///keys?host=/run/postgresql&port=5433', 'postgres:///run/postgresql:5433/keys'],
    ['postgres://db.example', 'postgres://db.example'],
  ])('%s is shown as %s', (url, name) => {
    expect(databaseUrlFault(url)).toBeUndefined();
    expect(new DatabaseUrl(url).name).toBe(name);
  });

  it.each([
    'secret',
    'secret://host/database',
    'mysql://me:secret@host/database',
    'postgres:secret',
    'postgres://me:secret/with@host/database',
    'postgres://me:12/secret@host/database',
    'postgres://me:12?secret@host/database',
    'postgres://me:12#secret@host/database',
    'postgres://me:secret%zz@host/database',
    'postgres://me:secret@host/database#more',
    'postgres://me:secret@host/database/more',
  ])('is refused in words that hold nothing of it: %s', (url) => {
    const [fault, ...others] = faultsOf(() => loadConfig({ ...enough, P11KMS_DATABASE_URL: url }));
    expect(others).toEqual([]);
    expect(fault).toMatch(/^environment variable P11KMS_DATABASE_URL must be a URL like postgres:\/\//);
    expect(fault).not.toContain('secret');
  });

  it('in a file that others may read is refused where there is a password in it, and only there', () => {
    const P11KMS_CONFIG = inFile(URL_WITH_PASSWORD, 0o644);
    expect(faultsOf(() => loadConfig({ ...enough, P11KMS_CONFIG }))).toEqual([
      `key "databaseUrl" in ${P11KMS_CONFIG} is readable by the file's group or by others: chmod 600 the file`,
    ]);
    for (const path of [inFile(URL_WITH_PASSWORD, 0o600), inFile('postgres://me@db.example/keys', 0o644)]) {
      expect(loadConfig({ ...enough, P11KMS_CONFIG: path }).database?.reveal()).toMatch(/^postgres:/);
    }
  });
});
