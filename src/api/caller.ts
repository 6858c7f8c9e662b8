/** Who a connection says that it is, whatever the protocol. */
import { KmsError } from '../errors';
import type { Kms } from '../kms/kms';
import type { Principal } from '../kms/principal-directory';
import type { ConnectionSource } from './source';

/** Who sent a request. */
export interface Authenticated {
  readonly principal: Principal;
  /** The id of the access key, or of the client key, that it was signed with. */
  readonly accessKeyId?: string;
}

/**
 * The principal of a client certificate; nobody where there is none.
 *
 * @throws KmsError UNRECOGNIZED_CLIENT where there is one that stands for nobody
 */
export async function principalOfCertificate(
  { principals }: Pick<Kms, 'principals'>,
  { certificate }: ConnectionSource,
): Promise<Principal | undefined> {
  if (!certificate) return undefined;
  const principal = certificate.authorized
    ? await principals.findByCertificate(certificate.subject)
    : undefined;
  if (principal) return principal;
  throw new KmsError(
    'UNRECOGNIZED_CLIENT',
    'The client certificate stands for no principal of this service.',
  );
}

/**
 * The principal of a signature, which a certificate must name as well where there is one.
 *
 * @throws KmsError UNRECOGNIZED_CLIENT where they differ
 */
export function onePrincipal(certified: Principal | undefined, signed: Principal): Principal {
  if (!certified || signed.identity.arn === certified.identity.arn) return signed;
  throw new KmsError(
    'UNRECOGNIZED_CLIENT',
    'The client certificate and the signature are of different principals.',
  );
}
