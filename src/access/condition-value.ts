/** Reading what conditions compare; each returns undefined for what is no such value. */

export function readNumber(text: string): number | undefined {
  return /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

export function readTruth(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}

/** Base64 as it is: what is canonical is equal if its bytes are. */
export const readBinary = (text: string): string | undefined =>
  Buffer.from(text, 'base64').toString('base64') === text ? text : undefined;

const W3C_DATE = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?$/;

/** W3C's profile of ISO 8601, or seconds since 1970; in milliseconds since 1970. */
export function readDate(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const time = W3C_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
