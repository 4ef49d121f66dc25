import { useEffect, useRef, useState } from 'preact/hooks';
import type { Scene } from './scene.ts';
import { isDark } from '../state/theme.ts';

interface Props {
  /** SDF records, shown together. */
  records: string[];
  label: string;
  /** Atoms that are marked, from 0, through all records. */
  picked?: number[];
  /** Atoms that can be clicked; none where nothing is to be picked. */
  pickable?: number[];
  onPick?: (atom: number) => void;
}

const NONE: number[] = [];

/** Molecules in three dimensions: drag to turn, wheel to zoom. */
export function Viewer({ records, label, picked = NONE, pickable = NONE, onPick }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const scene = useRef<Scene | null>(null);
  const [isReady, setReady] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const pick = useRef(onPick);
  pick.current = onPick;
  const dark = isDark.value;

  useEffect(() => {
    let isGone = false;
    const begin = async () => {
      const { createScene } = await import('./scene.ts');
      if (isGone || box.current === null) return;
      scene.current = createScene(box.current, (atom) => pick.current?.(atom));
      if (scene.current === null) setFault('This browser has no WebGL, which the 3-D view needs.');
      setReady(true);
    };
    void begin();
    return () => {
      isGone = true;
      scene.current?.end();
    };
  }, []);

  const text = records.join('');
  useEffect(() => {
    scene.current?.show(records, pickable);
  }, [isReady, text, pickable.join()]);
  useEffect(() => {
    scene.current?.mark(picked, dark);
  }, [isReady, text, picked.join(), pickable.join(), dark]);

  return (
    <div class="viewer" role="img" aria-label={label}>
      <div class="viewer-canvas" ref={box} />
      {fault !== null && <p class="note">{fault}</p>}
    </div>
  );
}
