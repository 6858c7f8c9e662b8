/** Grant constraints: the encryption context that a grant's operations need. */
import { KmsError } from '../errors';
import type { EncryptionContext } from './encryption-context';
import { textLength } from './text-length';

/** `equals`: the context must be this one; `subset`: it must have these pairs, and may have others. */
export interface GrantConstraints {
  readonly kind: 'equals' | 'subset';
  readonly pairs: EncryptionContext;
}

const MAX_PAIRS = 8;
const MAX_LENGTH = 384;

/**
 * Of the two kinds, a grant has one or none.
 *
 * @throws KmsError INVALID_REQUEST where there are both, LIMIT_EXCEEDED
 */
export function checkConstraints(
  equals: EncryptionContext | undefined,
  subset: EncryptionContext | undefined,
): GrantConstraints | undefined {
  if (equals && subset) throw new KmsError('INVALID_REQUEST', 'More than one constraint supplied');
  const pairs = equals ?? subset;
  if (!pairs) return undefined;
  if (pairs.size > MAX_PAIRS) throw tooMuch(`can have at most ${MAX_PAIRS} pairs.`);
  if ([...pairs].flat().some((text) => textLength(text) > MAX_LENGTH)) {
    throw tooMuch(`can have keys and values of at most ${MAX_LENGTH} characters.`);
  }
  return { kind: equals ? 'equals' : 'subset', pairs };
}

const tooMuch = (what: string): KmsError => new KmsError('LIMIT_EXCEEDED', `A grant constraint ${what}`);

/** As the store keeps it: JSON, the same for the same constraints. */
export function encodeConstraints({ kind, pairs }: GrantConstraints): string {
  const sorted = [...pairs].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ [kind]: Object.fromEntries(sorted) });
}

export function decodeConstraints(text: string): GrantConstraints {
  const kinds = JSON.parse(text) as Partial<Record<GrantConstraints['kind'], Record<string, string>>>;
  const kind = kinds.equals ? 'equals' : 'subset';
  return { kind, pairs: new Map(Object.entries(kinds[kind] ?? {})) };
}
