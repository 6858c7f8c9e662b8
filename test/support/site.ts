import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from './at-end';
import { createShim, type Shim } from './pkcs11-shim';
import { type Postgres, postgres } from './postgres';
import { createSoftHsm, SOFTHSM_MODULE, type SoftHsm } from './softhsm';

/** What outlives a run of the service: a token and a data directory. */
export interface Site {
  readonly token: SoftHsm;
  readonly dataDir: string;
  /** Where the root principal's access key may be, in a list for all neighbours: any of them may be the first to start. */
  readonly credentialsFiles: string[];
  /** The environment in which p11kms finds both. */
  readonly env: Readonly<Record<string, string>>;
}

/** A new token and an empty data directory, removed at the end of the test file. */
export function createSite(): Site {
  const token = createSoftHsm();
  atEnd(() => token.remove());
  return siteOf(token, newDataDir());
}

function newDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'p11kms-data-'));
  atEnd(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

/** A site whose store is a new database of PostgreSQL. */
export async function createPostgresSite(): Promise<PostgresSite> {
  const server = await postgres();
  const databaseUrl = await server.createDatabase();
  const site = createSite();
  return { ...site, server, databaseUrl, env: { ...site.env, P11KMS_DATABASE_URL: databaseUrl } };
}

export interface PostgresSite extends Site {
  readonly server: Postgres;
  readonly databaseUrl: string;
}

/** Another machine's: the same token and, where that is a database, the same store, with a data directory of its own. */
export function neighbour(site: Site): Site {
  const dataDir = newDataDir();
  site.credentialsFiles.push(join(dataDir, 'credentials'));
  return { ...site, dataDir, env: { ...site.env, P11KMS_DATA_DIR: dataDir } };
}

/** A site of these two, which others remove. */
export function siteOf(token: SoftHsm, dataDir: string): Site {
  const pinFile = join(token.directory, 'pin');
  writeFileSync(pinFile, token.pin, { mode: 0o600 });
  const env = {
    ...token.env,
    P11KMS_PKCS11_MODULE: SOFTHSM_MODULE,
    P11KMS_TOKEN_LABEL: token.label,
    P11KMS_PIN_FILE: pinFile,
    P11KMS_DATA_DIR: dataDir,
  };
  return { token, dataDir, credentialsFiles: [join(dataDir, 'credentials')], env };
}

/** A site whose token misbehaves on request. */
export async function createShimSite(): Promise<Site & { readonly shim: Shim }> {
  const site = createSite();
  const shim = await createShim(site.token.directory);
  return { ...site, shim, env: { ...site.env, ...shim.env, P11KMS_PKCS11_MODULE: shim.module } };
}

/** What the service has on the token for itself: the service key, and both halves of the key that signs the audit record. */
export const SERVICE_OBJECTS = 3;

/** The objects on the site's token: SoftHSM keeps each in a file of its own, whose names these are. */
export function tokenObjects({ token }: Site): string[] {
  const files = readdirSync(token.directory, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.object') && !file.endsWith('token.object'));
}
