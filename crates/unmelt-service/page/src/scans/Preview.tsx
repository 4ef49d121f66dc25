import { useEffect, useRef, useState } from 'preact/hooks';
import type { Panel } from './panel.ts';

/** A scan before anything is done to it, in three planes. */
export function Preview({ url }: { url: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [note, setNote] = useState<string | null>('Loading the scan');
  useEffect(() => {
    let panel: Panel | null = null;
    let isGone = false;
    const isShown = () => !isGone;
    const begin = async () => {
      const { createPanel } = await import('./panel.ts');
      if (!isShown() || canvas.current === null) return;
      const made = await createPanel(canvas.current, [{ url, colours: 'gray' }], () => undefined);
      made.setPlane('all');
      if (isShown()) panel = made;
      else made.end();
      setNote(null);
    };
    begin().catch(() => setNote('The scan cannot be shown. The view needs WebGL 2.'));
    return () => {
      isGone = true;
      panel?.end();
    };
  }, [url]);
  return (
    <section class="compare" aria-label="The scan">
      <div class="stage is-preview" role="img" aria-label="The scan in three planes">
        <div class="pane">
          <canvas ref={canvas} />
        </div>
        {note !== null && <p class="stage-note">{note}</p>}
      </div>
    </section>
  );
}
