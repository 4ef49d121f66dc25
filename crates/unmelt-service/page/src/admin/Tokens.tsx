import { useState } from 'preact/hooks';
import { api, type Token } from '../api.ts';
import { moment } from '../lib/format.ts';
import { Field } from '../parts/Field.tsx';
import { Icon } from '../parts/Icon.tsx';

interface Props {
  tokens: Token[];
  attempt: (work: () => Promise<unknown>) => Promise<void>;
}

const SCOPES = ['jobs', 'admin'];

/** Tokens that programs and people sign in with. */
export function Tokens({ tokens, attempt }: Props) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState(['jobs']);
  const [until, setUntil] = useState('');
  const [secret, setSecret] = useState<string | null>(null);

  const create = () =>
    attempt(async () => {
      const expires_at = until === '' ? null : new Date(until).toISOString();
      setSecret((await api.createToken({ name: name.trim(), scopes, expires_at })).secret);
      setName('');
    });
  return (
    <section aria-labelledby="tokens-title" class="wide-section">
      <h2 id="tokens-title">Tokens</h2>
      <div class="table-frame" tabIndex={0} role="region" aria-label="Tokens">
        <table class="data">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Scopes</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
              <th scope="col">
                <span class="unseen">Revoke</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.name}>
                <th scope="row">{token.name}</th>
                <td>{token.scopes.join(', ')}</td>
                <td>{token.last_used_at === null ? 'never' : moment(token.last_used_at)}</td>
                <td>{token.expires_at === null ? 'never' : moment(token.expires_at)}</td>
                <td>
                  <button
                    type="button"
                    class="quiet"
                    onClick={() => void attempt(() => api.revokeToken(token.name))}
                  >
                    Revoke<span class="unseen"> {token.name}</span>
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <form
        class="beside"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <Field label="Name of a new token">
          {(id) => (
            <input
              id={id}
              type="text"
              required
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="Expires">
          {(id) => (
            <input
              id={id}
              type="date"
              value={until}
              onInput={(event) => setUntil(event.currentTarget.value)}
            />
          )}
        </Field>
        <fieldset class="checks">
          <legend>Scopes</legend>
          {SCOPES.map((scope) => (
            <label key={scope} class="check">
              <input
                type="checkbox"
                checked={scopes.includes(scope)}
                onChange={(event) =>
                  setScopes(
                    event.currentTarget.checked
                      ? [...scopes, scope]
                      : scopes.filter((other) => other !== scope),
                  )
                }
              />
              {scope}
            </label>
          ))}
        </fieldset>
        <button type="submit" disabled={name.trim() === '' || scopes.length === 0}>
          Create
        </button>
      </form>
      {secret !== null && (
        <p class="secret" role="status">
          <Icon name="check" /> Copy this token now; it is not shown again: <code>{secret}</code>
        </p>
      )}
    </section>
  );
}
