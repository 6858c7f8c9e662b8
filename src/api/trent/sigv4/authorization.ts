import { incomplete, invalid } from './errors';
import { type Headers, signedNames } from './headers';
import { type Timestamp, timestampOf } from './timestamp';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
export const TERMINATOR = 'aws4_request';

const PARAMETERS = ['Credential', 'SignedHeaders', 'Signature'] as const;
type Parameter = (typeof PARAMETERS)[number];

/** What an Authorization header of AWS Signature Version 4 says, and the time it was said at. */
export interface Authorization {
  readonly accessKeyId: string;
  /** DATE/REGION/SERVICE/TERMINATOR, as signed. */
  readonly scope: string;
  readonly signedNames: readonly string[];
  readonly signature: string;
  readonly signedAt: Timestamp;
}

/** What a credential's scope must say, besides its date. */
interface Scope {
  readonly region: string;
  readonly service: string;
}

/**
 * Reads the Authorization header and its date, and holds the credential's scope against ours.
 * @throws SignatureError
 */
export function readAuthorization(headers: Headers, ours: Scope): Authorization {
  const found = parametersOf(headers.get('authorization')?.[0] ?? '');
  const date = (headers.get('x-amz-date') ?? headers.get('date'))?.[0];
  const credential = found.get('Credential');
  const names = found.get('SignedHeaders');
  const signature = found.get('Signature');
  if (!credential || !names || !signature || !date) throw incomplete(whatLacks(found, date));
  const signedAt = timestampOf(date);
  if (!signedAt) {
    throw incomplete("Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  const [accessKeyId = '', ...scope] = credential.split('/');
  assertScope(scope, signedAt.date, ours);
  return { accessKeyId, scope: scope.join('/'), signedNames: signedNames(names), signature, signedAt };
}

/** Nothing of the header is repeated in the errors: whatever came instead of a signature may be a secret. */
function parametersOf(header: string): ReadonlyMap<Parameter, string> {
  const text = header.trim();
  const [algorithm] = text.split(' ', 1);
  if (algorithm !== ALGORITHM)
    throw incomplete(`Unsupported AWS 'algorithm': only ${ALGORITHM} is supported.`);
  const found = new Map<Parameter, string>();
  const rest = text.slice(ALGORITHM.length).trim();
  for (const part of rest === '' ? [] : rest.split(',')) {
    const [name = '', ...value] = part.trim().split('=');
    if (value.length === 0) {
      throw incomplete(
        'A part of the Authorization header is not a valid key=value pair (missing equal-sign).',
      );
    }
    const parameter = PARAMETERS.find((known) => known === name);
    if (!parameter || found.has(parameter)) {
      throw incomplete('Authorization header takes each of Credential, SignedHeaders and Signature once.');
    }
    found.set(parameter, value.join('='));
  }
  return found;
}

function whatLacks(found: ReadonlyMap<Parameter, string>, date: string | undefined): string {
  const lacking = PARAMETERS.filter((name) => !found.get(name)).map(
    (name) => `Authorization header requires '${name}' parameter.`,
  );
  if (!date) {
    lacking.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  return lacking.join(' ');
}

function assertScope(scope: readonly string[], date: string, ours: Scope): void {
  const [scopeDate, region, service, terminator] = scope;
  if (scope.length !== 4) {
    throw incomplete(
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.',
    );
  }
  const faults: string[] = [];
  if (region !== ours.region) faults.push('Credential should be scoped to a valid region.');
  if (service !== ours.service)
    faults.push(`Credential should be scoped to correct service: '${ours.service}'.`);
  if (terminator !== TERMINATOR) {
    faults.push(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
  }
  if (scopeDate !== date) {
    faults.push('Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.');
  }
  if (faults.length > 0) throw invalid(faults.join(' '));
}
