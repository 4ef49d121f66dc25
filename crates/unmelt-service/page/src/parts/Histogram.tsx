import { useMemo } from 'preact/hooks';
import { number } from '../lib/format.ts';
import { histogram, type Histogram } from '../lib/histogram.ts';
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
  const values = useMemo(() => molecules.map(column.of).filter(Number.isFinite), [column.name, molecules]);
  const counted = useMemo(() => histogram(values, BINS), [values]);
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (counted === null || least === most) return null;
  const isWhole = values.every(Number.isInteger);
  const from = Math.max(least, range.low ?? least);
  const to = Math.min(most, range.high ?? most);
  const step = isWhole ? 1 : Number(((most - least) / 100).toPrecision(1));
  const set = (low: number, high: number) =>
    onChange({ low: low <= least ? null : low, high: high > most - step ? null : high });
  return (
    <div class="histogram">
      <p class="histogram-name">
        {column.label}
        {column.unit !== '' && <span class="unit"> {column.unit}</span>}
      </p>
      <Bars
        counted={counted}
        from={from}
        to={to}
        target={target}
        label={`${column.label}: ${values.length} molecules from ${number(least)} to ${number(most)}`}
      />
      <div class="two-ends">
        <input
          type="range"
          min={least}
          max={most}
          step={step}
          value={from}
          aria-label={`${column.label}, lowest`}
          onInput={(event) => set(Math.min(event.currentTarget.valueAsNumber, to), range.high ?? most)}
        />
        <input
          type="range"
          min={least}
          max={most}
          step={step}
          value={to}
          aria-label={`${column.label}, highest`}
          onInput={(event) => set(range.low ?? least, Math.max(event.currentTarget.valueAsNumber, from))}
        />
      </div>
      <div class="ends">
        <span>{number(from)}</span>
        <span>{number(to)}</span>
      </div>
    </div>
  );
}

interface BarsProps {
  counted: Histogram;
  from: number;
  to: number;
  target: number | undefined;
  label: string;
}

function Bars({ counted: { low, high, counts }, from, to, target, label }: BarsProps) {
  const tallest = Math.max(...counts);
  const width = WIDTH / counts.length;
  const place = (value: number) => ((value - low) / (high - low)) * WIDTH;
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {counts.map((count, bin) => {
        const start = low + (bin / counts.length) * (high - low);
        const isIn = start + (high - low) / counts.length > from && start < to;
        const height = (count / tallest) * (HEIGHT - 2);
        return (
          <rect
            key={bin}
            class={isIn ? 'bar' : 'bar is-out'}
            x={bin * width + 0.5}
            y={HEIGHT - height}
            width={width - 1}
            height={height}
          />
        );
      })}
      {target !== undefined && target >= low && target <= high && (
        <line class="aim" x1={place(target)} x2={place(target)} y1={0} y2={HEIGHT} />
      )}
    </svg>
  );
}
