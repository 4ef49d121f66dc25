import { expect, test } from 'vitest';
import { histogram } from '../../src/lib/histogram.ts';

test('every value is in one bin, the highest in the last', () => {
  const counted = histogram([0, 0.1, 0.24, 0.26, 0.99, 1], 4);
  expect(counted).toEqual({ low: 0, high: 1, counts: [3, 1, 0, 2] });
});

test('whole numbers get a bin each', () => {
  expect(histogram([12, 12, 14], 24)).toEqual({ low: 11.5, high: 14.5, counts: [2, 0, 1] });
});

test('what is missing does not count', () => {
  expect(histogram([NaN, 2.5, Infinity, 3.5], 2)?.counts).toEqual([1, 1]);
  expect(histogram([NaN], 2)).toBeNull();
  expect(histogram([], 2)).toBeNull();
});

test('equal values that are not whole are in the first bin', () => {
  expect(histogram([0.5, 0.5], 3)?.counts).toEqual([2, 0, 0]);
});
