import { useEffect, useState } from 'preact/hooks';
import { api, asProblem, type Disk, type Health, type Problem, type Quota, type Token } from '../api.ts';
import { ProblemBox } from '../parts/ProblemBox.tsx';
import { DiskUse } from './DiskUse.tsx';
import { Quotas } from './Quotas.tsx';
import { Tokens } from './Tokens.tsx';

interface Known {
  tokens: Token[];
  quotas: Quota[];
  disk: Disk;
  health: Health;
}

/** Who may use the service, and how much of it. */
export function AdminPage() {
  const [known, setKnown] = useState<Known | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const attempt = async (work: () => Promise<unknown>) => {
    try {
      await work();
      const [tokens, quotas, disk, health] = await Promise.all([
        api.tokens(),
        api.quotas(),
        api.disk(),
        api.ready(),
      ]);
      setKnown({ tokens, quotas, disk, health });
      setProblem(null);
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  useEffect(() => void attempt(() => Promise.resolve()), []);
  return (
    <div class="one-part">
      <h1>Administration</h1>
      {problem !== null && <ProblemBox problem={problem} />}
      {known !== null && (
        <div class="admin">
          <section aria-labelledby="health-title">
            <h2 id="health-title">Health</h2>
            <ul class="checks-list">
              {known.health.checks.map(({ name, ok, message }) => (
                <li key={name} class={ok ? 'is-ok' : 'is-bad'}>
                  <strong>{name}</strong> {ok ? 'works' : 'does not work'} <span class="note">{message}</span>
                </li>
              ))}
            </ul>
          </section>
          <DiskUse disk={known.disk} />
          <Tokens tokens={known.tokens} attempt={attempt} />
          <Quotas quotas={known.quotas} attempt={attempt} />
        </div>
      )}
    </div>
  );
}
