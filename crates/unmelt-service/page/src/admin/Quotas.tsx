import { useState } from 'preact/hooks';
import { api, type Quota } from '../api.ts';
import { bytes } from '../lib/format.ts';

interface Props {
  quotas: Quota[];
  attempt: (work: () => Promise<unknown>) => Promise<void>;
}

const GIGABYTE = 1e9;

/** How many jobs may wait, and how much may be kept, for each user. */
export function Quotas({ quotas, attempt }: Props) {
  return (
    <section aria-labelledby="quotas-title" class="wide-section">
      <h2 id="quotas-title">Quotas</h2>
      <div class="table-frame" tabIndex={0} role="region" aria-label="Quotas">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">User</th>
              <th scope="col">Waiting</th>
              <th scope="col">May wait</th>
              <th scope="col">Kept</th>
              <th scope="col">May keep, GB</th>
              <th scope="col">
                <span class="unseen">Set</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {quotas.map((quota) => (
              <Row key={quota.user} quota={quota} attempt={attempt} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ quota, attempt }: { quota: Quota; attempt: Props['attempt'] }) {
  const [queued, setQueued] = useState(quota.queued_limit);
  const [kept, setKept] = useState(quota.artifact_limit_bytes / GIGABYTE);
  const isChanged = queued !== quota.queued_limit || kept * GIGABYTE !== quota.artifact_limit_bytes;
  const set = () =>
    attempt(() => api.setQuota(quota.user, { queued_limit: queued, artifact_limit_bytes: kept * GIGABYTE }));
  return (
    <tr>
      <th scope="row">{quota.user}</th>
      <td class="num">{quota.queued}</td>
      <td>
        <input
          type="number"
          min={0}
          value={queued}
          aria-label={`Jobs of ${quota.user} that may wait`}
          onInput={(event) => setQueued(event.currentTarget.valueAsNumber || 0)}
        />
      </td>
      <td class="num">{bytes(quota.artifact_bytes)}</td>
      <td>
        <input
          type="number"
          min={0}
          step="any"
          value={kept}
          aria-label={`Gigabytes that ${quota.user} may keep`}
          onInput={(event) => setKept(event.currentTarget.valueAsNumber || 0)}
        />
      </td>
      <td>
        <button type="button" class="quiet" disabled={!isChanged} onClick={() => void set()}>
          Set<span class="unseen"> quota of {quota.user}</span>
        </button>
      </td>
    </tr>
  );
}
