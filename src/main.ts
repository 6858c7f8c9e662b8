#!/usr/bin/env node
/** The command line: `p11kms COMMAND`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { type DoctorOptions, doctor } from './cli/doctor';
import { serve } from './cli/serve';
import { settingsHelp } from './config/settings';
import { EXIT, KmsError, StartError } from './errors';

const { version, description } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8'));

const program = new Command('p11kms').description(description).version(version).showHelpAfterError();

program
  .command('serve')
  .description('run the key service in the foreground; SIGTERM ends it')
  .addHelpText('after', `\n${settingsHelp()}`)
  .action(serve);

program
  .command('doctor')
  .description('look at the token and say whether the service can run on it; exit code 0 if so')
  .option('--json', 'print the report as JSON')
  .option('--remove <id...>', 'destroy these objects, by CKA_ID, which must be among those that no row knows')
  .addHelpText('after', `\n${settingsHelp()}`)
  .action(async (options: DoctorOptions) => {
    process.exitCode = await doctor(options);
  });

program.parseAsync().catch((error: unknown) => {
  // A KmsError: what a start needs, the token or the store, was there, and went away.
  if (!(error instanceof StartError || error instanceof KmsError)) throw error;
  process.stderr.write(`p11kms: ${error.message.replaceAll('\n', '\np11kms: ')}\n`);
  process.exit(error instanceof StartError ? error.exitCode : EXIT.failed);
});
