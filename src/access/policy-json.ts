/** Reading JSON that has a grammar: a value knows where it stands, so that a fault can say so. */
import { KmsError } from '../errors';

/** A value in a document. */
export interface Place {
  readonly value: unknown;
  /** Such as `Statement[0].Principal.AWS`; empty for the document. */
  readonly path: string;
}

/** Names out of a document are quoted up to so many characters. */
const MAX_QUOTE = 64;

export const malformed = ({ path }: Place, fault: string): KmsError =>
  new KmsError('MALFORMED_POLICY', `${path === '' ? 'The policy' : path} ${fault}`);

export const quote = (text: string): string => `"${text.slice(0, MAX_QUOTE)}"`;

/** The members of an object. */
export function membersOf(place: Place): Map<string, Place> {
  const { value, path } = place;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(place, 'must be an object.');
  }
  const child = (name: string) => (path === '' ? name : `${path}.${name.slice(0, MAX_QUOTE)}`);
  return new Map(
    Object.entries(value).map(([name, inner]) => [name, { value: inner, path: child(name) }] as const),
  );
}

/** The members of an object that may have these and no others. */
export function knownMembersOf<Name extends string>(
  place: Place,
  names: readonly Name[],
): Partial<Record<Name, Place>> {
  const members = membersOf(place);
  const known: readonly string[] = names;
  for (const name of members.keys()) {
    if (!known.includes(name)) throw malformed(place, `has the unknown member ${quote(name)}.`);
  }
  return Object.fromEntries(members) as Partial<Record<Name, Place>>;
}

/** The items of a list that is not empty; what is no list is one of one. */
export function itemsOf(place: Place): Place[] {
  const { value, path } = place;
  if (!Array.isArray(value)) return [place];
  if (value.length === 0) throw malformed(place, 'must not be empty.');
  return value.map((item: unknown, index) => ({ value: item, path: `${path}[${index}]` }));
}

const STRING_OR_BRACE = /("[^"\\]*(?:\\.[^"\\]*)*")\s*(:?)|[{}]/gs;

/**
 * Of a member that is there twice, JSON.parse drops the first without a word: a policy may then allow more than it says.
 * Not asked when a policy is read out of the store, where one that was put before must not lock its key.
 *
 * @param text JSON, or what will be refused as none
 * @throws KmsError MALFORMED_POLICY
 */
export function assertNoRepeats(text: string): void {
  const open: Set<string>[] = [];
  for (const [token, written, colon] of text.matchAll(STRING_OR_BRACE)) {
    if (token === '{') open.push(new Set());
    else if (token === '}') open.pop();
    else if (written !== undefined && colon === ':') {
      const names = open.at(-1);
      const name = unescaped(written);
      if (names?.has(name))
        throw new KmsError(
          'MALFORMED_POLICY',
          `The policy has the member ${quote(name)} twice in one place.`,
        );
      names?.add(name);
    }
  }
}

function unescaped(written: string): string {
  try {
    return JSON.parse(written) as string;
  } catch {
    return written;
  }
}

export function textOf(place: Place): string {
  if (typeof place.value !== 'string') throw malformed(place, 'must be a string.');
  return place.value;
}

export function oneOf<T extends string>(place: Place, values: readonly T[]): T {
  const text = textOf(place);
  const found = values.find((value) => value === text);
  if (found === undefined) throw malformed(place, `must be ${values.map(quote).join(' or ')}.`);
  return found;
}
