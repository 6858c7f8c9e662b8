import {
  authenticated,
  BY_SIGNATURE,
  directory,
  INVALID_DATE,
  privateKey,
  refused,
  SKEWED,
} from './authentication';
import { HEADERS, NOW, signed, withHeader } from './signed';

describe('the date', () => {
  const dated = (date: string) => signed(privateKey, withHeader(HEADERS, 'date', date));

  it.each([
    'Sun, 22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 05:23:50 UTC',
    // Whoever signs it has a calendar of their own.
    'Mon, 22 Nov 2026 05:23:50 GMT',
  ])('may be %s', async (date) => {
    await expect(authenticated(dated(date))).resolves.toEqual(BY_SIGNATURE);
  });

  it.each([
    'now',
    '22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 05:23:50',
    'Sun, 22 Nov 2026 05:23:50 CET',
    'Sun, 22 Nov 2026 05:23:50 +0000',
    'Sun, 22 Nov 2026 05:23:50 GMT ',
    'Sun, 22 Nov 2026 5:23:50 GMT',
    'Sun,  22 Nov 2026 05:23:50 GMT',
    'Sun, 22 Nov 26 05:23:50 GMT',
    'Sunday, 22-Nov-26 05:23:50 GMT',
    'Sun Nov 22 05:23:50 2026',
    'Sun, 31 Nov 2026 05:23:50 GMT',
    'Sun, 00 Nov 2026 05:23:50 GMT',
    'Sun, 29 Feb 2026 05:23:50 GMT',
    'Sun, 22 Nov 2026 24:00:00 GMT',
    'Sun, 22 Nov 2026 05:60:50 GMT',
    'Sun, 22 Nov 2026 05:23:60 GMT',
    'Sun, 22 Nov 0000 05:23:50 GMT',
    'Xyz, 22 Nov 2026 05:23:50 GMT',
    'sun, 22 nov 2026 05:23:50 gmt',
    '2026-11-22T05:23:50Z',
    '20261122T052350Z',
    '1795325030',
    'undefined',
  ])('may not be "%s"', async (date) => {
    expect(await refused(dated(date))).toEqual(INVALID_DATE);
  });

  it.each([-15 * 60_000, -14 * 60_000, 14 * 60_000, 15 * 60_000])('may be %i ms off', async (skew) => {
    await expect(authenticated(signed(privateKey), { now: NOW + skew })).resolves.toEqual(BY_SIGNATURE);
  });

  it.each([-16 * 60_000, -15 * 60_000 - 1, 15 * 60_000 + 1, 16 * 60_000, 1e12, -1e12])(
    'may not be %i ms off, and nobody is looked up then',
    async (skew) => {
      const principals = directory();
      const now = NOW + skew;
      const unknown = signed(privateKey, withHeader(HEADERS, 'x-kms-acccesskeyid', 'KAAP.nobody'));
      const forged = withHeader(signed(privateKey), 'authorization', 'Bearer AAAA');
      for (const pairs of [signed(privateKey), unknown, forged]) {
        expect(await refused(pairs, { now, principals })).toEqual(SKEWED);
      }
      expect(principals.findClientKey).not.toHaveBeenCalled();
    },
  );
});
