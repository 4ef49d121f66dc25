import { number } from '../lib/format.ts';

interface Props {
  title: string;
  /** Gradients side by side, with the numbers at their ends. */
  parts: { gradient: string; from: number; to: number }[];
}

/** What the colours mean. */
export function Legend({ title, parts }: Props) {
  const last = parts.at(-1);
  return (
    <figure class="legend">
      <div class="legend-bar">
        {parts.map(({ gradient, from }) => (
          <div key={from} class="legend-part" style={{ backgroundImage: gradient }} />
        ))}
      </div>
      <div class="ends">
        {parts.map(({ from }) => (
          <span key={from}>{number(from)}</span>
        ))}
        {last !== undefined && <span>{number(last.to)}</span>}
      </div>
      <figcaption>{title}</figcaption>
    </figure>
  );
}
