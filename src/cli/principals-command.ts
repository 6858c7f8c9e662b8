/** The commands of `p11kms principals`, and their help. */
import { Command } from 'commander';
import { settingsHelp } from '../config/settings';
import type { CreateOptions, RotateOptions } from './principals';

const HELP = `
Example:
  p11kms principals create billing
  p11kms principals attach-policy billing use-keys policy.json
  AWS_SHARED_CREDENTIALS_FILE=billing.credentials AWS_PROFILE=billing aws kms list-keys --endpoint-url URL

The service may run: it sees every change within a second. Secrets are written to files alone, and never printed. create
and rotate-key need the token and its PIN, as p11kms serve does; of the settings, the others need only P11KMS_DATA_DIR or
P11KMS_DATABASE_URL, and P11KMS_ARN_PREFIX.`;

const CREATE_HELP = `
Example:
  p11kms principals create billing --certificate-subject CN=billing,O=Example

The access key goes to ./NAME.credentials, for its owner alone, as the AWS SDKs and the AWS CLI read it.

${settingsHelp()}`;

const ROTATE_HELP = `
Example:
  p11kms principals rotate-key billing --grace 24h --credentials-file billing-2.credentials

rotate-key root writes P11KMS_DATA_DIR/credentials anew.

${settingsHelp()}`;

const POLICY_HELP = `
The policy is one of IAM's for identities: it names no principal. It takes the place of one of the same name.

Example of FILE:
  {
    "Version": "2012-10-17",
    "Statement": [{ "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*" }]
  }`;

/** What the commands do: only one that runs needs it. */
const load = () => import('./principals.js');

/** `p11kms principals`. */
export function principalsCommand(): Command {
  const command = new Command('principals')
    .description('who may call: principals, their access keys and policies; the service may run')
    .addHelpText('after', HELP);
  command
    .command('create')
    .description('make a principal with an access key')
    .argument('<name>', "as IAM's users: 1 to 64 letters, digits or any of + = , . @ _ -")
    .option('--certificate-subject <dn>', 'the subject of the client certificates that stand for it')
    .option('--no-access-key', 'make none: it has a certificate, or gets an access key later')
    .option('--credentials-file <file>', 'where the access key is written; the file must not exist')
    .addHelpText('after', CREATE_HELP)
    .action(async (name: string, options: CreateOptions) => (await load()).create(name, options));
  command
    .command('list')
    .description('show all principals')
    .option('--json', 'for programs')
    .action(async (options: { json?: true }) => (await load()).list(options));
  command
    .command('show')
    .description('show a principal with its policies')
    .argument('<name>')
    .action(async (name: string) => (await load()).show(name));
  command
    .command('delete')
    .description('delete a principal with its access keys, client keys and policies; there is no way back')
    .argument('<name>')
    .option('--yes', 'delete it, and do not only say what it is')
    .action(async (name: string, options: { yes?: true }) => (await load()).remove(name, options));
  command
    .command('rotate-key')
    .description('make another access key; those that there are end')
    .argument('<name>', 'root for the root principal')
    .option(
      '--grace <duration>',
      'how long the old access key goes on working, such as 15m or 24h; else it ends at once',
    )
    .option('--credentials-file <file>', 'where the access key is written; the file must not exist')
    .addHelpText('after', ROTATE_HELP)
    .action(async (name: string, options: RotateOptions) => (await load()).rotateKey(name, options));
  command
    .command('attach-policy')
    .description('say what a principal may do')
    .argument('<name>')
    .argument('<policy-name>')
    .argument('<file>', 'the policy, in JSON')
    .addHelpText('after', POLICY_HELP)
    .action(async (name: string, policyName: string, file: string) =>
      (await load()).attachPolicy(name, policyName, file),
    );
  command
    .command('detach-policy')
    .description('take a policy away from a principal')
    .argument('<name>')
    .argument('<policy-name>')
    .action(async (name: string, policyName: string) => (await load()).detachPolicy(name, policyName));
  return command;
}
