import Ajv from 'ajv';
import type {
  AnySchemaObject,
  DataValidateFunction,
  DataValidationCxt,
  SchemaValidateFunction,
} from 'ajv/dist/types';
import { textLength } from '../../kms/text-length';
import { decodeBase64 } from './base64';
import { conversionFault, lengthBetween, STORABLE, unlike, WELL_FORMED } from './wording';

/**
 * What a keyword of ours finds wrong. `malformed`: not of the member's type; `constraint`: of the type, but
 * not allowed; `unsupported`: allowed by the API, but not something p11kms has.
 */
export interface Finding {
  readonly keyword: 'malformed' | 'constraint' | 'unsupported';
  readonly message: string;
}

interface TextList {
  readonly maxItems: number;
  readonly minLength: number;
  readonly maxLength: number;
  /** The only texts there are, if they are few. */
  readonly values?: readonly string[];
}

/** What p11kms has of a member's values, and why not the others: the end of a sentence. */
interface Support {
  readonly values: readonly unknown[];
  readonly why?: string;
}

/** A value is judged, and may be replaced by what the operations want in its place. */
type Judge<P, V> = (
  parameter: P,
  value: V,
  replace: (by: unknown) => void,
  member: string,
) => Finding | undefined;

/** The validator of all requests: patterns match whole values, as in AWS. */
export const ajv = new Ajv({
  allErrors: true,
  verbose: true,
  // The schemas are ours, and strict mode looks at each keyword; to compile the schema of schemas takes 60 ms.
  validateSchema: false,
  code: { regExp: Object.assign(wholeMatch, { code: 'wholeMatch' }) },
});

ajv.addKeyword({ keyword: 'sensitive', schemaType: 'boolean' });
ajv.addKeyword(keyword('blob', 'string', judgeBlob));
ajv.addKeyword(keyword('textMap', 'object', judgeTextMap));
ajv.addKeyword(keyword('textList', 'array', judgeTextList));
ajv.addKeyword(keyword('supported', undefined, judgeSupport));
ajv.addKeyword({ keyword: 'listOf', type: 'array', modifying: true, errors: true, compile: judgeItems });

/** `blob: { min, max }`: base64 of so many bytes; becomes a Buffer. */
function judgeBlob(
  size: { min: number; max: number },
  value: string,
  replace: (by: Buffer) => void,
): Finding | undefined {
  const bytes = decodeBase64(value);
  if (!bytes) return { keyword: 'malformed', message: 'STRING_VALUE can not be converted to a Blob' };
  replace(bytes);
  const fault = lengthBetween(bytes.length, size.min, size.max);
  return fault === undefined ? undefined : { keyword: 'constraint', message: fault };
}

/**
 * `textMap: true`: an object whose values are strings; becomes a Map, in which `__proto__` is a key like any
 * other. The first fault ends the check: a body may hold thousands.
 */
function judgeTextMap(
  _on: true,
  value: object,
  replace: (by: ReadonlyMap<string, string>) => void,
): Finding | undefined {
  const entries = Object.entries(value);
  for (const [name, text] of entries) {
    if (!name.isWellFormed()) return mismatch('Map keys', WELL_FORMED);
    if (text === null) {
      return {
        keyword: 'constraint',
        message: 'Map value must satisfy constraint: [Member must not be null]',
      };
    }
    if (typeof text !== 'string') return { keyword: 'malformed', message: conversionFault(text, 'string') };
    if (!text.isWellFormed()) return mismatch('Map value', WELL_FORMED);
  }
  replace(new Map(entries));
  return undefined;
}

/** What is wrong with members of a list or map whose pattern they do not match. */
const mismatch = (what: string, pattern: string): Finding => ({
  keyword: 'constraint',
  message: `${what} must satisfy constraint: [${unlike(pattern)}]`,
});

const isStorable = wholeMatch(STORABLE, 'u');

/** `textList: { … }`: strings. One keyword and not `items`, because `items` would list every fault of a long list. */
function judgeTextList(limits: TextList, value: readonly unknown[]): Finding | undefined {
  const { maxItems, minLength, maxLength, values } = limits;
  const odd = value.find((text) => text !== null && typeof text !== 'string');
  if (odd !== undefined) return { keyword: 'malformed', message: conversionFault(odd, 'string') };
  const fault = lengthBetween(value.length, 0, maxItems);
  if (fault !== undefined) return { keyword: 'constraint', message: fault };
  const fits = (text: unknown): text is string =>
    typeof text === 'string' &&
    lengthBetween(textLength(text), minLength, maxLength) === undefined &&
    (values?.includes(text) ?? true);
  if (value.every(fits)) {
    return value.every((text) => isStorable.test(text)) ? undefined : mismatch('Member', STORABLE);
  }
  const constraints = [
    ...(values ? [`Member must satisfy enum value set: [${values.join(', ')}]`] : []),
    `Member must have length less than or equal to ${maxLength}`,
    `Member must have length greater than or equal to ${minLength}`,
    'Member must not be null',
  ];
  return { keyword: 'constraint', message: `Member must satisfy constraint: [${constraints.join(', ')}]` };
}

/**
 * `listOf: schema`: a list of such structures. Not `items`, because that would list every fault of a long list: the
 * first item at fault ends the check. The faults themselves are in `params.faults`, each with its place in the body.
 */
function judgeItems(item: AnySchemaObject): DataValidateFunction {
  const check = ajv.compile(item);
  const validate: DataValidateFunction = (list: unknown[], place) => {
    const at = list.findIndex((value) => {
      dropNulls(item, value);
      return !check(value);
    });
    if (at < 0) return true;
    const faults = (check.errors ?? []).map((error) => ({
      ...error,
      instancePath: `${place?.instancePath}/${at}${error.instancePath}`,
    }));
    validate.errors = [{ keyword: 'listOf', params: { faults } }];
    return false;
  };
  return validate;
}

/** In the API a member that is null is a member that is not there, at every depth. */
export function dropNulls(schema: AnySchemaObject, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries<AnySchemaObject>(schema.properties ?? {})) {
    if (members[name] === null) delete members[name];
    else if (member.properties) dropNulls(member, members[name]);
  }
}

/** `supported: { values, why }`: what p11kms has of a member's values; none: not the member at all. */
function judgeSupport(
  { values, why }: Support,
  value: unknown,
  _replace: unknown,
  member: string,
): Finding | undefined {
  // An empty list asks for nothing.
  if (Array.isArray(value) && value.length === 0) return undefined;
  if (values.length === 0) return unsupported(member, why);
  // What is of another type is `type`'s to refuse, and not to be made text of here.
  if (typeof value !== 'string' && typeof value !== 'boolean') return undefined;
  return values.includes(value) ? undefined : unsupported(`${member} ${value}`, why);
}

function unsupported(what: string, why: string | undefined): Finding {
  const message = why === undefined ? `${what} is not supported.` : `${what} is not supported: ${why}.`;
  return { keyword: 'unsupported', message };
}

function keyword<P, V>(name: string, type: 'string' | 'object' | 'array' | undefined, judge: Judge<P, V>) {
  const validate: SchemaValidateFunction = (
    parameter: P,
    value: V,
    parentSchema?: AnySchemaObject,
    place?: DataValidationCxt,
  ) => {
    if (!place || !parentSchema) throw new Error(`${name} is for members`);
    const { parentData, parentDataProperty: member } = place;
    const finding = judge(parameter, value, (by) => (parentData[member] = by), String(member));
    if (finding === undefined) return true;
    validate.errors = [{ ...finding, parentSchema }];
    return false;
  };
  return { keyword: name, ...(type && { type }), modifying: true, errors: true, validate };
}

function wholeMatch(pattern: string, flags: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, flags);
}
