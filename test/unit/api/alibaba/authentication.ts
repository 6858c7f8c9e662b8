import { generateKeyPairSync } from 'node:crypto';
import { authenticate } from '../../../../src/api/alibaba/authenticate';
import { ProtocolError, toAlibabaError } from '../../../../src/api/alibaba/errors';
import type { ClientCertificate } from '../../../../src/api/source';
import { KmsError } from '../../../../src/errors';
import type { Principal } from '../../../../src/kms/principal-directory';
import { CLIENT_KEY_ID, METHOD, NOW, PATH, type Pairs, raw } from './signed';

const { publicKey, privateKey: alicesKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** Of the client key that Alice has. */
export const privateKey = alicesKey;

const principal = (name: string, kind: 'user' | 'root' = 'user'): Principal => ({
  identity: { arn: `arn:aws:iam::111122223333:${name}`, account: '111122223333', kind, name },
  policies: [],
});
export const ALICE = principal('alice');
const BOB = principal('bob');
export const ROOT = principal('root', 'root');

/** Alice has the client key; there are certificates of Alice's and of Bob's. */
export function directory() {
  return {
    root: () => ROOT,
    findClientKey: jest.fn(async (id: string) =>
      id === CLIENT_KEY_ID ? { publicKey, principal: ALICE } : undefined,
    ),
    findByCertificate: async (subject: string) =>
      new Map([
        ['CN=alice', ALICE],
        ['CN=bob', BOB],
      ]).get(subject),
    findSigningKey: () => Promise.reject(new Error('not of this protocol')),
    forget: () => undefined,
  };
}

interface Circumstances {
  readonly certificate?: ClientCertificate;
  readonly now?: number;
  readonly url?: string;
  readonly auth?: 'signature' | 'none';
  readonly principals?: ReturnType<typeof directory>;
}

/** Who a request with these headers is of. */
export const authenticated = (
  pairs: Pairs,
  { certificate, now = NOW, url = PATH, auth = 'signature', principals = directory() }: Circumstances = {},
) => {
  const source = { secure: true, ...(certificate && { certificate }) };
  return authenticate({ principals }, auth, { method: METHOD, url, rawHeaders: raw(pairs), source }, now);
};

/** What a request is refused with: the client's fault, and in one of the documented ways. */
export async function refused(pairs: Pairs, circumstances?: Circumstances) {
  const error: unknown = await authenticated(pairs, circumstances).then(
    (who) => new Error(`accepted as ${who.principal.identity.name}`),
    (thrown) => thrown,
  );
  if (error instanceof ProtocolError || error instanceof KmsError) return toAlibabaError(error);
  throw error;
}

export const BY_SIGNATURE = { principal: ALICE, accessKeyId: CLIENT_KEY_ID };
export const NO_MATCH = { status: 401, code: 'SignatureNotMatch', message: 'Signature is not matched.' };
export const INVALID_DATE = { status: 400, code: 'InvalidParam', message: 'The Param Date is invalid.' };
export const SKEWED = {
  status: 400,
  code: 'RequestTimeTooSkewed',
  message: 'Request time exceeds server time more than 15 minutes.',
};
export const UNKNOWN = {
  status: 404,
  code: 'InvalidAccessKeyId.NotFound',
  message: 'The AccessKey ID provided does not exist in our records.',
};
export const missing = (name: string) => ({
  status: 400,
  code: 'MissingParameter',
  message: `Parameter ${name} does not exist in http header or body.`,
});

/** What is known of a request before its body. */
export const head = (pairs: Pairs) => ({ method: METHOD, url: PATH, rawHeaders: raw(pairs) });
