/** Numbers as people read them. */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 1,536,000 → "1.5 MB". */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)}\u00a0${UNITS[unit] ?? ''}`;
}

/** 83 → "83 s", 403 → "7 min": two digits at least. */
export function duration(seconds: number): string {
  if (seconds < 1) return 'under 1 s';
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 12345.6 → "12,346", 0.01234 → "0.0123": three significant digits below 1000, a true minus. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const text =
    Math.abs(value) >= 1000 || Number.isInteger(value)
      ? Math.round(value).toLocaleString('en')
      : Number(value.toPrecision(3)).toString();
  return text.replace('-', '\u2212');
}

/** 0.9731 → "97.3 %". */
export function percent(part: number): string {
  return `${(100 * part).toFixed(part === 1 || part === 0 ? 0 : 1)}\u00a0%`;
}

/** A time as the reader's locale writes it, without seconds. */
export function moment(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** "1 molecule", "2 molecules". */
export function counted(count: number, one: string, many = one + 's'): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
