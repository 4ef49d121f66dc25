import { useEffect, useState } from 'preact/hooks';
import { api, asProblem, type JobRequest, type Plan, type Problem } from '../api.ts';

export interface Planned {
  plan: Plan | null;
  problem: Problem | null;
}

const NOTHING: Planned = { plan: null, problem: null };
/** Milliseconds without a change before the server is asked. */
const PAUSE = 250;

/** What the server says of a request that is being written. */
export function usePlan(request: JobRequest | null): Planned {
  const [planned, setPlanned] = useState<Planned>(NOTHING);
  const text = request === null ? '' : JSON.stringify(request);
  useEffect(() => {
    if (text === '') {
      setPlanned(NOTHING);
      return;
    }
    let isCurrent = true;
    const ask = async () => {
      try {
        const plan = await api.plan(JSON.parse(text) as JobRequest);
        if (isCurrent) setPlanned({ plan, problem: null });
      } catch (error) {
        if (isCurrent) setPlanned({ plan: null, problem: asProblem(error) });
      }
    };
    const timer = setTimeout(() => void ask(), PAUSE);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text]);
  return planned;
}
