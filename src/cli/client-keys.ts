/** `p11kms client-keys`: what Alibaba's SDKs sign with. Beside a running service, which sees every change within a second. */
import { type AccountConfig, loadAccountConfig } from '../config/load';
import { assertNew, deliverNew } from '../credentials-file';
import { StartError } from '../errors';
import {
  type ClientKey,
  DEFAULT_VALIDITY_MS,
  deleteClientKey,
  findClientKey,
  keepClientKey,
  makeClientKey,
} from '../kms/client-keys';
import { findPrincipal } from '../kms/principals';
import { makeUpPassword, readPassword } from './client-key-password';
import { listing, listText } from './client-keys-text';
import { parseDuration } from './duration';
import { type Place, withStore } from './place';
import { type Change, recorded } from './recorded';
import { dateOf } from './table';

export interface CreateOptions {
  /** By name, in whatever case of its letters. */
  readonly principal: string;
  readonly out: string;
  readonly passwordFile?: string;
  readonly expires?: string;
}

/** @throws StartError, KmsError */
export async function create({ principal, out, passwordFile, expires }: CreateOptions): Promise<void> {
  const validityMs = expires === undefined ? DEFAULT_VALIDITY_MS : parseDuration(expires);
  const password = passwordFile === undefined ? makeUpPassword() : readPassword(passwordFile);
  await withStore(loadAccountConfig(process.env), async (place) => {
    const { name } = await findPrincipal(place.store.principals, principal);
    assertNew(out, '--out');
    const clientKey = await makeClientKey(validityMs);
    const { clientKeyText } = await import('./client-key-file.js');
    await keep(place, name, clientKey, { file: out, text: clientKeyText(clientKey, password) });
    const lines =
      passwordFile === undefined
        ? ['Its password is kept nowhere, and not shown again:', password]
        : [`Its password is the one in ${passwordFile}.`];
    print(
      `made the client key ${clientKey.id} of ${name}, which ends at ${dateOf(new Date(clientKey.expiresAt))}`,
      `It is in ${out}, for its owner alone.`,
      ...lines,
    );
  });
}

/** The file comes first: a client key that is in the store, and whose private half nobody has, would be of no use. */
async function keep(
  place: Place<AccountConfig>,
  principal: string,
  clientKey: ClientKey,
  { file, text }: { readonly file: string; readonly text: Buffer },
): Promise<void> {
  const change = changeOf('CreateClientKey', { principal, ...clientKey });
  try {
    await recorded(place, change, () =>
      deliverNew({ file, what: 'client key', option: '--out' }, text, () =>
        keepClientKey(place.store.clientKeys, principal, clientKey),
      ),
    );
  } finally {
    text.fill(0);
  }
}

/** @throws StartError */
export async function list({ json }: { readonly json?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async ({ store }) => {
    const rows = listing(await store.clientKeys.list());
    print(json ? JSON.stringify(rows, undefined, 2) : listText(rows));
  });
}

/** @throws StartError, KmsError */
export async function remove(id: string, { yes }: { readonly yes?: true }): Promise<void> {
  await withStore(loadAccountConfig(process.env), async (place) => {
    const { clientKeys } = place.store;
    const { principal, expires_at: expiresAt } = await findClientKey(clientKeys, id);
    if (!yes) {
      throw new StartError(
        `nothing was deleted. Whoever signs with ${id} (${principal}) could not call any more, at once and for good: ` +
          'add --yes to delete it',
      );
    }
    const change = changeOf('DeleteClientKey', { principal, id, expiresAt });
    await recorded(place, change, () => deleteClientKey(clientKeys, id));
    print(`deleted ${id} of ${principal}`);
  });
}

const changeOf = (
  operation: string,
  { principal, id, expiresAt }: { readonly principal: string } & Pick<ClientKey, 'id' | 'expiresAt'>,
): Change => ({
  operation,
  details: { principal, clientKey: id, expires: dateOf(new Date(expiresAt)) },
});

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}
