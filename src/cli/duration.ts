import { StartError } from '../errors';

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION = /^([1-9]\d{0,4})([smhd])$/;

/**
 * A duration as people write it, such as `15m` or `24h`, in milliseconds. From one second to 99999 days.
 *
 * @throws StartError
 */
export function parseDuration(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (unit === undefined) {
    throw new StartError(
      `"${text.slice(0, 20)}" is no duration: write a number from 1 to 99999 with s, m, h or d, such as 15m or 24h`,
    );
  }
  return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
