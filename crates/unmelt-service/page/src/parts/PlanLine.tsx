import { bytes, counted, duration, number } from '../lib/format.ts';
import type { Plan } from '../api.ts';

/** What a request will cost, and what was filled in. */
export function PlanLine({ plan }: { plan: Plan }) {
  return (
    <div class="plan">
      <dl>
        <div>
          <dt>Time</dt>
          <dd>
            {plan.estimate_seconds === null ? 'not measured yet' : `about ${duration(plan.estimate_seconds)}`}
          </dd>
        </div>
        <div>
          <dt>Network evaluations</dt>
          <dd>{number(plan.evaluations)}</dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>{bytes(plan.memory_bytes)}</dd>
        </div>
      </dl>
      {plan.filled_in.length > 0 && (
        <details>
          <summary>{counted(plan.filled_in.length, 'setting')} filled in</summary>
          <ul>
            {plan.filled_in.map(({ field, value }) => (
              <li key={field}>
                <code>{field}</code> {value}
              </li>
            ))}
          </ul>
        </details>
      )}
      {plan.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
    </div>
  );
}
