import { batch, signal, type Signal } from '@preact/signals';
import {
  api,
  asProblem,
  watch,
  type IntermediateState,
  type Job,
  type MoleculeResult,
  type Problem,
} from '../api.ts';

/** A job with what has been heard of it. */
export interface Watched {
  job: Signal<Job | null>;
  molecules: Signal<MoleculeResult[]>;
  state: Signal<IntermediateState | null>;
  problem: Signal<Problem | null>;
  stop: () => void;
}

/** Follows a job from its first event. Molecules that arrive between two pictures are shown together. */
export function watchJob(id: string): Watched {
  const job = signal<Job | null>(null);
  const molecules = signal<MoleculeResult[]>([]);
  const state = signal<IntermediateState | null>(null);
  const problem = signal<Problem | null>(null);
  let arrived: MoleculeResult[] = [];
  let latest: IntermediateState | null = null;
  let frame = 0;

  const show = () => {
    frame = 0;
    batch(() => {
      if (arrived.length > 0) molecules.value = [...molecules.value, ...arrived];
      state.value = latest;
    });
    arrived = [];
  };
  const showSoon = () => {
    if (frame === 0) frame = requestAnimationFrame(show);
  };

  const end = watch(id, {
    progress: (event) => {
      if (job.value !== null) job.value = { ...job.value, ...event };
    },
    molecule: (molecule) => {
      arrived.push(molecule);
      showSoon();
    },
    state: (next) => {
      latest = next;
      showSoon();
    },
    done: (ended) => {
      latest = null;
      showSoon();
      job.value = ended;
    },
    error: (fault) => {
      problem.value = fault;
      void refresh();
    },
  });

  const refresh = async () => {
    try {
      const now = await api.job(id);
      // The last event may have come before this answer.
      if (job.value === null || job.value.ended_at === null) job.value = now;
    } catch (error) {
      problem.value = asProblem(error);
    }
  };
  void refresh();

  return {
    job,
    molecules,
    state,
    problem,
    stop: () => {
      cancelAnimationFrame(frame);
      end();
    },
  };
}
