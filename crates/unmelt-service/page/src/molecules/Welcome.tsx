/** What stands where the molecules will be. */
export function Welcome() {
  return (
    <div class="welcome">
      <svg viewBox="0 0 320 150" aria-hidden="true">
        {SPOTS.map(([x, y, r, o], k) => (
          <circle key={k} cx={x} cy={y} r={r} opacity={o} />
        ))}
        <path d="M230 45 256 30 282 45V75L256 90 230 75Z M256 90V118 M282 45 304 32" />
        {[
          [230, 45],
          [256, 30],
          [282, 45],
          [282, 75],
          [256, 90],
          [230, 75],
          [256, 118],
          [304, 32],
        ].map(([x, y]) => (
          <circle key={`${x} ${y}`} cx={x} cy={y} r={5.5} />
        ))}
      </svg>
      <h2>Molecules out of noise</h2>
      <p>
        Say what the molecules should be, and press Generate. They appear here one by one, in three
        dimensions, with hydrogens, charges and bonds.
      </p>
    </div>
  );
}

const SPOTS = [
  [22, 40, 3, 0.25],
  [38, 96, 2.5, 0.2],
  [55, 62, 4, 0.3],
  [64, 24, 2.5, 0.25],
  [78, 112, 3.5, 0.3],
  [90, 78, 3, 0.35],
  [104, 44, 4, 0.4],
  [112, 100, 2.5, 0.3],
  [124, 66, 3.5, 0.45],
  [138, 30, 3, 0.4],
  [146, 92, 4, 0.5],
  [158, 58, 3.5, 0.5],
  [170, 112, 3, 0.45],
  [178, 40, 4, 0.55],
  [186, 78, 4, 0.6],
  [198, 56, 4.5, 0.65],
  [206, 96, 4, 0.65],
  [214, 26, 4, 0.6],
] as const;
