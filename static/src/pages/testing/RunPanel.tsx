import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import type { StoredRun } from '../../api/testing';
import { runPath, useRun } from '../../api/testingQueries';
import { useServices } from '../../state/context';
import { useRefusal } from '../../state/role';
import type { LiveRun } from '../../state/runProgress';
import { useParameter } from '../../state/view';
import { CopyButton } from '../../ui/CopyButton';
import { Icon } from '../../ui/icons';
import { Empty, Failure, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { LiveRunView } from './LiveRunView';
import { RunResult } from './RunResult';

interface RunPanelProps {
  readonly id: string | null;
  /** What the topic tells of this run. */
  readonly live: LiveRun | null;
  readonly list: { readonly isPending: boolean; readonly error: Error | null; readonly refetch: () => unknown };
  /** Whether the run is named in the address, rather than being the newest. */
  readonly is_chosen: boolean;
}

/** One run: how it goes while it runs, how it went afterwards. */
export function RunPanel({ id, live, list, is_chosen }: RunPanelProps): ReactNode {
  const [, choose] = useParameter('run');
  const query = useRun(id, live?.status === 'running');
  if (id === null) {
    return (
      <Panel title="Run">
        {list.error !== null ? <Failure error={list.error} retry={() => void list.refetch()} />
          : list.isPending ? <div className="skeleton" role="status" aria-label="Loading"><span /><span /><span /></div>
            : <Empty title="No test has run yet"><p>Start one: its figures appear here while it runs, and stay comparable afterwards.</p></Empty>}
      </Panel>
    );
  }
  const run = query.data;
  const status = live?.status === 'running' ? 'running' : (run?.status ?? live?.status);
  return (
    <Panel title={run?.name ?? live?.name ?? 'Run'}
      actions={(
        <>
          {status !== undefined && <span data-run-status={status}><Status word={status} /></span>}
          {status === 'running' && <StopRun id={id} />}
          {status !== 'running' && <CopyButton quiet text={`${location.origin}/testing?run=${encodeURIComponent(id)}`} label="Copy a link to this run" />}
          {is_chosen && status !== 'running' && <button type="button" className="small" onClick={() => choose(null)}>Newest</button>}
        </>
      )}>
      {status === 'running' ? <LiveRunView live={live} run={run} /> : <Loaded<StoredRun> query={query} rows={6}>{(data) => <RunResult run={data} />}</Loaded>}
    </Panel>
  );
}

function StopRun({ id }: { readonly id: string }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('stop a test');
  const stop = useMutation({
    mutationFn: () => api.post(`${runPath(id)}/stop`),
    onSettled: () => queries.invalidateQueries({ queryKey: ['testing'] }),
  });
  return (
    <>
      {stop.error !== null && <span className="tone-bad" role="alert">{messageOf(stop.error)}</span>}
      <button type="button" className="small" title={refusal ?? undefined} disabled={refusal !== null || stop.isPending || stop.isSuccess} onClick={() => stop.mutate()}>
        <Icon name="stop" size={12} />{stop.isSuccess ? 'Stopping' : 'Stop'}
      </button>
    </>
  );
}
