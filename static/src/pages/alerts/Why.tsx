import { useState, type ReactNode } from 'react';
import type { OpenedAlert } from '../../api/alerts';
import { useExplanation } from '../../api/ruleQueries';
import { AtTime, Past } from '../rules/AtTime';
import { Explanations } from '../rules/Explanations';
import { readMoment } from '../rules/moment';
import { Loaded, Panel } from '../../ui/Panel';

/** Why there is this alert, or why it is not told of: what the rule says of the series, at present or at a moment of the past, and what was decided. */
export function Why({ alert }: { readonly alert: OpenedAlert }): ReactNode {
  const [every, setEvery] = useState(false);
  const [field, setField] = useState('');
  const at = readMoment(field);
  const query = useExplanation(alert.rule_id, at);
  return (
    <Panel title="Why was I (not) alerted" flush
      actions={(
        <>
          <AtTime field={field} change={setField} />
          <label className="pick"><input type="checkbox" checked={every} onChange={(event) => setEvery(event.target.checked)} />every series</label>
        </>
      )}>
      <Loaded query={query} rows={2}>
        {(explanation) => (
          <>
            <Past field={field} at={explanation.at} caveats={explanation.caveats} />
            <Explanations items={explanation.items.filter((item) => every || item.fingerprint === alert.fingerprint)} is_one={!every} is_past={at !== null} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}
