import { useEffect, useEffectEvent, type ReactNode } from 'react';
import { useAlertSteps } from '../../api/alertQueries';
import type { OpenedAlert } from '../../api/alerts';
import { dateAndClock, duration, unixMs } from '../../format/times';
import { Age } from '../../ui/Age';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { actorText, valueText } from './alertText';

/** Every step of the alert's life: when, by whom, why. The newest first. */
export function Timeline({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const query = useAlertSteps(alert.id);
  const reread = useEffectEvent(() => void query.refetch());
  useEffect(() => {
    if (alert.version > 1) reread();
  }, [alert.version]);
  return (
    <Panel title="Timeline" count={query.data?.items.length} flush>
      <Loaded query={query} rows={3}>
        {({ items }) => (items.length === 0 ? <Empty title="Nothing is recorded" /> : (
          <ol className="alert-timeline" aria-label="Steps, newest first">
            {items.map((step, index) => ({ step, before: items[index - 1] })).reverse().map(({ step, before }) => (
              <li key={`${step.at} ${step.to}`} data-step={step.to}>
                <span className={`timeline-mark to-${step.to}`} aria-hidden="true" />
                <div>
                  <p className="timeline-head">
                    <Status word={step.to} />
                    <span>by <strong>{actorText(step.actor)}</strong></span>
                    {step.value !== null && <span className="muted">value {valueText(step.value)}</span>}
                    <span className="muted timeline-when" title={dateAndClock(step.at)}><Age at={step.at} suffix=" ago" /></span>
                  </p>
                  {step.reason !== '' && <p>{step.reason}</p>}
                  {step.comment !== null && step.comment !== '' && <blockquote>{step.comment}</blockquote>}
                  {before !== undefined && <p className="muted">after {duration(((unixMs(step.at) ?? 0) - (unixMs(before.at) ?? 0)) / 1000)} {before.to}</p>}
                </div>
              </li>
            ))}
          </ol>
        ))}
      </Loaded>
    </Panel>
  );
}
