import { parseDuration } from '../../../src/cli/duration';

it.each([
  ['1s', 1_000],
  ['15m', 900_000],
  ['24h', 86_400_000],
  ['90d', 7_776_000_000],
  ['99999d', 8_639_913_600_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(['', '15', 'm', '0s', '-1m', '1.5h', '15 m', '1w', '1h30m', '100000d'])('%j is none', (text) => {
  expect(() => parseDuration(text)).toThrow(
    /is no duration: write a number from 1 to 99999 with s, m, h or d, such as 15m or 24h$/,
  );
});
