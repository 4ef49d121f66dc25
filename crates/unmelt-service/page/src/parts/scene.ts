import { createViewer, type AtomSpec, type GLViewer } from '3dmol';
import type { Triple } from '../api.ts';

/** A 3-D view of molecules. */
export interface Scene {
  /** Shows SDF records together; the view keeps its direction. */
  show: (records: string[], pickable: number[]) => void;
  /** Marks atoms, counted from 0 through all records. */
  mark: (atoms: number[], isDark: boolean) => void;
  /** Shows bare atoms on their way out of noise, in Å. */
  walk: (elements: string[], positions: Triple[]) => void;
  end: () => void;
}

const STICKS = { stick: { radius: 0.13 }, sphere: { scale: 0.23 } };
const CLOUD = { sphere: { scale: 0.32 } };

/** A view inside an element; null where the browser has no WebGL. */
export function createScene(box: HTMLElement, onPick: (atom: number) => void): Scene | null {
  let viewer: GLViewer | null;
  try {
    viewer = createViewer(box, { backgroundAlpha: 0, antialias: true });
  } catch {
    viewer = null;
  }
  if (viewer === null) return null;
  const view = viewer;
  let shifts: number[] = [];
  let isWalking = false;
  // Cells of the layout change the size of the element without the window changing.
  const sizes = new ResizeObserver(() => view.resize());
  sizes.observe(box);

  const clear = () => {
    view.removeAllModels();
    view.removeAllShapes();
  };

  return {
    show: (records, pickable) => {
      isWalking = false;
      clear();
      shifts = [];
      let sum = 0;
      for (const record of records) {
        shifts.push(sum);
        const model = view.addModel(record, 'sdf', { keepH: true });
        sum += model.selectedAtoms({}).length;
      }
      view.setStyle({}, STICKS);
      if (pickable.length > 0) {
        view.setClickable({}, true, (atom: AtomSpec) =>
          onPick((shifts[modelOf(atom)] ?? 0) + (atom.index ?? 0)),
        );
      }
      view.zoomTo();
      view.zoom(1.25);
      view.render();
    },
    mark: (atoms, isDark) => {
      view.removeAllShapes();
      if (isWalking) return;
      for (const atom of atoms) {
        const model = shifts.findLastIndex((shift) => shift <= atom);
        const [found] = view.selectedAtoms({ model, index: atom - (shifts[model] ?? 0) });
        if (found === undefined) continue;
        view.addSphere({
          center: { x: found.x ?? 0, y: found.y ?? 0, z: found.z ?? 0 },
          radius: 0.58,
          color: isDark ? '#ffb454' : '#d97a00',
          opacity: 0.8,
        });
      }
      view.render();
    },
    walk: (elements, positions) => {
      const lines = elements.map((element, k) => `${element} ${(positions[k] ?? [0, 0, 0]).join(' ')}`);
      const isFirst = !isWalking;
      isWalking = true;
      clear();
      view.addModel(`${elements.length}\n\n${lines.join('\n')}\n`, 'xyz');
      view.setStyle({}, { ...CLOUD, stick: { radius: 0.1 } });
      if (isFirst) view.zoomTo();
      view.render();
    },
    end: () => {
      sizes.disconnect();
      clear();
      box.replaceChildren();
    },
  };
}

function modelOf(atom: AtomSpec): number {
  return typeof atom.model === 'number' ? atom.model : 0;
}
