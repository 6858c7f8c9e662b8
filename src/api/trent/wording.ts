import type { ErrorObject } from 'ajv';
import { KmsError } from '../../errors';

// AWS's words for what is wrong with a request, member by member.

/** A value is echoed up to so many characters. */
const MAX_ECHO = 256;

/** Why a value of another JSON type cannot be a `wanted`: what SerializationException says. */
export function conversionFault(value: unknown, wanted: string): string {
  if (Array.isArray(value)) return 'Start of list found where not expected';
  if (typeof value === 'object') return 'Start of structure or map found where not expected.';
  if (wanted === 'list' || wanted === 'map') return `Expected ${wanted} or null`;
  if (wanted === 'structure') return 'Expected null';
  const found = typeof value === 'boolean' ? String(value).toUpperCase() : (typeof value).toUpperCase();
  return `${found}_VALUE can not be converted to ${NOUNS[wanted] ?? wanted}`;
}

/** The pattern of text that every store can hold: no U+0000, and no half of a surrogate pair. */
export const STORABLE = '[^\\u0000\\p{Cs}]*';
/** The pattern of text that UTF-8 has bytes for. */
export const WELL_FORMED = '\\P{Cs}*';

/** What a value breaks that does not match. */
export const unlike = (pattern: string) => `Member must satisfy regular expression pattern: ${pattern}`;

const NOUNS: Record<string, string> = {
  string: 'a String',
  blob: 'a Blob',
  boolean: 'a Boolean',
  integer: 'an Integer',
};

/** The constraint that a length breaks, if any. */
export function lengthBetween(length: number, min: number, max: number): string | undefined {
  if (length < min) return atLeast('length', min);
  return length > max ? atMost('length', max) : undefined;
}

/** The type that the API gives to a member; JSON knows fewer. */
export function typeOfMember({ parentSchema = {}, params }: ErrorObject): string {
  if (parentSchema.blob) return 'blob';
  if (params.type === 'array') return 'list';
  if (params.type === 'object') return parentSchema.textMap ? 'map' : 'structure';
  return params.type;
}

/** A broken constraint: `Value 'x' at 'keyId' failed to satisfy constraint: Member must …`. */
export function constraintFault(error: ErrorObject): string {
  const { keyword, instancePath, params, parentSchema, data } = error;
  if (keyword === 'required') {
    const member: string = params.missingProperty;
    const path = memberPath(`${instancePath}/${member}`);
    return absence(path, parentSchema?.properties?.[member]?.sensitive ? 'Value' : 'Value null');
  }
  const isOpen = parentSchema && !(parentSchema.sensitive || parentSchema.blob || parentSchema.textMap);
  const value = isOpen ? `Value '${echo(data)}'` : 'Value';
  return `${value} at '${memberPath(instancePath)}' failed to satisfy constraint: ${constraint(error)}`;
}

/** The faults of a request, in one error. */
export function invalidRequest(faults: readonly string[]): KmsError {
  const count = faults.length === 1 ? '1 validation error' : `${faults.length} validation errors`;
  return new KmsError('INVALID_REQUEST', `${count} detected: ${faults.join('; ')}`);
}

/** A member is missing that the API does not always require, but does here. */
export const missing = (member: string): KmsError => invalidRequest([absence(camel(member), 'Value null')]);

const absence = (path: string, value: string): string =>
  `${value} at '${path}' failed to satisfy constraint: Member must not be null`;

function constraint({ keyword, params, schema, message }: ErrorObject): string {
  switch (keyword) {
    case 'minLength':
      return atLeast('length', params.limit);
    case 'maxLength':
      return atMost('length', params.limit);
    case 'minimum':
      return atLeast('value', params.limit);
    case 'maximum':
      return atMost('value', params.limit);
    case 'pattern':
      return unlike(params.pattern);
    case 'enum':
      return `Member must satisfy enum value set: [${params.allowedValues.join(', ')}]`;
    default:
      return message ?? `Member must satisfy ${keyword} ${JSON.stringify(schema)}`;
  }
}

const atLeast = (what: string, limit: number) => `Member must have ${what} greater than or equal to ${limit}`;
const atMost = (what: string, limit: number) => `Member must have ${what} less than or equal to ${limit}`;

/** `/Tags/0/TagKey` as AWS writes it: `tags.1.member.tagKey`. */
const memberPath = (instancePath: string): string =>
  instancePath
    .slice(1)
    .split('/')
    .map((part) => (/^\d+$/.test(part) ? `${Number(part) + 1}.member` : camel(part)))
    .join('.');

const camel = (member: string): string => member.charAt(0).toLowerCase() + member.slice(1);

function echo(value: unknown): string {
  const text = Array.isArray(value) ? `[${value.slice(0, MAX_ECHO).map(String).join(', ')}]` : String(value);
  // Not every client can read half of a surrogate pair.
  return (text.length > MAX_ECHO ? `${text.slice(0, MAX_ECHO)}…` : text).toWellFormed();
}
