const PATHS = {
  download: 'M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14',
  stop: 'M7 7h10v10H7z',
  play: 'M8 5.5v13l10.5-6.5z',
  copy: 'M9 9h10v10H9zM5 15V5h10',
  close: 'M6 6l12 12M18 6 6 18',
  grid: 'M4.5 4.5h6v6h-6zm9 0h6v6h-6zm-9 9h6v6h-6zm9 0h6v6h-6z',
  table: 'M4 6h16M4 12h16M4 18h16M9 6v12',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2m0 15v2M2.5 12h2m15 0h2M5.3 5.3l1.4 1.4m10.6 10.6 1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4',
  moon: 'M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z',
  auto: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16m0 0v16',
  pin: 'M9 4h6l-1 6 3 3H7l3-3zM12 13v7',
  trash: 'M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12',
  again: 'M18.5 8.5A7.5 7.5 0 1 0 19.5 13M19 4v4.5h-4.5',
  send: 'M4 12l16-7-5 15-3.5-6z',
  more: 'M12 5v14M5 12h14',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  upload: 'M12 16V5m-4.5 4.5L12 5l4.5 4.5M5 19.5h14',
  molecule: 'M12 3.5 19 7.7v8.6l-7 4.2-7-4.2V7.7zM12 8v8',
  scan: 'M12 4c-4.5 0-7 3.5-7 8s2.5 8 7 8 7-3.5 7-8-2.5-8-7-8m0 0v16M8 9.5c1.5.5 1.5 4.5 0 5m8-5c-1.5.5-1.5 4.5 0 5',
  queue: 'M5 6h14M5 12h14M5 18h8',
  model: 'M12 3.5 20 8l-8 4.5L4 8zM4 12.5l8 4.5 8-4.5M4 16.5l8 4.5 8-4.5',
  admin: 'M5 7h8m4 0h2M5 17h2m4 0h8M15 5v4M9 15v4',
} as const;

export type IconName = keyof typeof PATHS;

/** A small drawing beside words; it says nothing to a screen reader. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
