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
  run(kms: Kms, call: Call, body: Body): Promise<Answer> | Promise<void>;
}

/** Makes an operation of its definition, with its schema compiled. */
export function operation<Request>({ schema, run, ...about }: Definition<Request>): Operation {
  const validate = validator(schema);
  return { ...about, run: (kms, call, body) => run(kms, call, validate(body)) };
}
