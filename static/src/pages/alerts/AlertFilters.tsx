import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { AlertSort, AlertStatistics, OpenedAlert } from '../../api/alerts';
import { useParameter } from '../../state/view';
import { Icon } from '../../ui/icons';
import { SearchBox } from '../../ui/SearchBox';
import { Segments } from '../../ui/Segments';
import { isNarrowed, SINCES, SORTS, type AlertFilter } from './alertFilter';

interface AlertFiltersProps {
  readonly filter: AlertFilter;
  /** Those that are on screen: what they have can be filtered by. */
  readonly alerts: readonly OpenedAlert[];
  readonly statistics: AlertStatistics | undefined;
}

const ALL = ['q', 'state', 'severity', 'service', 'rule', 'label', 'since'];
const LABELS_SHOWN = 200;

/** What the list shows, beside the counts. */
export function AlertFilters({ filter, alerts, statistics }: AlertFiltersProps): ReactNode {
  const [, setService] = useParameter('service');
  const [, setRule] = useParameter('rule');
  const [, setLabel] = useParameter('label');
  const [, setSince] = useParameter('since');
  const [, setSort] = useParameter('sort');
  const [, setParameters] = useSearchParams();
  const services = sorted([...alerts.flatMap((alert) => alert.service ?? []), ...(filter.service === null ? [] : [filter.service])]);
  const rules = new Map<string, string>();
  for (const { rule_id, rule_name } of [...(statistics?.noisiest ?? []), ...alerts]) if (rule_id !== null) rules.set(rule_id, rule_name ?? rule_id);
  if (filter.rule_id !== null && !rules.has(filter.rule_id)) rules.set(filter.rule_id, filter.rule_id);
  const labels = sorted(alerts.flatMap((alert) => Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`)))
    .filter((label) => !filter.labels.includes(label) && !label.includes(',')).slice(0, LABELS_SHOWN);
  const clear = (): void => setParameters((before) => {
    const after = new URLSearchParams(before);
    for (const name of ALL) after.delete(name);
    return after;
  }, { replace: true });
  return (
    <div className="filters alert-filters" role="search" aria-label="Filter the alerts">
      <SearchBox parameter="q" label="Filter by title, service or rule" />
      {services.length > 0 && (
        <select aria-label="Service" value={filter.service ?? ''} onChange={(event) => setService(event.target.value)}>
          <option value="">any service</option>
          {services.map((service) => <option key={service}>{service}</option>)}
        </select>
      )}
      {rules.size > 0 && (
        <select aria-label="Rule" value={filter.rule_id ?? ''} onChange={(event) => setRule(event.target.value)}>
          <option value="">any rule</option>
          {[...rules].map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </select>
      )}
      {labels.length > 0 && (
        <select aria-label="Label" value="" onChange={(event) => setLabel([...filter.labels, event.target.value].join(','))}>
          <option value="">{filter.labels.length === 0 ? 'any label' : 'and label'}</option>
          {labels.map((label) => <option key={label}>{label}</option>)}
        </select>
      )}
      <select aria-label="Started" value={filter.since?.id ?? ''} onChange={(event) => setSince(event.target.value)}>
        <option value="">any time</option>
        {SINCES.map((since) => <option key={since.id} value={since.id}>{since.label}</option>)}
      </select>
      {filter.labels.map((label) => (
        <button key={label} type="button" className="chip" aria-label={`Without the label ${label}`}
          onClick={() => setLabel(filter.labels.filter((other) => other !== label).join(','))}>
          {label}<Icon name="cross" size={11} />
        </button>
      ))}
      {isNarrowed(filter) && <button type="button" className="quiet" onClick={clear}>Clear filters</button>}
      <Segments<AlertSort> label="Order" value={filter.sort} choices={SORTS} onChoose={(sort) => setSort(sort === 'urgent' ? null : sort)} />
    </div>
  );
}

function sorted(values: readonly string[]): string[] {
  return [...new Set(values)].sort((left, right) => left.localeCompare(right, 'en', { numeric: true }));
}
