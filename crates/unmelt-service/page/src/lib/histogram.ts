/** A histogram of equal bins between two ends. */
export interface Histogram {
  low: number;
  high: number;
  counts: number[];
}

/**
 * Counts values in equal bins; null where there is no finite value. Whole numbers that fit get a bin each, from half below
 * the lowest to half above the highest; others get `bins` over their range, the last one with its end.
 */
export function histogram(values: number[], bins: number): Histogram | null {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return null;
  let low = finite.reduce((a, b) => Math.min(a, b));
  let high = finite.reduce((a, b) => Math.max(a, b));
  let wanted = bins;
  if (high - low < bins && finite.every(Number.isInteger)) {
    wanted = high - low + 1;
    low -= 0.5;
    high += 0.5;
  }
  const counts = new Array<number>(wanted).fill(0);
  const width = (high - low) / wanted;
  for (const value of finite) {
    const bin = width === 0 ? 0 : Math.min(wanted - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { low, high, counts };
}
