import { useState, type ReactNode } from 'react';
import type { OpenedAlert } from '../../api/alerts';
import { useExplanation } from '../../api/ruleQueries';
import { Explanations } from '../rules/Explanations';
import { Loaded, Panel } from '../../ui/Panel';

/** Why there is this alert, or why it is not told of: what the rule says of the series at present, and what was decided. */
export function Why({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const [every, setEvery] = useState(false);
  const query = useExplanation(alert.rule_id);
  return (
    <Panel title="Why was I (not) alerted" flush
      actions={(
        <label className="pick"><input type="checkbox" checked={every} onChange={(event) => setEvery(event.target.checked)} />every series</label>
      )}>
      <Loaded query={query} rows={2}>
        {(explanation) => <Explanations items={explanation.items.filter((item) => every || item.fingerprint === alert.fingerprint)} is_one={!every} />}
      </Loaded>
    </Panel>
  );
}
