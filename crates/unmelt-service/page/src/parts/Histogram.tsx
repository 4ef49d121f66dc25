import { useMemo } from 'preact/hooks';
import { number } from '../lib/format.ts';
import { histogram } from '../lib/histogram.ts';
import type { Column, Range } from '../lib/table.ts';
import type { MoleculeResult } from '../api.ts';

interface Props {
  column: Column;
  molecules: MoleculeResult[];
  range: Range;
  /** The value that was asked for. */
  target: number | undefined;
  onChange: (range: Range) => void;
}

const BINS = 24;
const WIDTH = 120;
const HEIGHT = 40;

/** How a property is distributed, with two handles that say which molecules are shown. */
export function HistogramFilter({ column, molecules, range, target, onChange }: Props) {
  const counted = useMemo(() => histogram(molecules.map(column.of), BINS), [column.name, molecules]);
  if (counted === null || counted.low === counted.high) return null;
  const { low, high, counts } = counted;
  const most = Math.max(...counts);
  const from = Math.max(low, range.low ?? low);
  const to = Math.min(high, range.high ?? high);
  const isWhole = Number.isInteger(low) && Number.isInteger(high);
  const step = isWhole ? 1 : Number(((high - low) / 100).toPrecision(1));
  const width = WIDTH / BINS;
  const place = (value: number) => ((value - low) / (high - low)) * WIDTH;
  const set = (next: Range) =>
    onChange({
      low: next.low !== null && next.low <= low ? null : next.low,
      high: next.high !== null && next.high > high - step ? null : next.high,
    });
  return (
    <div class="histogram">
      <div class="histogram-head">
        <span>
          {column.label}
          {column.unit !== '' && <span class="unit"> {column.unit}</span>}
        </span>
        <span class="histogram-range">
          {number(from)} – {number(to)}
        </span>
      </div>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${column.label}: ${molecules.length} molecules from ${number(low)} to ${number(high)}`}
      >
        {counts.map((count, bin) => {
          const x = bin * width;
          const middle = low + ((bin + 0.5) / BINS) * (high - low);
          const isIn = middle >= from - step && middle <= to + step;
          const height = (count / most) * (HEIGHT - 2);
          return (
            <rect
              key={bin}
              class={isIn ? 'bar' : 'bar is-out'}
              x={x + 0.4}
              y={HEIGHT - height}
              width={width - 0.8}
              height={height}
            />
          );
        })}
        {target !== undefined && target >= low && target <= high && (
          <line class="aim" x1={place(target)} x2={place(target)} y1={0} y2={HEIGHT} />
        )}
      </svg>
      <div class="two-ends">
        <input
          type="range"
          min={low}
          max={high}
          step={step}
          value={from}
          aria-label={`${column.label}, lowest`}
          onInput={(event) => set({ ...range, low: Math.min(event.currentTarget.valueAsNumber, to) })}
        />
        <input
          type="range"
          min={low}
          max={high}
          step={step}
          value={to}
          aria-label={`${column.label}, highest`}
          onInput={(event) => set({ ...range, high: Math.max(event.currentTarget.valueAsNumber, from) })}
        />
      </div>
    </div>
  );
}
