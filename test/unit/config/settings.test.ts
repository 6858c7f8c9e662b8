import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nearest } from '../../../src/config/nearest';
import { fileKey, settings, settingsHelp, settingsTable } from '../../../src/config/settings';

describe('the table of settings', () => {
  it('is in the README as it is in the code', () => {
    const readme = readFileSync(join(__dirname, '../../../README.md'), 'utf8');
    const marked = readme.split('<!-- settings -->')[1]?.split('<!-- /settings -->')[0];
    expect(marked?.trim()).toBe(settingsTable());
  });

  it('has a row of three cells for each setting', () => {
    const rows = settingsTable().split('\n').slice(2);
    expect(rows.map((row) => /^\| `(\w+)` \| [^|]+ \| [^|]+ \|$/.exec(row)?.[1])).toEqual(
      settings.map(([name]) => name),
    );
  });

  it('describes every setting for --help', () => {
    const help = settingsHelp();
    for (const [name] of settings) expect(help).toContain(`\n  ${name} (`);
    expect(help).toContain('P11KMS_PORT (8080)');
    expect(help).toContain('P11KMS_TOKEN_LABEL (required)');
  });

  it('gives each setting a key of its own in the file', () => {
    expect(fileKey('P11KMS_PKCS11_MODULE')).toBe('pkcs11Module');
    expect(fileKey('P11KMS_PRIVATE_KEY_EXPORT')).toBe('privateKeyExport');
    expect(fileKey('P11KMS_GCM_IV')).toBe('gcmIv');
    expect(new Set(settings.map(([name]) => fileKey(name))).size).toBe(settings.length);
  });
});

describe('nearest', () => {
  const names = settings.map(([name]) => name);

  it.each([
    ['P11KMS_TOKEN_LABL', 'P11KMS_TOKEN_LABEL'],
    ['P11KMS_TOKENLABEL', 'P11KMS_TOKEN_LABEL'],
    ['P11KMS_PROT', 'P11KMS_PORT'],
    ['P11KMS_Log_Level', 'P11KMS_LOG_LEVEL'],
    ['dataDir', 'P11KMS_DATA_DIR'],
  ])('of %s is %s', (given, meant) => {
    expect(nearest(given, names)).toBe(meant);
  });

  it.each(['P11KMS_', 'P11KMS_SOMETHING', '', 'colour'])('of %j is nothing', (given) => {
    expect(nearest(given, names)).toBeUndefined();
  });
});
