import { useMemo, useState, type ReactNode } from 'react';
import { Link } from 'react-router';
import type { RulePhase, Rule } from '../../api/rules';
import { useRules } from '../../api/ruleQueries';
import { count } from '../../format/numbers';
import { useRefusal } from '../../state/role';
import { useParameter } from '../../state/view';
import { DataAge } from '../../ui/DataAge';
import { Icon } from '../../ui/icons';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { SearchBox } from '../../ui/SearchBox';
import { BulkRules } from './BulkRules';
import { Deleted } from './Deleted';
import { RuleTable } from './RuleTable';
import { conditionWords, severityWords } from './ruleWords';

type Shown = RulePhase | 'disabled' | 'failed';
const SHOWN: readonly Shown[] = ['firing', 'pending', 'ok', 'disabled', 'failed'];

/** The state of a rule in one word. */
export function stateOf(rule: Rule): Shown {
  if (rule.live.failed !== null) return 'failed';
  return rule.enabled === false ? 'disabled' : rule.live.state;
}

/** Every rule with what it says at present. */
export function RuleList(): ReactNode {
  const query = useRules();
  const [text] = useParameter('q');
  const [state, setState] = useParameter('state');
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [deleted, setDeleted] = useState<readonly Rule[]>([]);
  const rules = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const counts = new Map<Shown, number>();
  for (const rule of rules) counts.set(stateOf(rule), (counts.get(stateOf(rule)) ?? 0) + 1);
  const shown = rules.filter((rule) => (state === null || stateOf(rule) === state) && isMeant(rule, text ?? ''));
  const chosen = shown.filter((rule) => selected.has(rule.id));
  return (
    <>
      <Deleted rules={deleted} forget={() => setDeleted([])} />
      <div className="filters" role="search" aria-label="Filter the rules">
        <SearchBox parameter="q" label="Filter by name, metric or label" />
        <div className="segments" role="group" aria-label="State">
          <button type="button" aria-pressed={state === null} onClick={() => setState(null)}>all {rules.length}</button>
          {SHOWN.filter((one) => counts.has(one) || one === state || one === 'firing').map((one) => (
            <button key={one} type="button" aria-pressed={state === one} onClick={() => setState(state === one ? null : one)}>{one} {counts.get(one) ?? 0}</button>
          ))}
        </div>
      </div>
      <Panel title="Rules" count={query.data === undefined ? undefined : shown.length} flush actions={<><DataAge read_at_ms={query.dataUpdatedAt} /><NewRule /></>}>
        <Loaded query={query} rows={6}>
          {() => (
            <>
              {chosen.length > 0 && (
                <BulkRules rules={chosen} onDone={(gone) => {
                  setSelected(new Set());
                  if (gone.length > 0) setDeleted(gone);
                }} />
              )}
              {rules.length === 0 && <Empty title="There is no rule yet"><p>A rule watches a metric and opens an alert when its condition holds.</p><Link to="/rules/new">Make the first one</Link></Empty>}
              {rules.length > 0 && shown.length === 0 && <Empty title="No rule matches the filters" />}
              {shown.length > 0 && <RuleTable rules={shown} selected={selected} onSelect={setSelected} />}
              {query.hasNextPage && (
                <p className="panel-foot">
                  <button type="button" className="small" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    {query.isFetchingNextPage ? 'Loading' : `Show more than ${count(rules.length)}`}
                  </button>
                </p>
              )}
            </>
          )}
        </Loaded>
      </Panel>
    </>
  );
}

function NewRule(): ReactNode {
  const refusal = useRefusal('make rules');
  if (refusal !== null) return <button type="button" className="primary" disabled title={refusal}><Icon name="plus" size={14} />New rule</button>;
  return <Link to="/rules/new" className="button primary"><Icon name="plus" size={14} />New rule</Link>;
}

function isMeant(rule: Rule, text: string): boolean {
  const labels = Object.entries(rule.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(' ');
  const all = `${rule.name} ${rule.kind} ${conditionWords(rule)} ${severityWords(rule.severity)} ${labels}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
