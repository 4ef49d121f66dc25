import { useEffect, useRef } from 'preact/hooks';
import type { SliceState } from '../api.ts';

/** A middle slice of a volume that is being made. */
export function Sharpening({ state }: { state: SliceState }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const greys = Uint8Array.from(atob(state.pixels), (letter) => letter.charCodeAt(0));
    const image = context.createImageData(state.width, state.height);
    greys.forEach((grey, k) => image.data.set([grey, grey, grey, 255], 4 * k));
    context.putImageData(image, 0, 0);
  }, [state]);
  return (
    <figure class="sharpening">
      <canvas
        ref={canvas}
        width={state.width}
        height={state.height}
        style={{ aspectRatio: String((state.width * state.aspect) / state.height) }}
        role="img"
        aria-label={`Middle ${state.plane} slice at step ${state.step}`}
      />
      <figcaption>
        Middle {state.plane} slice, step {state.step} of {state.steps}
      </figcaption>
    </figure>
  );
}
