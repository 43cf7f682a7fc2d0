import type { ReactNode } from 'react';
import { useParameter } from '../../state/view';
import { Segments } from '../../ui/Segments';
import { Escalations } from './Escalations';
import { Inhibitions } from './Inhibitions';
import { RuleList } from './RuleList';
import '../alerts/steps.css';
import './policies.css';
import './rules.css';
import { Suppression } from './Suppression';

const TABS = [['rules', 'Rules'], ['suppression', 'Suppression'], ['inhibitions', 'Inhibition'], ['escalation', 'Escalation']] as const;
type Tab = (typeof TABS)[number][0];

/** What makes alerts, what holds them back, and who hears of those that nobody takes. */
export default function Rules(): ReactNode {
  const [chosen, choose] = useParameter('tab');
  const tab: Tab = TABS.find(([id]) => id === chosen)?.[0] ?? 'rules';
  return (
    <>
      <Segments<Tab> label="Part" value={tab} choices={TABS} onChoose={(next) => choose(next === 'rules' ? null : next)} />
      {tab === 'rules' && <RuleList />}
      {tab === 'suppression' && <Suppression />}
      {tab === 'inhibitions' && <Inhibitions />}
      {tab === 'escalation' && <Escalations />}
    </>
  );
}
