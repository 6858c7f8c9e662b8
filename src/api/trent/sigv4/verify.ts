import { ProtocolError } from '../errors';

/** A request as it came over HTTP. */
export interface SignedRequest {
  readonly method: string;
  /** As it came: path and query. */
  readonly url: string;
  /** Names and values in turn, as node:http's rawHeaders, so that repeated headers are seen. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** What a signature must have been made for. */
export interface SignatureScope {
  readonly region: string;
  readonly service: 'kms';
}

/**
 * Finds the key that a credential's signatures are made with. `date` is YYYYMMDD. For an unknown access key
 * id it resolves to a signing key that fits nothing, after the same work, with `identity` undefined.
 */
export type FindSigningKey<I> = (
  accessKeyId: string,
  date: string,
) => Promise<{ readonly signingKey: Buffer; readonly identity: I | undefined }>;

/** Why a request is not accepted as anybody's. */
export class SignatureError extends ProtocolError {
  override readonly name = 'SignatureError';
}
