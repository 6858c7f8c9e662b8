/**
 * Whether a text matches a pattern in which `*` is any number of characters and `?` is one. Takes time in
 * proportion to the product of their lengths at worst, which no regular expression made of a pattern promises.
 *
 * @param literals where in the pattern a `*` or `?` stands for itself
 */
export function matchesWildcards(pattern: string, text: string, literals?: ReadonlySet<number>): boolean {
  if (pattern === '*' && !literals?.has(0)) return true;
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
