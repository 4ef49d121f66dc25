import { useState } from 'preact/hooks';
import { api, asProblem, type Problem } from './api.ts';
import { Field } from './parts/Field.tsx';
import { ProblemBox } from './parts/ProblemBox.tsx';
import { start } from './state/session.ts';

/** Asks for a token. The server keeps who it is in a cookie; the page does not keep the token. */
export function SignIn() {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const signIn = async () => {
    try {
      await api.signIn(token.trim());
      await start();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  return (
    <form
      class="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        void signIn();
      }}
    >
      <h1>Sign in</h1>
      <Field label="Token" help="Your administrator makes one with: unmelt token create --name NAME">
        {(id, note) => (
          <input
            id={id}
            type="password"
            autocomplete="current-password"
            aria-describedby={note}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        )}
      </Field>
      {problem !== null && <ProblemBox problem={problem} />}
      <button type="submit" class="primary" disabled={token.trim() === ''}>
        Sign in
      </button>
    </form>
  );
}
