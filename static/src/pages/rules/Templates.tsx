import type { ReactNode } from 'react';
import { useRuleTemplates } from '../../api/ruleQueries';
import type { RuleTemplate } from '../../api/rules';
import { messageOf } from '../../api/problem';
import { Panel } from '../../ui/Panel';
import { conditionWords, ruleWords } from './ruleWords';

interface TemplatesProps {
  readonly chosen: RuleTemplate | null;
  readonly onChoose: (template: RuleTemplate | null) => void;
}

/** Rules to start from. */
export function Templates({ chosen, onChoose }: TemplatesProps): ReactNode {
  const query = useRuleTemplates();
  const items = query.data?.items ?? [];
  if (query.error !== null && query.data === undefined) return <p className="muted">There are no templates to start from: {messageOf(query.error)}</p>;
  if (items.length === 0) return null;
  return (
    <Panel title="Start from" count={items.length}>
      <div className="templates" role="group" aria-label="Templates">
        {items.map((template) => {
          const is_chosen = chosen?.id === template.id;
          return (
            <button key={template.id} type="button" className="template" aria-pressed={is_chosen} title={template.description ?? conditionWords(template.definition)}
              onClick={() => onChoose(is_chosen ? null : template)}>
              {template.name}
            </button>
          );
        })}
      </div>
      {chosen !== null && <p className="muted template-what">{chosen.description} <span className="mono">{ruleWords(chosen.definition)}</span></p>}
    </Panel>
  );
}
