import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useFaultScenarios, useFaultStatus } from '../../api/faultQueries';
import { useServices, useTopic } from '../../state/context';
import { Countdown } from '../Countdown';
import { Icon } from '../icons';

/** Says on every page that a fault is made on purpose: what looks wrong meanwhile may not be the fleet's fault. */
export function FaultStrip(): ReactNode {
  const { lab } = useServices();
  useTopic('testing', lab.onMessage);
  const titles = useFaultScenarios().data?.items;
  const active = useFaultStatus().data?.active ?? [];
  if (active.length === 0) return null;
  return (
    <div className="notice tone-warn" data-notice="fault" role="status">
      <Icon name="lab" />
      <p>
        A fault is made on purpose:{' '}
        {active.map((fault, index) => (
          <span key={fault.id}>{index > 0 && ', '}<strong>{titles?.find((scenario) => scenario.name === fault.name)?.title ?? fault.name}</strong>, ends in <Countdown until={fault.ends_at} /></span>
        ))}
        . What looks wrong meanwhile may not be the fleet&apos;s fault.
      </p>
      <Link to="/testing">Reliability Lab</Link>
    </div>
  );
}
