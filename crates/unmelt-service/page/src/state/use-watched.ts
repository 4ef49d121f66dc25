import { useEffect, useState } from 'preact/hooks';
import { watchJob, type Watched } from './watched.ts';

/** The job of this id, followed as long as the component is shown. */
export function useWatched(id: string | null): Watched | null {
  const [watched, setWatched] = useState<Watched | null>(null);
  useEffect(() => {
    if (id === null) {
      setWatched(null);
      return;
    }
    const next = watchJob(id);
    setWatched(next);
    return next.stop;
  }, [id]);
  return watched;
}
