/**
 * Whether a text matches a pattern in which `*` is any number of characters and `?` is one. Takes time in
 * proportion to the product of their lengths at worst, which no regular expression made of a pattern promises.
 */
export function matchesWildcards(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  let place = 0;
  while (place < text.length) {
    if (pattern[at] === '*') {
      star = at;
      resume = place;
      at += 1;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[place])) {
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
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
