import type { ReactNode } from 'react';
import { OPEN_STATES, type AlertState, type AlertStatistics } from '../../api/alerts';
import { SEVERITIES, type Severity } from '../../api/delivery';
import { count, UNKNOWN } from '../../format/numbers';
import { useParameter } from '../../state/view';
import { Status } from '../../ui/Status';
import type { AlertFilter } from './alertFilter';

interface AlertStripProps {
  readonly statistics: AlertStatistics | undefined;
  readonly filter: AlertFilter;
}

const SHOWN: readonly AlertState[] = [...OPEN_STATES, 'resolved'];

/** How many there are in each state and of each severity; each number is a filter. */
export function AlertStrip({ statistics, filter }: AlertStripProps): ReactNode {
  const [, setState] = useParameter('state');
  const [, setSeverity] = useParameter('severity');
  const toggle = <T extends string>(chosen: readonly T[], one: T): string =>
    (chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one]).join(',');
  return (
    <div className="alert-strip">
      <div role="group" aria-label="By state">
        {SHOWN.map((state) => (
          <Count key={state} word={state} number={statistics === undefined ? undefined : (statistics.by_state[state] ?? 0)}
            is_chosen={filter.states.includes(state)} onChoose={() => setState(toggle(filter.states.length === SHOWN.length ? [] : filter.states, state))} />
        ))}
      </div>
      <div role="group" aria-label="Open, by severity">
        {SEVERITIES.map((severity) => (
          <Count key={severity} word={severity} number={statistics === undefined ? undefined : (statistics.by_severity[severity] ?? 0)}
            is_chosen={filter.severities.includes(severity)} onChoose={() => setSeverity(toggle(filter.severities, severity))} />
        ))}
      </div>
    </div>
  );
}

interface CountProps {
  readonly word: AlertState | Severity;
  readonly number: number | undefined;
  readonly is_chosen: boolean;
  readonly onChoose: () => void;
}

function Count({ word, number, is_chosen, onChoose }: CountProps): ReactNode {
  return (
    <button type="button" className={number === 0 ? 'alert-count none' : 'alert-count'} aria-pressed={is_chosen} data-count={word} onClick={onChoose}>
      <strong>{number === undefined ? UNKNOWN : count(number)}</strong>
      <Status word={word} />
    </button>
  );
}
