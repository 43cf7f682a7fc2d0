import { useId, type ReactNode } from 'react';
import { messageOf } from '../api/problem';
import { Icon } from './icons';

interface PanelProps {
  readonly title: string;
  readonly count?: number | undefined;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
  readonly flush?: boolean;
}

/** A titled section of a page. */
export function Panel({ title, count, actions, children, flush = false }: PanelProps): ReactNode {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {count !== undefined && <span className="count">{count}</span>}
        {actions !== undefined && <div className="panel-actions">{actions}</div>}
      </header>
      <div className={flush ? 'panel-body flush' : 'panel-body'}>{children}</div>
    </section>
  );
}

interface QueryLike {
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly refetch: () => unknown;
}

interface LoadedProps<T> {
  readonly query: QueryLike & { readonly data: T | undefined };
  readonly rows?: number;
  readonly children: (data: T) => ReactNode;
}

/** Loading, failed or loaded. What was loaded before stays on screen when a later read fails, and says so. */
export function Loaded<T>({ query, rows = 3, children }: LoadedProps<T>): ReactNode {
  if (query.data !== undefined) {
    return (
      <>
        {query.error !== null && <p className="stale tone-warn" role="status">Not current: {messageOf(query.error)}</p>}
        {children(query.data)}
      </>
    );
  }
  if (query.error !== null) return <Failure error={query.error} retry={() => void query.refetch()} />;
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => <span key={index} />)}
    </div>
  );
}

export function Failure({ error, retry }: { readonly error: Error; readonly retry: () => void }): ReactNode {
  return (
    <div className="failure" role="alert">
      <Icon name="warning" />
      <p>{messageOf(error)}</p>
      <button type="button" className="small" onClick={retry}>Try again</button>
    </div>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}
