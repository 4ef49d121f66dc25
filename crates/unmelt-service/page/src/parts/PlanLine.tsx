import { bytes, counted, duration, number } from '../lib/format.ts';
import type { Plan } from '../api.ts';

/** What a request will cost. */
export function PlanLine({ plan }: { plan: Plan }) {
  return (
    <dl class="plan">
      <div>
        <dt>Time, about</dt>
        <dd>{plan.estimate_seconds === null ? 'not measured yet' : duration(plan.estimate_seconds)}</dd>
      </div>
      <div>
        <dt>Evaluations</dt>
        <dd>{number(plan.evaluations)}</dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{bytes(plan.memory_bytes)}</dd>
      </div>
    </dl>
  );
}

/** What was filled in, and what to beware of. */
export function PlanDetails({ plan }: { plan: Plan }) {
  return (
    <>
      {plan.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {plan.filled_in.length > 0 && (
        <details class="filled-in">
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
    </>
  );
}
