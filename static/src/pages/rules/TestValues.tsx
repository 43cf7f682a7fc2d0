import { useState, type ReactNode } from 'react';
import { ApiError, messageOf } from '../../api/problem';
import { useRuleTest } from '../../api/ruleQueries';
import type { RuleDefinition } from '../../api/rules';
import { readSeconds, spokenSeconds } from '../../format/seconds';
import { Field } from '../../ui/Field';
import { Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { Status } from '../../ui/Status';
import { valueText } from '../alerts/alertText';
import { readValues, VALUES_MAX } from './madeUp';
import { useSettled } from './useSettled';

/** Values that were made up, and what the rule says of each. */
export function TestValues({ definition }: { readonly definition: RuleDefinition | null }): ReactNode {
  const [text, setText] = useState('');
  const [interval, setInterval] = useState('10s');
  const values = readValues(text);
  const interval_s = readSeconds(interval);
  const asked = useSettled(JSON.stringify({ definition, values, interval_s }));
  const settled = JSON.parse(asked) as { definition: RuleDefinition | null; values: number[] | null; interval_s: number | null };
  const query = useRuleTest(settled.definition, settled.values ?? [], settled.interval_s ?? 10);
  return (
    <Panel title="Test values">
      <div className="form">
        <div className="form-row test-fields">
          <Field label="Values, one after the other" error={values === null ? `Numbers, at most ${VALUES_MAX}; 95x6 is six times 95` : undefined}>
            {(ids) => <input {...ids} autoComplete="off" spellCheck={false} placeholder="10, 95x6, 40" value={text} onChange={(event) => setText(event.target.value)} />}
          </Field>
          <Field label="One each" error={interval_s === null ? 'Such as 10s' : undefined}>
            {(ids) => <input {...ids} className="number" autoComplete="off" value={interval} onChange={(event) => setInterval(event.target.value)} />}
          </Field>
        </div>
        {definition === null && text !== '' && <p className="muted">The condition is not complete yet.</p>}
        {query.error !== null && text !== '' && definition !== null && !(query.error instanceof ApiError && query.error.errors.length > 0) && <p className="tone-bad" role="alert">{messageOf(query.error)}</p>}
        {query.data !== undefined && query.error === null && text !== '' && (
          <ScrollBox label="What the rule says of each value">
            <table className="data fitted" data-test-values={query.data.items.length}>
              <caption className="visually-hidden">What the rule says of each value</caption>
              <thead><tr><th scope="col" className="number">After</th><th scope="col" className="number">Value</th><th scope="col">State</th><th scope="col">Why</th></tr></thead>
              <tbody>
                {query.data.items.map((item, index) => (
                  <tr key={index}>
                    <td className="number">{spokenSeconds(item.at_s)}</td><td className="number">{valueText(item.value)}</td><td><Status word={item.state} /></td>
                    <td className="wrap fine">{item.text}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </ScrollBox>
        )}
      </div>
    </Panel>
  );
}
