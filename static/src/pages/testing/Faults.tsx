import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { messageOf } from '../../api/problem';
import { RESET_PATH, useFaultScenarios, useFaultStatus } from '../../api/faultQueries';
import type { FaultStatus } from '../../api/testing';
import { useServices } from '../../state/context';
import { ADMINS, useRefusal } from '../../state/role';
import { Age } from '../../ui/Age';
import { CopyButton } from '../../ui/CopyButton';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { FaultCard } from './FaultCard';

const COMMAND = 'infrawatch serve --lab';

/** Faults that the hub makes in itself on purpose, so that its promises can be seen to hold. */
export function Faults(): ReactNode {
  const scenarios = useFaultScenarios();
  const status = useFaultStatus();
  const active = status.data?.active ?? [];
  return (
    <Panel title="Fault scenarios" count={scenarios.data?.items.length} actions={active.length > 1 && <EndAll />}>
      <Loaded query={scenarios} rows={4}>
        {({ enabled, items }) => (
          <>
            {!enabled && <LabOff />}
            {items.length === 0 ? <Empty title="The hub has no fault scenario" /> : (
              <ul className="faults">
                {items.map((scenario) => (
                  <FaultCard key={scenario.name} scenario={scenario} is_lab={enabled} active={active.find((fault) => fault.name === scenario.name)} />
                ))}
              </ul>
            )}
            {status.error !== null && <p className="tone-warn" role="status">What is active could not be read: {messageOf(status.error)}</p>}
            <Recent recent={status.data?.recent ?? []} titles={new Map(items.map((item) => [item.name, item.title]))} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

/** How a hub is started so that faults may be made in it. */
function LabOff(): ReactNode {
  return (
    <div className="notice tone-info" data-lab="off">
      <Icon name="help" />
      <p>
        This hub makes no faults: it was started without <code>--lab</code>. Start one that is not in use with <code>{COMMAND}</code> and the buttons
        below work.
      </p>
      <CopyButton quiet text={COMMAND} label="Copy the command" />
    </div>
  );
}

function EndAll(): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('end a fault', ADMINS);
  const reset = useMutation({ mutationFn: () => api.post(RESET_PATH), onSettled: () => queries.invalidateQueries({ queryKey: ['sim'] }) });
  return (
    <>
      {reset.error !== null && <span className="tone-bad" role="alert">{messageOf(reset.error)}</span>}
      <button type="button" className="small" disabled={refusal !== null || reset.isPending} title={refusal ?? undefined} onClick={() => reset.mutate()}>End all</button>
    </>
  );
}

const RECENT_SHOWN = 5;

function Recent({ recent, titles }: { readonly recent: FaultStatus['recent']; readonly titles: ReadonlyMap<string, string> }): ReactNode {
  if (recent.length === 0) return null;
  return (
    <p className="muted recent-faults">
      <span>Before:</span>
      {recent.slice(0, RECENT_SHOWN).map((fault) => (
        <span key={fault.id}>{titles.get(fault.name) ?? fault.name} <Age at={fault.ended_at ?? fault.ends_at} suffix=" ago" /></span>
      ))}
    </p>
  );
}
