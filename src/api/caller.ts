/** Who a connection says that it is, whatever the protocol. */
import { KmsError } from '../errors';
import type { Kms } from '../kms/kms';
import type { Principal } from '../kms/principal';
import type { ConnectionSource } from './source';

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
  const principal = certificate.authorized ? await principals.findByCertificate(certificate.subject) : undefined;
  if (principal) return principal;
  throw new KmsError('UNRECOGNIZED_CLIENT', 'The client certificate stands for no principal of this service.');
}

/**
 * The one principal that a certificate and a signature both name, or the one of them that there is.
 *
 * @throws KmsError UNRECOGNIZED_CLIENT where they differ
 */
export function onePrincipal<P extends Principal | undefined>(certified: Principal | undefined, signed: P): Principal | P {
  if (!certified) return signed;
  if (!signed || signed.identity.arn === certified.identity.arn) return certified;
  throw new KmsError(
    'UNRECOGNIZED_CLIENT',
    'The client certificate and the signature are of different principals.',
  );
}
