import { useId } from 'preact/hooks';
import type { ModelProperty } from '../api.ts';
import { number } from '../lib/format.ts';

interface Props {
  property: ModelProperty;
  value: number | undefined;
  fault: string | null;
  onChange: (value: number | undefined) => void;
}

const WIDTH = 100;
const HEIGHT = 22;

/** Where the training data lies: a normal curve of its mean and deviation over its range. */
function curve({ mean, deviation, range: [low, high] }: ModelProperty): string {
  const points = Array.from({ length: 41 }, (_, i) => {
    const x = low + ((high - low) * i) / 40;
    const density = Math.exp(-0.5 * ((x - mean) / deviation) ** 2);
    return `${((WIDTH * i) / 40).toFixed(1)} ${(HEIGHT - density * (HEIGHT - 2)).toFixed(1)}`;
  });
  return `M0 ${HEIGHT}L${points.join('L')}L${WIDTH} ${HEIGHT}Z`;
}

/** Whether molecules should have a property, and its value, within the range of the training data. */
export function PropertyTarget({ property, value, fault, onChange }: Props) {
  const id = useId();
  const [low, high] = property.range;
  const step = Number(((high - low) / 200).toPrecision(1));
  const isOn = value !== undefined;
  const usual = Number(property.mean.toPrecision(2));
  return (
    <div class={`target ${isOn ? 'is-on' : ''}`}>
      <label class="target-name">
        <input type="checkbox" checked={isOn} onChange={() => onChange(isOn ? undefined : usual)} />
        <span>
          {property.label}
          {property.unit !== '' && <span class="unit"> {property.unit}</span>}
        </span>
      </label>
      {isOn ? (
        <input
          class="target-value"
          type="number"
          step="any"
          value={value}
          aria-label={`${property.label}, value`}
          aria-invalid={fault !== null}
          aria-describedby={fault === null ? undefined : id}
          onInput={(event) => {
            const next = event.currentTarget.valueAsNumber;
            if (Number.isFinite(next)) onChange(next);
          }}
        />
      ) : (
        <span class="target-value is-any">any</span>
      )}
      {isOn && (
        <div class="target-slide">
          <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            <path d={curve(property)} />
          </svg>
          <input
            type="range"
            min={low}
            max={high}
            step={step}
            value={value}
            aria-label={`${property.label} from ${number(low)} to ${number(high)}`}
            onInput={(event) => onChange(Number(event.currentTarget.valueAsNumber.toPrecision(3)))}
          />
          <div class="ends" aria-hidden="true">
            <span>{number(low)}</span>
            <span>{number(high)}</span>
          </div>
        </div>
      )}
      {fault !== null && (
        <p class="note is-wrong" id={id} role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
