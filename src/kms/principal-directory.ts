/** Who calls: principals by access key, client key and certificate, from a small memory in front of store and token. */
import { createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import type { CallerIdentity } from '../access/access-request';
import { parseIdentityPolicy } from '../access/parse-policy';
import type { IdentityPolicy } from '../access/policy-document';
import type { PrincipalRow } from '../store/principal-rows';
import type { Store } from '../store/store';
import type { Arns } from './arns';
import { normaliseSubject } from './certificate-subject';
import { isClientKeyId } from './client-keys';
import { createMemory, type Memory } from './memory';
import { isAccessKeyId, makeAccessKey, openSecret, type Sealer, sealSecret } from './secret-access-keys';
import { createSigningKeys } from './signing-keys';
import { createSingleFlight } from './single-flight';

/** Somebody who may call, with what their own policies say. */
export interface Principal {
  readonly identity: CallerIdentity;
  readonly policies: readonly IdentityPolicy[];
}

export interface FoundSigningKey {
  /** A copy, the caller's to zero. */
  readonly signingKey: Buffer;
  /** Undefined where nobody has the access key, or it has expired: then the signing key fits nothing. */
  readonly identity: Principal | undefined;
}

export interface FoundClientKey {
  /** RSA. */
  readonly publicKey: KeyObject;
  readonly principal: Principal;
}

export interface PrincipalDirectory {
  /**
   * The key that the owner of an access key signs with on a date, YYYYMMDD. On a date that is not today's, give or take
   * some minutes, it is one that fits nothing: the request is too old or too new in any case.
   *
   * @throws KmsError where the token is needed and cannot be had: KEY_UNAVAILABLE, TOKEN_TIMEOUT, THROTTLED
   */
  findSigningKey(accessKeyId: string, date: string): Promise<FoundSigningKey>;
  /** Nothing where nobody has the client key, or it has expired. */
  findClientKey(id: string): Promise<FoundClientKey | undefined>;
  /** @param subject of a certificate, as `X509Certificate.subject` has it */
  findByCertificate(subject: string): Promise<Principal | undefined>;
  /** The account's root principal. */
  root(): Principal;
  /** Forgets everything: to be called after every change. */
  forget(): void;
}

export interface PrincipalDirectoryParts {
  readonly store: Pick<Store, 'principals' | 'clientKeys'>;
  readonly token: Pick<Sealer, 'run'>;
  readonly arns: Arns;
  readonly storeId: string;
  /** CKA_ID of the service key, hex. */
  readonly serviceKey: string;
}

/** SigV4's signing key, out of the secret and a date, YYYYMMDD. */
export type DeriveSigningKey = (secret: Buffer, date: string) => Buffer;

/** More than any clock may be wrong: signing keys of other dates are not made. */
const CLOCK_SKEW_MS = 15 * 60_000;
const SIGNING_KEY_BYTES = 32;

interface KnownAccessKey {
  readonly sealedSecret: string;
  readonly expiresAt: number | null;
  readonly principal: Principal;
}

interface KnownClientKey extends FoundClientKey {
  readonly expiresAt: number;
}

/** @throws KmsError where the token does not answer */
export async function createPrincipalDirectory(
  { store, token, arns, storeId, serviceKey }: PrincipalDirectoryParts,
  derive: DeriveSigningKey,
): Promise<PrincipalDirectory> {
  const sealer: Sealer = { run: (name, input) => token.run(name, input), storeId, serviceKey };
  const root: Principal = { identity: rootOf(arns), policies: [] };
  const accessKeys = createMemory<KnownAccessKey | undefined>();
  const clientKeys = createMemory<KnownClientKey | undefined>();
  const certificates = createMemory<Principal | undefined>();
  const signingKeys = createSigningKeys();
  const pretend = await createPretence(sealer, derive);

  const makeSigningKey = async (accessKeyId: string, sealedSecret: string, date: string) => {
    const secret = await openSecret(sealer, accessKeyId, sealedSecret);
    try {
      return derive(secret, date);
    } finally {
      secret.fill(0);
    }
  };

  return {
    root: () => root,

    async findSigningKey(text, date) {
      // What is no access key's id takes no room of its own in the memory.
      const id = isAccessKeyId(text) ? text : '';
      const known = await recallAccessKey(accessKeys, store, arns, id);
      if (!known || (known.expiresAt !== null && known.expiresAt <= Date.now())) {
        signingKeys.forget(id);
        await pretend(id, date);
        return { signingKey: randomBytes(SIGNING_KEY_BYTES), identity: undefined };
      }
      const { sealedSecret, principal } = known;
      const dates = currentDates();
      // The same work for any date, but a made-up one costs neither the token a job nor the memory a place.
      const day = dates.includes(date) ? date : (dates[0] ?? date);
      const wanted = { accessKeyId: id, sealedSecret, date: day, dates };
      const signingKey = await signingKeys.find(wanted, () => makeSigningKey(id, sealedSecret, day));
      if (day !== date) randomBytes(SIGNING_KEY_BYTES).copy(signingKey);
      return { signingKey, identity: principal };
    },

    async findClientKey(text) {
      const id = isClientKeyId(text) ? text : '';
      const known = await recallClientKey(clientKeys, store, arns, id);
      return known && known.expiresAt > Date.now() ? known : undefined;
    },

    async findByCertificate(subject) {
      return certificates.recall(subject, async () => {
        const normal = normaliseSubject(subject);
        const row = normal === undefined ? undefined : await store.principals.findByCertificate(normal);
        return row && principalOf(arns, row);
      });
    },

    forget() {
      accessKeys.forget();
      clientKeys.forget();
      certificates.forget();
      signingKeys.forget();
    },
  };
}

const rootOf = ({ account, accountRoot }: Arns): CallerIdentity => ({
  arn: accountRoot,
  account,
  kind: 'root',
  name: 'root',
});

/** What a policy cannot be read for is a fault of the store's: without it, more might be allowed than it says. */
function principalOf(arns: Arns, { name, kind, policies }: PrincipalRow): Principal {
  const identity: CallerIdentity =
    kind === 'root' ? rootOf(arns) : { arn: arns.user(name), account: arns.account, kind, name };
  try {
    return { identity, policies: policies.map(({ document }) => parseIdentityPolicy(document)) };
  } catch (cause) {
    throw new Error(`a policy of the principal ${name} cannot be read`, { cause });
  }
}

function recallAccessKey(
  memory: Memory<KnownAccessKey | undefined>,
  store: Pick<Store, 'principals'>,
  arns: Arns,
  id: string,
): Promise<KnownAccessKey | undefined> {
  return memory.recall(id, async () => {
    const found = await store.principals.findByAccessKey(id);
    if (!found) return undefined;
    const { sealed_secret: sealedSecret, expires_at: expiresAt } = found.accessKey;
    return { sealedSecret, expiresAt, principal: principalOf(arns, found.principal) };
  });
}

function recallClientKey(
  memory: Memory<KnownClientKey | undefined>,
  store: Pick<Store, 'clientKeys'>,
  arns: Arns,
  id: string,
): Promise<KnownClientKey | undefined> {
  return memory.recall(id, async () => {
    const found = await store.clientKeys.find(id);
    if (!found) return undefined;
    const { public_key: publicKey, expires_at: expiresAt } = found.clientKey;
    return {
      publicKey: createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' }),
      expiresAt,
      principal: principalOf(arns, found.principal),
    };
  });
}

/** The dates that the clocks of clients may show: two of them for some minutes around midnight (UTC). */
function currentDates(): string[] {
  const dates = [-CLOCK_SKEW_MS, CLOCK_SKEW_MS].map((skew) =>
    new Date(Date.now() + skew).toISOString().slice(0, 10).replaceAll('-', ''),
  );
  return [...new Set(dates)];
}

/** Bounds what is remembered of made-up access keys. */
const MAX_PRETENDED = 10_000;

/**
 * Does for an access key that nobody has what the first request of one that somebody has costs: its secret, sealed at
 * the start, is decrypted on the token. One at a time for all of them, so that made-up ids cannot fill the token's queue.
 */
async function createPretence(
  sealer: Sealer,
  derive: DeriveSigningKey,
): Promise<(accessKeyId: string, date: string) => Promise<void>> {
  const decoy = await makeAccessKey(sealer);
  const sealed = await sealSecret(sealer, decoy);
  decoy.secret.fill(0);
  const flight = createSingleFlight();
  // As with an access key that somebody has, only the first request of a day goes to the token.
  let seen = new Set<string>();
  return async (accessKeyId, date) => {
    const [today = date] = currentDates();
    const name = `${accessKeyId} ${today}`;
    if (seen.has(name)) return;
    await flight('decoy', async () => {
      const secret = await openSecret(sealer, decoy.id, sealed);
      derive(secret, today).fill(0);
      secret.fill(0);
    });
    if (seen.size >= MAX_PRETENDED) seen = new Set();
    seen.add(name);
  };
}
