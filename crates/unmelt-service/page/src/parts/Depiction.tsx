import { useEffect, useRef } from 'preact/hooks';
import { isDark } from '../state/theme.ts';

type Drawing = typeof import('./draw-smiles.ts');

let drawing: Promise<Drawing> | null = null;

/** A structure as chemists draw it. It is drawn when it comes into sight. */
export function Depiction({ smiles }: { smiles: string }) {
  const svg = useRef<SVGSVGElement>(null);
  const dark = isDark.value;
  useEffect(() => {
    const target = svg.current;
    if (target === null) return;
    const watcher = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting !== true) return;
      watcher.disconnect();
      drawing ??= import('./draw-smiles.ts');
      void drawing.then(({ drawSmiles }) => drawSmiles(smiles, target, dark));
    });
    watcher.observe(target);
    return () => watcher.disconnect();
  }, [smiles, dark]);
  return (
    <svg ref={svg} class="depiction" viewBox="0 0 220 170" role="img" aria-label={`Structure ${smiles}`} />
  );
}
