/** Who sent a request of TrentService. */
import type { Kms } from '../../kms/kms';
import { type Authenticated, onePrincipal, principalOfCertificate } from '../caller';
import type { ProtocolRequest } from '../protocol';
import { type FindSigningKey, isSigned, verifySignature } from './sigv4/verify';

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
  const find = findWithAccessKey(kms);
  const { principal, accessKeyId } = await verifySignature(request, { region, service: 'kms' }, find);
  return { principal: onePrincipal(certified, principal), accessKeyId };
}

/** Only an access key whose signature fits is worth a place in the records. */
const findWithAccessKey =
  ({ principals }: Pick<Kms, 'principals'>): FindSigningKey<Required<Authenticated>> =>
  async (accessKeyId, date) => {
    const { signingKey, identity } = await principals.findSigningKey(accessKeyId, date);
    return { signingKey, identity: identity && { principal: identity, accessKeyId } };
  };
