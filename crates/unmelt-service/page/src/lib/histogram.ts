/** A histogram of equal bins over the range of the values. */
export interface Histogram {
  low: number;
  high: number;
  counts: number[];
}

/** Counts values in `bins` equal bins; null where there is no finite value. A value equal to the end is in the last bin. */
export function histogram(values: number[], bins: number): Histogram | null {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return null;
  const low = finite.reduce((a, b) => Math.min(a, b));
  const high = finite.reduce((a, b) => Math.max(a, b));
  const counts = new Array<number>(bins).fill(0);
  const width = (high - low) / bins;
  for (const value of finite) {
    const bin = width === 0 ? 0 : Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { low, high, counts };
}
