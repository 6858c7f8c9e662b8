import { resolve } from 'node:path';
import { loadAccountConfig, loadStoreConfig } from '../../../src/config/load';
import { faultsOf, file } from './fixture';

describe('loadStoreConfig', () => {
  it('says where the store is, without PIN, module or token', () => {
    expect(loadStoreConfig({})).toEqual({ dataDir: resolve('data') });
    expect(loadStoreConfig({ P11KMS_DATA_DIR: '/var/lib/p11kms' })).toEqual({ dataDir: '/var/lib/p11kms' });
    const config = loadStoreConfig({ P11KMS_DATABASE_URL: 'postgres://me:secret@db.example/keys' });
    expect(config.database?.name).toBe('postgres://me@db.example/keys');
  });

  it('reads the file of settings, too, and minds nothing in it that is about the token', () => {
    const P11KMS_CONFIG = file(
      JSON.stringify({
        dataDir: '/srv/p11kms',
        pkcs11Module: '/not/here.so',
        pinFile: '/not/for/you',
        port: 'x',
      }),
    );
    expect(loadStoreConfig({ P11KMS_CONFIG })).toEqual({ dataDir: '/srv/p11kms' });
    expect(loadStoreConfig({ P11KMS_CONFIG, P11KMS_DATA_DIR: '/data' })).toEqual({ dataDir: '/data' });
  });

  it('takes PIN and database URL out of the environment', () => {
    const env = { P11KMS_PIN: '1234', P11KMS_DATABASE_URL: 'postgres://db.example/keys' };
    loadStoreConfig(env);
    expect(env).toEqual({});
  });

  it('refuses what it would have to guess', () => {
    const faults = faultsOf(() =>
      loadStoreConfig({
        P11KMS_DATABASE_URL: 'mysql://db.example',
        P11KMS_DATADIR: '/data',
        P11KMS_PORT: 'x',
      }),
    );
    expect(faults).toEqual([
      'environment variable P11KMS_DATADIR is not a setting; did you mean P11KMS_DATA_DIR?',
      expect.stringMatching(/^environment variable P11KMS_DATABASE_URL must be a URL like/),
    ]);
    const P11KMS_CONFIG = '/not/there.json';
    expect(faultsOf(() => loadStoreConfig({ P11KMS_CONFIG }))).toEqual([
      'environment variable P11KMS_CONFIG names /not/there.json, which does not exist',
    ]);
  });
});

describe('loadAccountConfig', () => {
  it('says besides what the ARNs of the account begin with', () => {
    const dataDir = resolve('data');
    expect(loadAccountConfig({})).toEqual({ dataDir, arnPrefix: 'arn:aws:kms:us-east-1:111122223333' });
    const P11KMS_ARN_PREFIX = 'arn:verenc:111122223333';
    expect(loadAccountConfig({ P11KMS_ARN_PREFIX, P11KMS_PORT: 'x' })).toEqual({
      dataDir,
      arnPrefix: P11KMS_ARN_PREFIX,
    });
    expect(faultsOf(() => loadAccountConfig({ P11KMS_ARN_PREFIX: 'x' }))).toEqual([
      expect.stringContaining('P11KMS_ARN_PREFIX'),
    ]);
  });
});
