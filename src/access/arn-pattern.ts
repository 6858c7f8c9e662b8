/** ARNs against patterns, part by part. */
import type { Expanded } from './policy-variables';
import { matchesWildcards } from './wildcards';

const PARTS = 6;

/**
 * Whether an ARN matches a pattern whose wildcards do not reach beyond the colons. The last of the six parts takes
 * all further colons; ARNs with fewer parts match patterns with as few.
 */
export function matchesArn({ text, literals }: Expanded, arn: string): boolean {
  if (!arn.startsWith('arn:')) return false;
  let from = 0;
  let arnFrom = 0;
  for (let part = 1; part <= PARTS; part += 1) {
    const end = endOfPart(text, from, part);
    const arnEnd = endOfPart(arn, arnFrom, part);
    const own = literals?.size ? within(literals, from, end) : undefined;
    if (!matchesWildcards(text.slice(from, end), arn.slice(arnFrom, arnEnd), own)) return false;
    if (end === text.length || arnEnd === arn.length) return end === text.length && arnEnd === arn.length;
    from = end + 1;
    arnFrom = arnEnd + 1;
  }
  return true;
}

function endOfPart(text: string, from: number, part: number): number {
  const colon = part === PARTS ? -1 : text.indexOf(':', from);
  return colon < 0 ? text.length : colon;
}

function within(places: ReadonlySet<number>, from: number, end: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (const place of places) if (place >= from && place < end) found.add(place - from);
  return found;
}
