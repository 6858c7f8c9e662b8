/** Patterns and texts whose lengths have a larger product are matched all at once. */
const MOST_STEPS = 50_000;

/**
 * Whether a text matches a pattern in which `*` is any number of characters and `?` is one. No pattern takes long,
 * which no regular expression made of a pattern promises.
 *
 * @param literals where in the pattern a `*` or `?` stands for itself
 */
export function matchesWildcards(pattern: string, text: string, literals?: ReadonlySet<number>): boolean {
  if (pattern === '*' && !literals?.has(0)) return true;
  if (pattern.length * text.length > MOST_STEPS) return matchesAtOnce(pattern, text, literals);
  return matchesByStep(pattern, text, literals);
}

/** Goes back to the last star for every mismatch, and so takes at worst as many steps as the product of the lengths. */
export function matchesByStep(pattern: string, text: string, literals?: ReadonlySet<number>): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let place = 0;
  while (place < text.length) {
    if (pattern[at] === '*' && !literals?.has(at)) {
      star = at;
      resume = place;
      at += 1;
    } else if (isOne(pattern, at, text, place, literals)) {
      at += 1;
      place += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      resume += 1;
      place = resume;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*' && !literals?.has(at)) at += 1;
  return at === pattern.length;
}

const isOne = (
  pattern: string,
  at: number,
  text: string,
  place: number,
  literals: ReadonlySet<number> | undefined,
): boolean => pattern[at] === text[place] || (pattern[at] === '?' && !literals?.has(at));

/**
 * Knows for each character of the text all the beginnings of the pattern that what came so far matches, as the bits of
 * one number: bit n is for the first n characters, stars not counted.
 */
export function matchesAtOnce(pattern: string, text: string, literals?: ReadonlySet<number>): boolean {
  const takenBy = new Map<string, bigint>();
  let takenByAll = 0n;
  let stays = 0n;
  let last = 1n;
  for (let at = 0; at < pattern.length; at += 1) {
    const wanted = pattern[at] ?? '';
    const isWild = !literals?.has(at);
    if (wanted === '*' && isWild) {
      stays |= last;
    } else {
      last <<= 1n;
      if (wanted === '?' && isWild) takenByAll |= last;
      else takenBy.set(wanted, (takenBy.get(wanted) ?? 0n) | last);
    }
  }
  let matched = 1n;
  for (let place = 0; place < text.length && matched !== 0n; place += 1) {
    const taken = takenByAll | (takenBy.get(text[place] ?? '') ?? 0n);
    matched = ((matched << 1n) & taken) | (matched & stays);
  }
  return (matched & last) !== 0n;
}
