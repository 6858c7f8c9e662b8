import { assertGrantTokens } from '../../kms/grant-tokens';
import type { Call, Kms } from '../../kms/kms';
import type { Schema } from './schema';
import { type Body, validator } from './validate';

/** What goes back: plain JSON, blobs in base64, dates in seconds since 1970. */
export type Answer = Readonly<Record<string, unknown>>;

/** An operation as its file defines it. */
interface Definition<Request> {
  /** Its name in the API: what follows `TrentService.` in X-Amz-Target. */
  readonly name: string;
  /** What people should know of it: for the README. */
  readonly note?: string;
  readonly schema: Schema<Request>;
  /** Resolves to the answer; to nothing where the API has none. */
  run(kms: Kms, call: Call, request: Request): Promise<Answer> | Promise<void>;
}

/** An operation as the handler knows it: it validates what it is given. */
export interface Operation {
  readonly name: string;
  readonly note?: string;
  /** Resolves to the answer; to nothing where the API has none. */
  run(kms: Kms, call: Call, body: Body): Promise<unknown>;
}

/** Makes an operation of its definition, with its schema compiled. Grant tokens are checked before it begins. */
export function operation<Request extends object>({ schema, run, ...about }: Definition<Request>): Operation {
  const validate = validator(schema);
  // Others may have a member of the name that nobody has checked.
  const takesGrantTokens = 'GrantTokens' in schema.properties;
  return {
    ...about,
    async run(kms, call, body) {
      const request = validate(body);
      if (takesGrantTokens && hasGrantTokens(request)) await assertGrantTokens(kms, request.GrantTokens);
      return run(kms, call, request);
    },
  };
}

const hasGrantTokens = <R extends object>(
  request: R,
): request is R & { readonly GrantTokens: readonly string[] } =>
  'GrantTokens' in request && request.GrantTokens !== undefined;
