import { expect, test } from 'vitest';
import { bytes, counted, duration, number, percent } from '../../src/lib/format.ts';

test('numbers have three digits and a true minus', () => {
  expect([12345.6, 0.012345, -1.5, 7, NaN].map(number)).toEqual(['12,346', '0.0123', '\u22121.5', '7', '–']);
});

test('times and sizes have a unit that fits', () => {
  expect([0.2, 83.4, 403, 7300].map(duration)).toEqual(['under 1 s', '83 s', '7 min', '2 h 2 min']);
  expect([12, 1536, 250_000_000].map(bytes)).toEqual(['12\u00a0B', '1.5\u00a0kB', '250\u00a0MB']);
});

test('parts and counts are words', () => {
  expect([0.9731, 1, 0].map(percent)).toEqual(['97.3\u00a0%', '100\u00a0%', '0\u00a0%']);
  expect([counted(1, 'molecule'), counted(2000, 'molecule')]).toEqual(['1 molecule', '2,000 molecules']);
});
