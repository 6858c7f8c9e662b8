/** How far a signer's clock may be from ours, either way. */
const SKEW_MINUTES = 5;
const SKEW_MS = SKEW_MINUTES * 60_000;

/** A moment as a request gives it. */
export interface Timestamp {
  /** YYYYMMDDTHHMMSSZ. */
  readonly text: string;
  /** YYYYMMDD. */
  readonly date: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Reads ISO 8601's basic format, the one that AWS takes. Undefined for anything else, and for no such moment. */
export function timestampOf(text: string): Timestamp | undefined {
  if (!BASIC.test(text)) return undefined;
  const time = Date.parse(text.replace(BASIC, '$1-$2-$3T$4:$5:$6Z'));
  if (Number.isNaN(time) || format(time) !== text) return undefined;
  return { text, date: text.slice(0, 8), time };
}

/** YYYYMMDD in UTC. */
export const dateOf = (moment: Date) => format(moment.getTime()).slice(0, 8);

/** Why a signature of that moment is not good now, in AWS's words; undefined if it is. */
export function staleness({ text, time }: Timestamp, now: Date): string | undefined {
  const ours = now.getTime();
  if (time < ours - SKEW_MS) {
    const limit = `${format(ours - SKEW_MS)} (${format(ours)} - ${SKEW_MINUTES} min.)`;
    return `Signature expired: ${text} is now earlier than ${limit}`;
  }
  if (time > ours + SKEW_MS) {
    const limit = `${format(ours + SKEW_MS)} (${format(ours)} + ${SKEW_MINUTES} min.)`;
    return `Signature not yet current: ${text} is still later than ${limit}`;
  }
  return undefined;
}

const format = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
