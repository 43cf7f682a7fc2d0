import { useMutation, useQueryClient } from '@tanstack/react-query';
import { createColumnHelper, getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import { useMemo, type ReactNode } from 'react';
import { Link } from 'react-router';
import { SEVERITIES, type Severity } from '../../api/delivery';
import { messageOf } from '../../api/problem';
import { RULES_PATH } from '../../api/ruleQueries';
import type { Rule } from '../../api/rules';
import { count } from '../../format/numbers';
import { spokenSeconds } from '../../format/seconds';
import { unixMs } from '../../format/times';
import { useServices } from '../../state/context';
import { useRefusal } from '../../state/role';
import { Age } from '../../ui/Age';
import { DataTable } from '../../ui/DataTable';
import { useSortParameter } from '../../ui/sortParameter';
import { Status } from '../../ui/Status';
import { stateOf } from './RuleList';
import { conditionWords, severityWords } from './ruleWords';

const column = createColumnHelper<Rule>();
const NUMBER = { meta: { className: 'number' }, sortDescFirst: true } as const;
const ORDER = ['failed', 'firing', 'pending', 'ok', 'disabled'];

interface RuleTableProps {
  readonly rules: Rule[];
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (ids: ReadonlySet<string>) => void;
}

export function RuleTable({ rules, selected, onSelect }: RuleTableProps): ReactNode {
  const [sorting, onSortingChange] = useSortParameter('state');
  const all = rules.length > 0 && rules.every((rule) => selected.has(rule.id));
  const columns = useMemo(() => columnsOf(selected, onSelect, all, rules), [selected, onSelect, all, rules]);
  const table = useReactTable({
    data: rules,
    columns,
    state: { sorting },
    onSortingChange,
    enableSortingRemoval: false,
    getRowId: (rule) => rule.id,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  return <div className="rule-table"><DataTable table={table} caption="Rules" min_width={1_000} rowClass={(rule) => `rule-row${selected.has(rule.id) ? ' chosen' : ''}`} /></div>;
}

function columnsOf(selected: ReadonlySet<string>, onSelect: (ids: ReadonlySet<string>) => void, all: boolean, rules: readonly Rule[]) {
  const toggle = (id: string): void => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect(next);
  };
  return [
    column.display({
      id: 'select', size: 34, meta: { className: 'rule-pick' },
      header: () => <input type="checkbox" aria-label="Select all rules" checked={all} onChange={() => onSelect(all ? new Set() : new Set(rules.map((rule) => rule.id)))} />,
      cell: ({ row: { original: rule } }) => <input type="checkbox" aria-label={`Select ${rule.name}`} checked={selected.has(rule.id)} onChange={() => toggle(rule.id)} />,
    }),
    column.accessor('name', {
      header: 'Rule', size: 190, meta: { className: 'rule-name' },
      cell: ({ row: { original: rule } }) => (
        <>
          <Link to={`/rules/${encodeURIComponent(rule.id)}`} data-rule={rule.id} className="alert-title">{rule.name}</Link>
          {rule.labels?.synthetic === 'true' && <> <span className="tag synthetic">synthetic</span></>}
        </>
      ),
    }),
    column.accessor((rule) => ORDER.indexOf(stateOf(rule)), {
      id: 'state', header: 'State', size: 108, meta: { className: 'rule-state' },
      cell: ({ row: { original: rule } }) => <span title={rule.live.failed ?? undefined} data-rule-state={stateOf(rule)}><Status word={stateOf(rule)} /></span>,
    }),
    column.accessor((rule) => rule.live.firing, {
      ...NUMBER, id: 'firing', size: 110, header: () => <abbr title="Series that fire, of all that the rule follows">Firing</abbr>, meta: { className: 'number rule-firing' },
      cell: ({ row: { original: { id, live } } }) => {
        const text = (
          <>
            {count(live.firing)} of {count(live.series)}
            {live.pending > 0 && <span title={`${live.pending} pending`}> +{count(live.pending)}</span>}
          </>
        );
        return live.firing + live.pending > 0 ? <Link to={`/alerts?rule=${encodeURIComponent(id)}`}>{text}</Link> : <span className="muted">{text}</span>;
      },
    }),
    column.accessor('kind', {
      header: 'Condition', size: 330, meta: { className: 'rule-condition' },
      cell: ({ row: { original: rule } }) => (
        <span title={conditionWords(rule)}><span className="tag">{rule.kind}</span> <span className="mono">{conditionWords(rule)}</span></span>
      ),
    }),
    column.accessor((rule) => rule.for_duration_seconds ?? 0, {
      ...NUMBER, id: 'for', header: 'For', size: 74, meta: { className: 'number rule-for' }, cell: (cell) => (cell.getValue() === 0 ? 'at once' : spokenSeconds(cell.getValue())),
    }),
    column.accessor((rule) => SEVERITIES.findIndex((severity) => severityWords(rule.severity).startsWith(severity)), {
      id: 'severity', header: 'Severity', size: 116, meta: { className: 'rule-severity' },
      cell: ({ row: { original: rule } }) => <SeverityCell rule={rule} />,
    }),
    column.accessor((rule) => -(unixMs(rule.live.last_sample_at) ?? 0), {
      ...NUMBER, id: 'sample', size: 84, header: () => <abbr title="Age of the newest sample that the rule looked at">Sample</abbr>, meta: { className: 'number rule-sample' },
      cell: ({ row: { original: rule } }) => <Age at={rule.live.last_sample_at} />,
    }),
    column.display({ id: 'enabled', header: 'On', size: 58, meta: { className: 'rule-enabled' }, cell: ({ row: { original: rule } }) => <Enabled rule={rule} /> }),
  ];
}

function SeverityCell({ rule }: { readonly rule: Rule }): ReactNode {
  const words = severityWords(rule.severity);
  const one = SEVERITIES.find((severity) => severity === words);
  if (one !== undefined) return <Status word={one} />;
  const names = Object.keys(typeof rule.severity === 'object' ? rule.severity : {}) as Severity[];
  return <span title={words}>by value <span className="muted">{names.length}</span></span>;
}

/** Switches a rule on and off; a switch for those who may, a word for those who may not. */
function Enabled({ rule }: { readonly rule: Rule }): ReactNode {
  const { api } = useServices();
  const queries = useQueryClient();
  const refusal = useRefusal('change rules');
  const change = useMutation({
    mutationFn: (enabled: boolean) => api.post(`${RULES_PATH}/bulk`, { ids: [rule.id], action: enabled ? 'enable' : 'disable' }),
    onSettled: () => queries.invalidateQueries({ queryKey: ['rules'] }),
  });
  const is_on = change.isPending ? change.variables : rule.enabled !== false;
  return (
    <button type="button" role="switch" aria-checked={is_on} aria-label={`${rule.name} is evaluated`} className="switch" disabled={refusal !== null || change.isPending}
      title={change.error === null ? (refusal ?? undefined) : messageOf(change.error)} onClick={() => change.mutate(!is_on)} />
  );
}
