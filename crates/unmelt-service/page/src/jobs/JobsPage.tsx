import { useEffect, useState } from 'preact/hooks';
import { api, asProblem, type Job, type JobState, type Problem } from '../api.ts';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { Choice } from '../parts/Choice.tsx';
import { JobRow } from './JobRow.tsx';

/** Milliseconds between two looks at the queue. */
const PERIOD = 2000;

const STATES = [
  { value: 'all', label: 'All' },
  { value: 'queued', label: 'Waiting' },
  { value: 'running', label: 'Running' },
  { value: 'finished', label: 'Finished' },
  { value: 'failed', label: 'Failed' },
] as const;

/** The reader's jobs, the newest first. */
export function JobsPage() {
  const [jobs, setJobs] = useState<Job[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [state, setState] = useState<JobState | 'all'>('all');
  const [problem, setProblem] = useState<Problem | null>(null);
  const wanted = state === 'all' ? {} : { state };

  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  // The first page alone is asked for again; jobs of later pages have ended, and stay as they are.
  const look = () =>
    attempt(async () => {
      const page = await api.jobs(wanted);
      setJobs((old) => {
        const fresh = new Set(page.jobs.map(({ id }) => id));
        const rest = (old ?? []).slice(page.jobs.length).filter(({ id }) => !fresh.has(id));
        return page.cursor === null ? page.jobs : [...page.jobs, ...rest];
      });
      setCursor((old) => old ?? page.cursor);
    });
  useEffect(() => {
    setJobs(null);
    setCursor(null);
    void look();
    const timer = setInterval(() => void look(), PERIOD);
    return () => clearInterval(timer);
  }, [state]);

  const more = () =>
    attempt(async () => {
      const page = await api.jobs({ ...wanted, cursor: cursor ?? undefined });
      setJobs((old) => [...(old ?? []), ...page.jobs]);
      setCursor(page.cursor);
    });

  return (
    <div class="one-part">
      <h1>Jobs</h1>
      <Choice label="State" isLabelHidden value={state} options={STATES} onChange={setState} />
      {problem !== null && <ProblemBox problem={problem} />}
      {jobs?.length === 0 && <p class="empty">No jobs here.</p>}
      {jobs !== null && jobs.length > 0 && (
        <ul class="jobs">
          {jobs.map((job) => (
            <JobRow key={job.id} job={job} onChange={() => void look()} onProblem={setProblem} />
          ))}
        </ul>
      )}
      {cursor !== null && (
        <button type="button" class="quiet wide" onClick={() => void more()}>
          Show older jobs
        </button>
      )}
    </div>
  );
}
