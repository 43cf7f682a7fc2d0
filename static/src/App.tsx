import { QueryClientProvider } from '@tanstack/react-query';
import { lazy, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react';
import { BrowserRouter, Link, Route, Routes } from 'react-router';
import type { AuthSession } from './api/session';
import { CommandCenter } from './pages/command/CommandCenter';
import { SignIn } from './pages/signin/SignIn';
import { ServicesContext } from './state/context';
import { createServices } from './state/services';
import { ViewContext } from './state/view';
import { Empty } from './ui/Panel';
import { Shell } from './ui/shell/Shell';

const Alerts = lazy(() => import('./pages/alerts/Alerts'));
const AlertPage = lazy(() => import('./pages/alerts/AlertPage'));
const Rules = lazy(() => import('./pages/rules/Rules'));
const RulePage = lazy(() => import('./pages/rules/RulePage'));
const Connections = lazy(() => import('./pages/connections/Connections'));
const DataStreams = lazy(() => import('./pages/streaming/DataStreams'));
const EventProtocol = lazy(() => import('./pages/events/EventProtocol'));
const Performance = lazy(() => import('./pages/performance/Performance'));
const ReliabilityLab = lazy(() => import('./pages/testing/ReliabilityLab'));
const LiveConsole = lazy(() => import('./pages/console/LiveConsole'));
const Nodes = lazy(() => import('./pages/nodes/Nodes'));
const NodePage = lazy(() => import('./pages/nodes/NodePage'));
const Operations = lazy(() => import('./pages/operations/Operations'));

export function App({ session }: { readonly session: AuthSession }): ReactNode {
  const auth = useSyncExternalStore(session.watch, session.state);
  if (auth.kind === 'signed_in') {
    const { subject, role } = auth.grant;
    return <SignedIn key={subject} session={session} subject={subject} role={role} />;
  }
  if (auth.kind === 'starting') return <div className="starting" role="status" aria-label="Loading" />;
  return <SignIn session={session} state={auth} />;
}

interface SignedInProps {
  readonly session: AuthSession;
  readonly subject: string;
  readonly role: string;
}

/** The provider of the one WebSocket and of everything that lives on it. */
function SignedIn({ session, subject, role }: SignedInProps): ReactNode {
  const [services] = useState(() => createServices(session, subject));
  const [paused_at_ms, setPausedAt] = useState<number | null>(null);
  useEffect(() => services.start(), [services]);
  useEffect(() => {
    services.fleet.setPaused(paused_at_ms !== null);
    services.lab.setPaused(paused_at_ms !== null);
    services.alerts.setPaused(paused_at_ms !== null);
  }, [services, paused_at_ms]);
  const controls = useMemo(
    () => ({ paused_at_ms, togglePause: () => setPausedAt(paused_at_ms === null ? Date.now() : null) }),
    [paused_at_ms],
  );
  return (
    <ServicesContext value={services}>
      <QueryClientProvider client={services.queries}>
        <ViewContext value={controls}>
          {/* Filters live in the URL: typing has to reach the input in the same update, not in a transition. */}
          <BrowserRouter useTransitions={false}>
            <Routes>
              <Route element={<Shell subject={subject} role={role} />}>
                <Route index element={<CommandCenter />} />
                <Route path="alerts" element={<Alerts />} />
                <Route path="alerts/:id" element={<AlertPage />} />
                <Route path="rules" element={<Rules />} />
                <Route path="rules/:id" element={<RulePage />} />
                <Route path="connections" element={<Connections />} />
                <Route path="streaming" element={<DataStreams />} />
                <Route path="events" element={<EventProtocol />} />
                <Route path="performance" element={<Performance />} />
                <Route path="testing" element={<ReliabilityLab />} />
                <Route path="console" element={<LiveConsole />} />
                <Route path="nodes" element={<Nodes />} />
                <Route path="nodes/:id" element={<NodePage />} />
                <Route path="operations" element={<Operations />} />
                <Route path="*" element={<Empty title="There is no such page"><Link to="/">Command Center</Link></Empty>} />
              </Route>
            </Routes>
          </BrowserRouter>
        </ViewContext>
      </QueryClientProvider>
    </ServicesContext>
  );
}
