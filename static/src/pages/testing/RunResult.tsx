import { useMemo, type ReactNode } from 'react';
import type { PhaseResult, StoredRun } from '../../api/testing';
import { bytes, count, decimal, perSecond, percent, UNKNOWN } from '../../format/numbers';
import { dateAndClock } from '../../format/times';
import { Facts } from '../../ui/Facts';
import { Icon } from '../../ui/icons';
import { ScrollBox } from '../../ui/ScrollBox';
import { reconnectRows } from './ChaosReconnect';
import { Figures } from './Figures';
import { latency, thresholdText, verdictText, wrongMessages } from './format';
import { Histogram } from './Histogram';
import { failures } from './LiveRunView';
import { PhaseStrip } from './PhaseStrip';

/** How a run went: whether it held what was promised first, then how fast it was. */
export function RunResult({ run }: { readonly run: StoredRun }): ReactNode {
  const { messages, connections } = run;
  const histogram = useMemo(() => [{ label: run.name, histogram: run.histogram ?? [], latency: run.latency }], [run]);
  const is_good = run.status === 'completed' && wrongMessages(run) === 0;
  const tone = is_good ? 'ok' : run.status === 'cancelled' ? 'none' : 'bad';
  return (
    <div className="run" data-result={run.status}>
      <p className={`verdict tone-${tone}`}><Icon name={is_good ? 'check' : run.status === 'cancelled' ? 'minus' : 'cross'} /><span>{verdictText(run)}</span></p>
      <Figures label="Result" figures={[
        { name: 'Success rate', value: percent(run.success_rate), tone: typeof run.success_rate === 'number' && run.success_rate < 100 ? 'bad' : undefined },
        failures('Lost', messages?.lost), failures('Duplicated', messages?.duplicated), failures('Reordered', messages?.reordered),
        {
          name: 'Connected', value: count(connections?.connected), ...(connections ? { note: `of ${count(connections.planned)}` } : {}),
          tone: connections && connections.failed + connections.lost > 0 ? 'bad' : undefined,
        },
        { name: 'Delivered', value: count(messages?.delivered), ...(messages ? { note: `of ${count(messages.expected)}` } : {}) },
        { name: 'p99', value: latency(run.latency?.p99_ms), note: `p50 ${latency(run.latency?.p50_ms)}` },
        { name: 'Deliveries/s', value: perSecond(run.deliveries_per_s) },
      ]} />
      <Thresholds run={run} />
      <div className="run-detail">
        <Histogram title="Latency" runs={histogram} />
        <Facts rows={factsOf(run)} />
      </div>
      {run.reconnects && <section className="run-reconnects" aria-label="Reconnects"><h3>Reconnects</h3><Facts rows={reconnectRows(run.reconnects)} /></section>}
      <Phases phases={run.phases ?? []} />
    </div>
  );
}

function factsOf(run: StoredRun): [string, ReactNode][] {
  const cpu = run.server_cpu_s_per_million;
  return [
    ['Scenario', run.scenario.replaceAll('_', ' ')],
    ['Started', dateAndClock(run.started_at)],
    ['By', run.started_by ?? UNKNOWN],
    ['Duration', typeof run.duration_s === 'number' ? `${decimal(run.duration_s, 1)} s` : UNKNOWN],
    ['Published', count(run.messages?.published)],
    ['Latency p95', latency(run.latency?.p95_ms)],
    ['Latency p99.9', latency(run.latency?.p999_ms)],
    ['Latency max', latency(run.latency?.max_ms)],
    ['Received', bytes(run.bytes_in)],
    ['Hub CPU per million', typeof cpu === 'number' ? `${decimal(cpu, 2)} s` : UNKNOWN],
  ];
}

function Thresholds({ run }: { readonly run: StoredRun }): ReactNode {
  const thresholds = run.thresholds ?? [];
  if (thresholds.length === 0) return null;
  return (
    <ul className="thresholds" aria-label="Thresholds">
      {thresholds.map((threshold) => {
        const { title, limit, measured } = thresholdText(threshold);
        return (
          <li key={threshold.name} className={threshold.held ? undefined : 'missed'}>
            <span className={threshold.held ? 'tone-ok' : 'tone-bad'}><Icon name={threshold.held ? 'check' : 'cross'} size={13} /></span>
            <span>{title} <strong>{measured}</strong></span>
            <span className="muted">{threshold.held ? '' : 'missed: '}{limit}</span>
          </li>
        );
      })}
    </ul>
  );
}

function Phases({ phases }: { readonly phases: readonly PhaseResult[] }): ReactNode {
  if (phases.length === 0) return null;
  return (
    <section className="run-phases" aria-label="Phases of the run">
      <PhaseStrip phases={phases} />
      <ScrollBox label="Figures by phase" kind="table-box">
        <table className="data fitted">
          <caption className="visually-hidden">Figures by phase</caption>
          <thead>
            <tr>
              <th scope="col">Phase</th>
              {['Published', 'Delivered', 'Lost', 'Deliveries/s', 'p50', 'p95', 'p99', 'max'].map((name) => <th key={name} scope="col" className="number">{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {phases.map((phase, index) => (
              <tr key={`${index} ${phase.name}`}>
                <td>{phase.name.replaceAll('_', ' ')} <span className="muted">{phase.kind === phase.name ? '' : phase.kind.replaceAll('_', ' ')}</span></td>
                <td className="number">{count(phase.published)}</td>
                <td className="number">{count(phase.delivered)}</td>
                <td className="number"><span className={phase.lost > 0 ? 'tone-bad' : undefined}>{count(phase.lost)}</span></td>
                <td className="number">{perSecond(phase.deliveries_per_s)}</td>
                {(['p50_ms', 'p95_ms', 'p99_ms', 'max_ms'] as const).map((name) => <td key={name} className="number">{latency(phase.latency?.[name])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollBox>
    </section>
  );
}
