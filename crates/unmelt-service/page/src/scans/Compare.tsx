import { useEffect, useRef, useState } from 'preact/hooks';
import { number } from '../lib/format.ts';
import { Choice } from '../parts/Choice.tsx';
import { gradient } from './colours.ts';
import { Legend } from './Legend.tsx';
import type { Panel, Plane, PanelVolume, Window } from './panel.ts';
import { Wipe } from './Wipe.tsx';

type Way = 'wipe' | 'side' | 'difference' | 'deviation';

interface Props {
  before: string;
  after: string;
  /** After less before. */
  difference: string | null;
  /** Standard deviation of the estimate; none where one sample was made. */
  deviation: string | null;
  isCalibrated: boolean;
}

const PLANES = [
  { value: 'axial', label: 'Axial' },
  { value: 'coronal', label: 'Coronal' },
  { value: 'sagittal', label: 'Sagittal' },
  { value: 'all', label: 'All' },
] as const;

/** Half of a 90 % interval, in standard deviations. */
const HALF_OF_90 = 1.645;

const KEYS: Record<string, [number, number, number]> = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

interface Read {
  before: number[];
  after: number[];
  mm: [number, number, number];
}

/** A scan before and after, one crosshair in both, and what lies between them. */
export function Compare({ before, after, difference, deviation, isCalibrated }: Props) {
  const beforeCanvas = useRef<HTMLCanvasElement>(null);
  const afterCanvas = useRef<HTMLCanvasElement>(null);
  const [panels, setPanels] = useState<{ before: Panel; after: Panel; most: number[] } | null>(null);
  const [way, setWay] = useState<Way>('wipe');
  const [plane, setPlane] = useState<Plane>('axial');
  const [split, setSplit] = useState(50);
  const [isRadiological, setRadiological] = useState(true);
  const [window, setWindow] = useState<Window | null>(null);
  const [read, setRead] = useState<Read>({ before: [], after: [], mm: [0, 0, 0] });
  const [fault, setFault] = useState<string | null>(null);
  const overlays: PanelVolume[] = [
    ...(difference === null
      ? []
      : [{ url: difference, colours: 'rise' as const, coloursBelow: 'fall' as const }]),
    ...(deviation === null ? [] : [{ url: deviation, colours: 'spread' as const }]),
  ];
  const overlayOf = (name: Way) => {
    if (name === 'difference') return 1;
    if (name === 'deviation') return difference === null ? 1 : 2;
    return 0;
  };

  useEffect(() => {
    let made: Panel[] = [];
    let isGone = false;
    const isShown = () => !isGone;
    const begin = async () => {
      const { createPanel, setOverlayRange } = await import('./panel.ts');
      if (!isShown() || beforeCanvas.current === null || afterCanvas.current === null) return;
      const first = await createPanel(
        beforeCanvas.current,
        [{ url: before, colours: 'gray' }],
        (values, mm) => setRead((old) => ({ ...old, before: values, mm })),
      );
      made = [first];
      const second = await createPanel(
        afterCanvas.current,
        [{ url: after, colours: 'gray' }, ...overlays],
        (values, mm) => setRead((old) => ({ ...old, after: values, mm })),
      );
      made.push(second);
      if (!isShown()) {
        made.forEach((panel) => panel.end());
        return;
      }
      second.follow(first);
      first.follow(second);
      const most = overlays.map((_, k) => {
        const { low, high } = second.range(k + 1);
        const size = Math.max(Math.abs(low), Math.abs(high));
        setOverlayRange(second, k + 1, size);
        return size;
      });
      const range = second.range(0);
      setWindow({ low: range.low, high: range.high });
      setPanels({ before: first, after: second, most });
    };
    begin().catch(() => setFault('The scan cannot be shown. The view needs WebGL 2.'));
    return () => {
      isGone = true;
      made.forEach((panel) => panel.end());
    };
  }, [before, after, difference, deviation]);

  const both = (change: (panel: Panel) => void) => {
    if (panels === null) return;
    change(panels.before);
    change(panels.after);
  };
  useEffect(() => both((panel) => panel.setPlane(plane)), [panels, plane]);
  useEffect(() => both((panel) => panel.setRadiological(isRadiological)), [panels, isRadiological]);
  useEffect(() => {
    if (window !== null) both((panel) => panel.setWindow(window));
  }, [panels, window]);
  useEffect(() => panels?.after.setOverlay(overlayOf(way), 0.9), [panels, way]);

  const ways: { value: Way; label: string }[] = [
    { value: 'wipe', label: 'Wipe' },
    { value: 'side', label: 'Side by side' },
    ...(difference === null ? [] : [{ value: 'difference' as const, label: 'Difference' }]),
    ...(deviation === null ? [] : [{ value: 'deviation' as const, label: 'Uncertainty' }]),
  ];
  const full = panels?.after.range(0);
  const most = panels?.most[overlayOf(way) - 1];
  const sigma = deviation === null ? undefined : read.after[overlayOf('deviation')];

  return (
    <section class="compare" aria-label="Before and after">
      <div class="compare-bar">
        <Choice label="Compare" isLabelHidden value={way} options={ways} onChange={setWay} />
        <Choice label="Plane" isLabelHidden value={plane} options={PLANES} onChange={setPlane} />
      </div>
      <div
        class={`stage is-${way}`}
        tabIndex={0}
        role="application"
        aria-label="Slices. Arrow keys move the crosshair, Page Up and Page Down go through the slices."
        onKeyDown={(event) => {
          const move = KEYS[event.key];
          if (move === undefined || panels === null) return;
          event.preventDefault();
          both((panel) => panel.step(...move));
        }}
      >
        <div class="pane is-after">
          <canvas ref={afterCanvas} />
          <span class="pane-name">After</span>
        </div>
        <div
          class="pane is-before"
          style={way === 'wipe' ? { clipPath: `inset(0 ${100 - split}% 0 0)` } : { clipPath: 'none' }}
        >
          <canvas ref={beforeCanvas} />
          <span class="pane-name">Before</span>
        </div>
        {panels !== null && way === 'wipe' && <Wipe split={split} onChange={setSplit} />}
        {panels === null && fault === null && <p class="stage-note">Loading the scan</p>}
        {fault !== null && <p class="stage-note">{fault}</p>}
      </div>
      {way === 'wipe' && (
        <input
          class="wipe"
          type="range"
          min={0}
          max={100}
          step={0.5}
          value={split}
          aria-label="Wipe between before and after"
          onInput={(event) => setSplit(event.currentTarget.valueAsNumber)}
        />
      )}
      {way === 'difference' && most !== undefined && (
        <Legend
          title="After less before, in units of the scan"
          parts={[
            { gradient: gradient('fall', true), from: -most, to: 0 },
            { gradient: gradient('rise'), from: 0, to: most },
          ]}
        />
      )}
      {way === 'deviation' && most !== undefined && (
        <Legend
          title={`Half-width of the 90 % interval${isCalibrated ? '' : ', not calibrated'}, in units of the scan`}
          parts={[{ gradient: gradient('spread'), from: 0, to: most * HALF_OF_90 }]}
        />
      )}
      <div class="readout" aria-live="off">
        <dl>
          <div>
            <dt>Before</dt>
            <dd>{number(read.before[0] ?? NaN)}</dd>
          </div>
          <div>
            <dt>After</dt>
            <dd>
              {number(read.after[0] ?? NaN)}
              {sigma !== undefined && <span class="unit"> ± {number(sigma * HALF_OF_90)}</span>}
            </dd>
          </div>
          <div>
            <dt>Change</dt>
            <dd>{number((read.after[0] ?? NaN) - (read.before[0] ?? NaN))}</dd>
          </div>
          <div>
            <dt>Crosshair</dt>
            <dd>
              {read.mm.map((mm) => number(Math.round(mm))).join(', ')} <span class="unit">mm</span>
            </dd>
          </div>
        </dl>
        {window !== null && full !== undefined && (
          <div class="windowing">
            <label>
              Black at
              <input
                type="range"
                min={full.low}
                max={full.high}
                step="any"
                value={window.low}
                onInput={(event) =>
                  setWindow({ ...window, low: Math.min(event.currentTarget.valueAsNumber, window.high) })
                }
              />
            </label>
            <label>
              White at
              <input
                type="range"
                min={full.low}
                max={full.high * 1.3}
                step="any"
                value={window.high}
                onInput={(event) =>
                  setWindow({ ...window, high: Math.max(event.currentTarget.valueAsNumber, window.low) })
                }
              />
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={isRadiological}
                onChange={(event) => setRadiological(event.currentTarget.checked)}
              />
              Radiological (right is left)
            </label>
          </div>
        )}
      </div>
    </section>
  );
}
