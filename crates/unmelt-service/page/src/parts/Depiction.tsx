import { useEffect, useRef } from 'preact/hooks';

type Drawing = typeof import('./draw-structure.ts');

let drawing: Promise<Drawing> | null = null;

interface Props {
  /** The record that is drawn. */
  sdf: string;
  /** What a screen reader says of it. */
  smiles: string;
}

/** A structure as chemists draw it. It is drawn when it comes into sight. */
export function Depiction({ sdf, smiles }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  useEffect(() => {
    const target = svg.current;
    if (target === null) return;
    const watcher = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting !== true) return;
        watcher.disconnect();
        drawing ??= import('./draw-structure.ts');
        void drawing.then(({ drawStructure }) => drawStructure(sdf, target));
      },
      { rootMargin: '200px' },
    );
    watcher.observe(target);
    return () => watcher.disconnect();
  }, [sdf]);
  return (
    <svg ref={svg} class="depiction" viewBox="0 0 150 115" role="img" aria-label={`Structure ${smiles}`} />
  );
}
