import { KmsError } from '../errors';

/** Requests a second; no bound where there is none. */
export interface QuotaLimits {
  readonly cryptographic?: number;
  readonly keyPairs?: number;
  readonly management?: number;
}

/** What each principal may ask of this process in a second, and at once after a pause. */
export interface Quota {
  /** @throws KmsError THROTTLED */
  take(principalArn: string, operation: string): void;
}

const CRYPTOGRAPHIC = /^((Advance)?(Encrypt|Decrypt)|ReEncrypt|GenerateRandom|(Advance)?GenerateDataKey(WithoutPlaintext)?)$/;
const KEY_PAIRS = /^(Advance)?GenerateDataKeyPair(WithoutPlaintext)?$/;

/** @param now milliseconds, of a clock that never goes back */
export function createQuota(limits: QuotaLimits, now: () => number = () => performance.now()): Quota {
  const groups = {
    cryptographic: bucketsOf(limits.cryptographic),
    keyPairs: bucketsOf(limits.keyPairs),
    management: bucketsOf(limits.management),
  };
  return {
    take(principalArn, operation) {
      if (!groups[groupOf(operation)](principalArn, now())) throw new KmsError('THROTTLED', 'Rate exceeded');
    },
  };
}

function groupOf(operation: string): keyof QuotaLimits {
  if (CRYPTOGRAPHIC.test(operation)) return 'cryptographic';
  return KEY_PAIRS.test(operation) ? 'keyPairs' : 'management';
}

const BURST_MS = 1000;
/** Sums of the intervals differ from their product in the last digits. */
const ROUNDING_MS = 1e-6;

/**
 * A token bucket for each principal, which holds one second's worth. Of a bucket only the time is kept at which it
 * will be full again: a request moves that by one interval, and there is room as long as it is not more than a
 * second away.
 */
function bucketsOf(perSecond: number | undefined): (principal: string, now: number) => boolean {
  if (perSecond === undefined) return () => true;
  const interval = 1000 / perSecond;
  const fullAt = new Map<string, number>();
  return (principal, now) => {
    dropFull(fullAt, now);
    const next = Math.max(fullAt.get(principal) ?? now, now) + interval;
    if (next - now > BURST_MS + ROUNDING_MS) return false;
    // The map keeps the order of insertion: those that took last are behind.
    fullAt.delete(principal);
    fullAt.set(principal, next);
    return true;
  };
}

/** From the front, so that it costs no more than what was put in; one that is not full yet is so within a second. */
function dropFull(fullAt: Map<string, number>, now: number): void {
  for (const [principal, time] of fullAt) {
    if (time > now) return;
    fullAt.delete(principal);
  }
}
