/** Long enough that no text holds it by chance, and a multiple of base64's three bytes. */
const PIECE_BYTES = 18;

/**
 * The texts by which bytes could be recognised in what a program printed: as UTF-8, in base64, in hex, as a list of
 * numbers. Of long ones every part, so that a part of them is found as well.
 */
export function traces(secret: Buffer): string[] {
  const pieces: Buffer[] = [];
  for (let start = 0; start + PIECE_BYTES <= secret.length; start += PIECE_BYTES) {
    pieces.push(secret.subarray(start, start + PIECE_BYTES));
  }
  return (pieces.length > 0 ? pieces : [secret]).flatMap(forms);
}

function forms(piece: Buffer): string[] {
  const hex = piece.toString('hex');
  const base64 = piece.toString('base64').replace(/=+$/, '');
  const texts = [
    base64,
    base64.replaceAll('+', '-').replaceAll('/', '_'),
    hex,
    hex.toUpperCase(),
    hex.replace(/..(?!$)/g, '$& '),
    [...piece].join(','),
  ];
  const text = piece.toString('utf8');
  return Buffer.from(text, 'utf8').equals(piece) ? [...texts, text] : texts;
}
