import { createRoot } from 'react-dom/client';
import { AuthSession } from './api/session';
import { App } from './App';
import { ThemeProvider } from './theme/ThemeProvider';
import './theme/themes.css';
import './theme/base.css';
import './ui/shell/shell.css';
import './ui/ui.css';
import './ui/feeds.css';
import './ui/forms.css';
import './ui/json.css';
import './ui/overlays.css';

const LOGIN_FRAGMENT = '#login=';

/** The one-time login token of the URL, taken out of it before anything else can read or keep it. */
function takeLoginToken(): string | null {
  if (!location.hash.startsWith(LOGIN_FRAGMENT)) return null;
  const token = decodeURIComponent(location.hash.slice(LOGIN_FRAGMENT.length));
  history.replaceState(history.state, '', location.pathname + location.search);
  return token;
}

const session = new AuthSession();
void session.begin(takeLoginToken());

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <ThemeProvider>
      <App session={session} />
    </ThemeProvider>,
  );
}
