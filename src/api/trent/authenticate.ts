/** Who sent a request of TrentService. */
import type { Kms } from '../../kms/kms';
import type { Principal } from '../../kms/principal';
import { onePrincipal, principalOfCertificate } from '../caller';
import type { ProtocolRequest } from '../protocol';
import { accessKeyIdOf, isSigned, type SignatureScope, verifySignature } from './sigv4/verify';

export interface Authenticated {
  readonly principal: Principal;
  readonly accessKeyId?: string;
}

/** How requests are authenticated. */
export interface Authentication {
  /** `none`: whoever can connect is the root principal. */
  readonly auth: 'signature' | 'none';
  readonly region: string;
}

/**
 * By signature, by client certificate, or by both.
 *
 * @throws ProtocolError SignatureError; KmsError UNRECOGNIZED_CLIENT
 */
export async function authenticate(
  kms: Pick<Kms, 'principals'>,
  { auth, region }: Authentication,
  request: ProtocolRequest & { readonly body: Buffer },
): Promise<Authenticated> {
  if (auth === 'none') return { principal: kms.principals.root() };
  const certified = await principalOfCertificate(kms, request.source);
  if (certified && !isSigned(request.rawHeaders)) return { principal: certified };
  const scope: SignatureScope = { region, service: 'kms' };
  const signed = await verifySignature(request, scope, kms.principals.findSigningKey);
  const accessKeyId = accessKeyIdOf(request.rawHeaders);
  return { principal: onePrincipal(certified, signed), ...(accessKeyId !== undefined && { accessKeyId }) };
}
