import { useState, type ReactNode } from 'react';
import { ApiError, messageOf } from '../../api/problem';
import type { AuthSession, AuthState } from '../../api/session';
import { Logo } from '../../ui/icons';
import './signin.css';

interface SignInProps {
  readonly session: AuthSession;
  readonly state: Extract<AuthState, { kind: 'signed_out' | 'unreachable' }>;
}

export function SignIn({ session, state }: SignInProps): ReactNode {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const submit = async (form: FormData): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await session.login(field(form, 'username'), field(form, 'password'));
    } catch (cause) {
      setError(explain(cause));
    } finally {
      setBusy(false);
    }
  };
  if (state.kind === 'unreachable') {
    return (
      <main className="signin">
        <div className="signin-card">
          <div className="brand"><Logo /><span>InfraWatch</span></div>
          <h1>The hub cannot be reached</h1>
          <p className="muted">This page came from it a moment ago, so it may be restarting.</p>
          <button type="button" className="primary" onClick={() => void session.begin(null)}>Try again</button>
        </div>
      </main>
    );
  }
  return (
    <main className="signin">
      <form className="signin-card" onSubmit={(event) => {
        event.preventDefault();
        void submit(new FormData(event.currentTarget));
      }}>
        <div className="brand"><Logo /><span>InfraWatch</span></div>
        <h1>Sign in</h1>
        {state.reason !== null && error === null && <p className="notice tone-info">{state.reason}</p>}
        {error !== null && <p className="notice tone-bad" role="alert">{error}</p>}
        <label htmlFor="username">User name</label>
        <input id="username" name="username" autoComplete="username" required spellCheck={false} autoCapitalize="none" />
        <label htmlFor="password">Password</label>
        <input id="password" name="password" type="password" autoComplete="current-password" required />
        <button type="submit" className="primary" disabled={busy}>{busy ? 'Signing in…' : 'Sign in'}</button>
        <p className="muted">
          Without a password: open the login link that <code>infrawatch serve</code> prints. Make a user
          with <code>infrawatch user add</code>.
        </p>
      </form>
    </main>
  );
}

function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}

function explain(cause: unknown): string {
  if (cause instanceof ApiError && cause.status === 401) return 'User name or password is wrong.';
  if (cause instanceof ApiError && cause.status === 429) {
    return `Too many attempts. Try again ${cause.retry_after_s === null ? 'later' : `in ${cause.retry_after_s} s`}.`;
  }
  return messageOf(cause);
}
