import { useEffect, useRef, useState } from 'preact/hooks';
import type { MoleculeState } from '../api.ts';
import type { Scene } from '../parts/scene.ts';

/** A molecule on its way out of noise. */
export function Emerging({ state }: { state: MoleculeState }) {
  const box = useRef<HTMLDivElement>(null);
  const [scene, setScene] = useState<Scene | null>(null);
  useEffect(() => {
    let isGone = false;
    let made: Scene | null = null;
    const begin = async () => {
      const { createScene } = await import('../parts/scene.ts');
      if (isGone || box.current === null) return;
      made = createScene(box.current, () => undefined);
      setScene(made);
    };
    void begin();
    return () => {
      isGone = true;
      made?.end();
    };
  }, []);
  useEffect(() => scene?.walk(state.elements, state.positions), [scene, state]);
  return (
    <section class="inspector" aria-label="A molecule on its way out of noise">
      <div
        class="viewer"
        role="img"
        aria-label={`Molecule ${state.number} at step ${state.step} of ${state.steps}`}
      >
        <div class="viewer-canvas" ref={box} />
        <p class="viewer-caption">
          Molecule {state.number}, step {state.step} of {state.steps}
        </p>
      </div>
    </section>
  );
}
