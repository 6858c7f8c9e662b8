/** The commands of `p11kms client-keys`, and their help. */
import { Command } from 'commander';
import type { CreateOptions } from './client-keys';

const HELP = `
Example:
  p11kms client-keys create --principal billing --out billing.clientkey.json
  p11kms client-keys list
  p11kms client-keys delete KAAP.5b0c1f1e-6a4f-4e0e-9d0a-0d6f6f0b6a11 --yes

The service may run: it sees every change within a second. The store keeps the public half alone. Neither the PIN nor the
token is needed: of the settings, only P11KMS_DATA_DIR or P11KMS_DATABASE_URL, P11KMS_ARN_PREFIX, or what P11KMS_CONFIG
names, count.`;

const CREATE_HELP = `
Examples:
  p11kms client-keys create --principal billing --out billing.clientkey.json
  p11kms client-keys create --principal root --out root.clientkey.json --password-file password.txt --expires 90d

The file is for its owner alone. The password in --password-file is of at least 8 characters of printable ASCII, the
first and the last of them no white space; one newline at its end does not count, and nobody but its owner may read the
file. Without it, a password is made up and printed, this once.`;

/** What the commands do: only one that runs needs it. */
const load = () => import('./client-keys.js');

/** `p11kms client-keys`. */
export function clientKeysCommand(): Command {
  const command = new Command('client-keys')
    .description("what Alibaba's SDKs sign with: the client keys of principals; the service may run")
    .addHelpText('after', HELP);
  command
    .command('create')
    .description("make a client key, in a file that Alibaba's SDKs read")
    .requiredOption('--principal <name>', 'whose it is; root for the root principal')
    .requiredOption('--out <file>', 'where it is written; the file must not exist')
    .option('--password-file <file>', 'has the password that the file is to open with; else one is made up')
    .option('--expires <duration>', 'when it ends, such as 24h or 90d from now; else in five years, 1825d')
    .addHelpText('after', CREATE_HELP)
    .action(async (options: CreateOptions) => (await load()).create(options));
  command
    .command('list')
    .description('show all client keys, those that have expired among them')
    .option('--json', 'for programs')
    .action(async (options: { json?: true }) => (await load()).list(options));
  command
    .command('delete')
    .description('delete a client key; there is no way back')
    .argument('<key-id>')
    .option('--yes', 'delete it, and do not only say whose it is')
    .action(async (id: string, options: { yes?: true }) => (await load()).remove(id, options));
  return command;
}
