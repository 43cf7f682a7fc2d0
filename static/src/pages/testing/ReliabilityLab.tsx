import type { ReactNode } from 'react';
import { useRuns } from '../../api/testingQueries';
import { useParameter } from '../../state/view';
import { ChaosReconnect } from './ChaosReconnect';
import { Comparison } from './Comparison';
import { Faults } from './Faults';
import { History } from './History';
import { RunPanel } from './RunPanel';
import { StartRun } from './StartRun';
import './testing.css';
import { useLiveRun } from './useLiveRun';

/** Load tests, reconnects and faults: what the hub promises, put to the test. One run opens by `?run=`, two by `?a=` and `?b=`. */
export default function ReliabilityLab(): ReactNode {
  const runs = useRuns();
  const live = useLiveRun();
  const [chosen, choose] = useParameter('run');
  const items = runs.data?.pages.flatMap((page) => page.items);
  const running = items?.find((run) => run.status === 'running')?.id ?? null;
  const running_id = live?.status === 'running' ? live.id : running;
  const shown_id = chosen ?? running_id ?? items?.[0]?.id ?? null;
  return (
    <>
      <div className="lab">
        <div className="lab-side">
          <StartRun is_busy={running_id !== null} onStarted={choose} />
          <ChaosReconnect is_busy={running_id !== null} newest={items?.find((run) => run.reconnects)} onStarted={choose} />
        </div>
        <RunPanel id={shown_id} live={live?.id === shown_id ? live : null} list={runs} is_chosen={chosen !== null} />
      </div>
      <Comparison />
      <History query={runs} shown_id={shown_id} />
      <Faults />
    </>
  );
}
