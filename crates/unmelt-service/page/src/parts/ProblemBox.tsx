import type { Problem } from '../api.ts';

interface Props {
  problem: Problem;
  /** Fields whose sentences stand beside them already. */
  shown?: string[];
}

/** What went wrong, in a sentence. */
export function ProblemBox({ problem, shown = [] }: Props) {
  const others = problem.fields.filter(({ field }) => !shown.includes(field));
  return (
    <div class="problem" role="alert">
      <p>{problem.detail}</p>
      {others.length > 0 && (
        <ul>
          {others.map(({ field, message }) => (
            <li key={field}>
              <code>{field}</code> {message}
            </li>
          ))}
        </ul>
      )}
      {problem.retry_after !== null && <p>Try again in {problem.retry_after} s.</p>}
    </div>
  );
}
