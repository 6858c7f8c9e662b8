#!/usr/bin/env node
/** The command line: `p11kms COMMAND`. Each command loads what it runs on, and no other's: most of a short one's time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { AuditVerifyOptions } from './cli/audit-verify';
import { clientKeysCommand } from './cli/client-keys-command';
import type { DoctorOptions } from './cli/doctor';
import { principalsCommand } from './cli/principals-command';
import type { RestoreOptions } from './cli/restore';
import { settingsHelp } from './config/settings';
import { EXIT, KmsError, StartError } from './errors';

const { version, description } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8'));

const BACKUP_HELP = `
The file is for its owner alone, and appears when it is complete and checked. Neither the PIN nor the token is
needed: of the settings, only P11KMS_DATA_DIR (or what P11KMS_CONFIG names) counts. A store in PostgreSQL
(P11KMS_DATABASE_URL) is backed up with pg_dump. Back up the token first, the store after it.`;

const RESTORE_HELP = `
Nothing is ever removed from the token, and the store that was there is kept beside the new one. Exit codes: 0 restored,
or nothing stands in the way; 3 store and token know different keys, and nothing was changed; 78 the token refuses the
PIN; 1 anything else. The settings are those of the service: see p11kms serve --help.`;

const AUDIT_HELP = `
The service may run. Neither the PIN nor the token is needed: of the settings, only P11KMS_DATA_DIR, P11KMS_DATABASE_URL
or what P11KMS_CONFIG names count. Name every directory that holds a part of the record: other services' on the same
store, and archives. Exit codes: 0 the record is whole; 3 it is not; 1 it cannot be checked.`;

const program = new Command('p11kms').description(description).version(version).showHelpAfterError();

program
  .command('serve')
  .description('run the key service in the foreground; SIGTERM ends it')
  .addHelpText('after', `\n${settingsHelp()}`)
  .action(async () => {
    const { serve } = await import('./cli/serve.js');
    await serve();
  });

program
  .command('doctor')
  .description('look at the token and say whether the service can run on it; exit code 0 if so')
  .option('--json', 'print the report as JSON')
  .option('--remove <id...>', 'destroy these objects, by CKA_ID, which must be among those that no row knows')
  .addHelpText('after', `\n${settingsHelp()}`)
  .action(async (options: DoctorOptions) => {
    const { doctor } = await import('./cli/doctor.js');
    process.exitCode = await doctor(options);
  });

program
  .command('backup')
  .description('copy the store to a new file; the service may run')
  .argument('<file>', 'the file to make; it must not exist')
  .addHelpText('after', BACKUP_HELP)
  .action(async (file: string) => {
    const { backup } = await import('./cli/backup.js');
    await backup(file);
  });

program
  .command('restore')
  .description(
    'put the store of a backup in place, once it is held against the token; the service must be stopped',
  )
  .argument('[file]', 'what p11kms backup made; none for PostgreSQL, after pg_restore')
  .option('--check', 'only look, and change nothing; the service may run')
  .option('--yes', 'restore also where store and token know different keys')
  .option('--json', 'print the report as JSON')
  .addHelpText('after', RESTORE_HELP)
  .action(async (file: string | undefined, options: RestoreOptions) => {
    const { restore } = await import('./cli/restore.js');
    process.exitCode = await restore(file, options);
  });

program.addCommand(principalsCommand());
program.addCommand(clientKeysCommand());
const audit = program.command('audit').description('the audit record');

audit
  .command('verify')
  .description('check every line of the audit record, and name what was changed')
  .argument('<dir...>', 'where its files are: DATA_DIR/audit')
  .option('--public-key <file>', "check signatures with this key, PEM, in place of the store's")
  .option('--without-store', 'check a copy where the store is not at hand')
  .option('--json', 'print the report as JSON')
  .addHelpText('after', AUDIT_HELP)
  .action(async (dirs: string[], options: AuditVerifyOptions) => {
    const { auditVerify } = await import('./cli/audit-verify.js');
    process.exitCode = await auditVerify(dirs, options);
  });

audit
  .command('public-key')
  .description('print the public key of the signatures in the audit record, PEM, to be kept elsewhere')
  .action(async () => {
    const { auditPublicKey } = await import('./cli/audit-verify.js');
    await auditPublicKey();
  });

program.parseAsync().catch((error: unknown) => {
  // A KmsError: what a start needs, the token or the store, was there, and went away.
  if (!(error instanceof StartError || error instanceof KmsError)) throw error;
  process.stderr.write(`p11kms: ${error.message.replaceAll('\n', '\np11kms: ')}\n`);
  process.exit(error instanceof StartError ? error.exitCode : EXIT.failed);
});
