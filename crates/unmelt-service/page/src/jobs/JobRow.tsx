import { api, asProblem, type Job, type Problem } from '../api.ts';
import { counted, duration, moment } from '../lib/format.ts';
import { Icon, type IconName } from '../parts/Icon.tsx';
import { isOver, share, STATES } from '../parts/JobHead.tsx';
import { address, go } from '../state/route.ts';
import { describe, pageOf } from './describe.ts';

interface Props {
  job: Job;
  onChange: () => void;
  onProblem: (problem: Problem) => void;
}

function when(job: Job): string {
  if (job.state === 'queued' && job.position !== null) {
    return job.position === 0 ? 'Next in the queue' : `${counted(job.position, 'job')} before it`;
  }
  if (job.state === 'running') {
    return job.estimate_seconds === null ? 'Running' : `${duration(job.estimate_seconds)} left`;
  }
  return moment(job.ended_at ?? job.submitted_at);
}

function replayed(job: Job): string | null {
  if (job.outcome?.kind !== 'replay') return null;
  return job.outcome.identical
    ? 'Came out bit for bit the same'
    : `Differs: ${job.outcome.differences.join(', ')}`;
}

/** A job in the list, and what can be done with it. */
export function JobRow({ job, onChange, onProblem }: Props) {
  const act = (work: () => Promise<unknown>) => () => {
    work().then(onChange, (error: unknown) => onProblem(asProblem(error)));
  };
  const button = (icon: IconName, label: string, work: () => Promise<unknown>) => (
    <button type="button" class="quiet" onClick={act(work)}>
      <Icon name={icon} />
      {label}
    </button>
  );
  const page = pageOf(job);
  const name = describe(job.request);
  const open = async (next: Promise<Job>) => {
    const made = await next;
    const target = pageOf(made);
    if (target !== null) go(target, made.id);
  };
  const forget = async () => {
    if (confirm(`Delete “${name}” and its files?`)) await api.forget(job.id);
  };
  return (
    <li class={`job is-${job.state}`}>
      <div class="job-name">
        {page === null ? <span>{name}</span> : <a href={address(page, job.id)}>{name}</a>}
        <span class="note">
          {job.plan.model.name}, seed {job.plan.seed}, {when(job)}
        </span>
        {replayed(job) !== null && <span class="note">{replayed(job)}</span>}
        {job.error !== null && <span class="note is-wrong">{job.error.detail}</span>}
      </div>
      <span class={`state is-${job.state}`}>{STATES[job.state]}</span>
      {!isOver(job) && <progress max={1} value={share(job)} aria-label={`Progress of ${name}`} />}
      <div class="job-buttons">
        {!isOver(job) && button('stop', 'Stop', () => api.cancel(job.id))}
        {(job.state === 'failed' || job.state === 'cancelled') &&
          button('again', 'Try again', () => open(api.submit(job.request)))}
        {job.state === 'finished' &&
          job.request.kind !== 'replay' &&
          button('again', 'Replay', () => api.submit({ kind: 'replay', job: job.id }))}
        {isOver(job) &&
          button('pin', job.pinned ? 'Unpin' : 'Pin', () =>
            job.pinned ? api.unpin(job.id) : api.pin(job.id),
          )}
        {isOver(job) && !job.pinned && button('trash', 'Delete', forget)}
      </div>
    </li>
  );
}
