/** The candidate that was probably meant: at most two letters off, whatever its case and underscores. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, off: distance(plain(name), plain(candidate)) }));
  const best = scored.reduce((a, b) => (b.off < a.off ? b : a));
  return best.off <= 2 ? best.candidate : undefined;
}

function plain(name: string): string {
  const lower = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return lower.replace(/^p11kms/, '');
}

/** Levenshtein's: the insertions, deletions and replacements that turn one string into the other. */
function distance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_none, index) => index);
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}
