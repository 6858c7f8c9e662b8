import { ProtocolError } from '../errors';

/** Why a request is not accepted as anybody's. AWS KMS answers 400 to all of these, not 401 or 403. */
export class SignatureError extends ProtocolError {
  override readonly name = 'SignatureError';

  constructor(type: string, message: string) {
    super(type, 400, message);
  }
}

/** There is no signature. */
export const missingToken = () =>
  new SignatureError('MissingAuthenticationTokenException', 'Missing Authentication Token');

/** The signature is not one that could be checked. */
export const incomplete = (message: string) => new SignatureError('IncompleteSignatureException', message);

/** The signature was checked, and is wrong or made for something else. */
export const invalid = (message: string) => new SignatureError('InvalidSignatureException', message);

/** The signature is that of another request, or made with another secret. */
export const mismatch = () =>
  invalid(
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
      'Access Key and signing method. Consult the service documentation for details.',
  );

/** Nobody has this access key. */
export const unrecognized = () =>
  new SignatureError('UnrecognizedClientException', 'The security token included in the request is invalid.');
