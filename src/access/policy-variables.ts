/** Variables in policies: `${aws:username}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the characters. */
import { type AccessRequest, valuesOf } from './access-request';
import type { PolicyVersion } from './policy-document';

/** A text of a policy, its variables replaced. */
export interface Expanded {
  readonly text: string;
  /** Where a `*` or `?` came in with a value, and so stands for itself. */
  readonly literals?: ReadonlySet<number>;
}

interface Variable {
  readonly start: number;
  readonly end: number;
  /** A key, in lower case. */
  readonly name: string;
  readonly fallback?: string;
}

const OPENING = '${';

/** Whether a text has variables at all; the older version of policies knows none. */
export const hasVariables = (text: string, version: PolicyVersion): boolean =>
  version === '2012-10-17' && text.includes(OPENING);

/** Undefined if the request has not exactly one value for a variable that has no default. */
export function expandVariables(
  text: string,
  version: PolicyVersion,
  request: AccessRequest,
): Expanded | undefined {
  if (!hasVariables(text, version)) return { text };
  const literals = new Set<number>();
  let expanded = '';
  let from = 0;
  for (const variable of variablesIn(text)) {
    const value = valueOfVariable(variable, request);
    if (value === undefined) return undefined;
    expanded += text.slice(from, variable.start);
    for (let at = 0; at < value.length; at += 1) {
      if (value[at] === '*' || value[at] === '?') literals.add(expanded.length + at);
    }
    expanded += value;
    from = variable.end;
  }
  return { text: expanded + text.slice(from), literals };
}

/** The keys that a text has variables of, in lower case. */
export const variableNames = (text: string): string[] => variablesIn(text).map(({ name }) => name);

function variablesIn(text: string): Variable[] {
  const found: Variable[] = [];
  let start = text.indexOf(OPENING);
  while (start >= 0) {
    const close = text.indexOf('}', start);
    if (close < 0) break;
    const inner = text.slice(start + OPENING.length, close);
    found.push({ start, end: close + 1, ...nameAndFallback(inner) });
    start = text.indexOf(OPENING, close);
  }
  return found;
}

function nameAndFallback(inner: string): { name: string; fallback?: string } {
  const comma = inner.indexOf(',');
  const rest = comma < 0 ? '' : inner.slice(comma + 1).trim();
  if (rest.length < 2 || !rest.startsWith("'") || !rest.endsWith("'")) {
    return { name: inner.trim().toLowerCase() };
  }
  return { name: inner.slice(0, comma).trim().toLowerCase(), fallback: rest.slice(1, -1) };
}

function valueOfVariable({ name, fallback }: Variable, request: AccessRequest): string | undefined {
  if (name === '*' || name === '?' || name === '$') return name;
  const values = valuesOf(request, name);
  if (!values || values.length === 0) return fallback;
  return values.length === 1 ? values[0] : undefined;
}
