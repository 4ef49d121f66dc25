/** Colours of what lies over a scan: the smaller a value, the more of the scan is seen. */

type Stop = [red: number, green: number, blue: number];

/** Three colours from nothing to the largest value. */
export const COLOURS = {
  rise: [
    [190, 40, 20],
    [255, 110, 40],
    [255, 226, 130],
  ],
  fall: [
    [20, 60, 200],
    [50, 140, 255],
    [170, 230, 255],
  ],
  spread: [
    [110, 20, 110],
    [232, 84, 84],
    [255, 222, 110],
  ],
} as const satisfies Record<string, [Stop, Stop, Stop]>;

export type Colours = keyof typeof COLOURS;

/** Part of the largest value below which the scan is seen through, the more the smaller a value is. */
export const OPAQUE_FROM = 0.8;

/** The same as niivue takes them. */
export function colormap(name: Colours) {
  const channel = (k: 0 | 1 | 2) => COLOURS[name].map((stop) => stop[k]);
  return { R: channel(0), G: channel(1), B: channel(2), A: [255, 255, 255], I: [0, 128, 255] };
}

/** The same as CSS, as they look over black; turned, the largest value is on the left. */
export function gradient(name: Colours, isTurned = false): string {
  const stops = COLOURS[name].map(
    ([red, green, blue], k) => `rgb(${red} ${green} ${blue} / ${Math.min(1, (k / 2 / OPAQUE_FROM) ** 2)})`,
  );
  return `linear-gradient(to ${isTurned ? 'left' : 'right'}, ${stops.join(', ')})`;
}
