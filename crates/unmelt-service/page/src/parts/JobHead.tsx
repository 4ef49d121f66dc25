import { useEffect, useRef, useState } from 'preact/hooks';
import { api, asProblem, type Job, type Problem } from '../api.ts';
import { counted, duration } from '../lib/format.ts';
import { Icon } from './Icon.tsx';
import { ProblemBox } from './ProblemBox.tsx';

export const STATES: Record<Job['state'], string> = {
  queued: 'Waiting',
  running: 'Running',
  finished: 'Finished',
  failed: 'Failed',
  cancelled: 'Stopped',
};

export function isOver(job: Job): boolean {
  return job.state !== 'queued' && job.state !== 'running';
}

/** Part of the work that is done, from 0 to 1. */
export function share(job: Job): number {
  if (job.state === 'finished') return 1;
  const progress = job.progress;
  if (progress === null || progress.samples * progress.steps === 0) return 0;
  const done =
    progress.finished * progress.steps + (progress.finished < progress.samples ? progress.step : 0);
  return Math.min(1, done / (progress.samples * progress.steps));
}

function sentence(job: Job): string {
  const parts: string[] = [];
  if (job.state === 'queued' && job.position !== null) {
    parts.push(job.position === 0 ? 'Next in the queue' : `${counted(job.position, 'job')} before it`);
  }
  if (job.progress !== null && job.state === 'running') {
    const { finished, samples, step, steps } = job.progress;
    if (samples > 1) parts.push(`${finished} of ${samples} finished`);
    parts.push(`step ${step} of ${steps}`);
  }
  if (!isOver(job) && job.estimate_seconds !== null) parts.push(`${duration(job.estimate_seconds)} left`);
  if (job.state === 'cancelled') parts.push('What was finished is kept');
  if (job.state === 'finished' && job.started_at !== null && job.ended_at !== null) {
    parts.push(`took ${duration((Date.parse(job.ended_at) - Date.parse(job.started_at)) / 1000)}`);
  }
  return parts.join(' · ');
}

interface Props {
  job: Job;
  problem: Problem | null;
  /** What came out, in a sentence. */
  outcome?: string | null;
}

/** State of a job, how far it is, and the button that stops it. */
export function JobHead({ job, problem, outcome }: Props) {
  const [fault, setFault] = useState<Problem | null>(null);
  const section = useRef<HTMLElement>(null);
  // On a narrow screen the job stands below the form.
  useEffect(() => section.current?.scrollIntoView(), [job.id]);
  const [isStopping, setStopping] = useState(false);
  const stop = async () => {
    setStopping(true);
    try {
      await api.cancel(job.id);
    } catch (error) {
      setFault(asProblem(error));
      setStopping(false);
    }
  };
  const done = share(job);
  const shownProblem = fault ?? job.error ?? problem;
  return (
    <section ref={section} class={`job-head is-${job.state}`} aria-label="Job">
      <div class="job-line">
        <span class={`state is-${job.state}`}>{STATES[job.state]}</span>
        <span class="job-sentence" aria-live="polite">
          {sentence(job)}
        </span>
        {!isOver(job) && (
          <button type="button" class="quiet" disabled={isStopping} onClick={() => void stop()}>
            <Icon name="stop" />
            {isStopping ? 'Stopping' : 'Stop'}
          </button>
        )}
      </div>
      {outcome && <p class="note">{outcome}</p>}
      {!isOver(job) && (
        <progress max={1} value={done} aria-label="Progress">
          {Math.round(100 * done)} %
        </progress>
      )}
      {shownProblem !== null && <ProblemBox problem={shownProblem} />}
    </section>
  );
}
