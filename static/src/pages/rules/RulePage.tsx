import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { ApiError } from '../../api/problem';
import { useExplanation, useRule } from '../../api/ruleQueries';
import type { Rule, RuleTemplate } from '../../api/rules';
import { dateAndClock } from '../../format/times';
import { Age } from '../../ui/Age';
import { DataAge } from '../../ui/DataAge';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { Status } from '../../ui/Status';
import { actorText } from '../alerts/alertText';
import { AtTime, Past } from './AtTime';
import { definitionOf } from './definitionOf';
import { Explanations } from './Explanations';
import { readMoment } from './moment';
import { stateOf } from './RuleList';
import { RuleEditor } from './RuleEditor';
import { emptyRule, ruleForm } from './ruleForm';
import { ruleWords } from './ruleWords';
import '../alerts/steps.css';
import './rules.css';
import { Templates } from './Templates';

const NEW = 'new';

/** One rule to look at and to change, or a new one (`/rules/new`). */
export default function RulePage(): ReactNode {
  const { id = '' } = useParams();
  return id === NEW ? <NewRule /> : <Stored key={id} id={id} />;
}

/** A new rule: from nothing, from a template, or as another one is (`?like=`). */
function NewRule(): ReactNode {
  const [parameters] = useSearchParams();
  const like = parameters.get('like');
  const source = useRule(like);
  const [template, setTemplate] = useState<RuleTemplate | null>(null);
  if (like !== null) {
    return (
      <Loaded query={source} rows={8}>
        {(rule) => <RuleEditor key={rule.id} initial={{ ...ruleForm(definitionOf(rule)), name: `${rule.name} (copy)` }} stored={null} />}
      </Loaded>
    );
  }
  return (
    <>
      <Templates chosen={template} onChoose={setTemplate} />
      <RuleEditor key={template?.id ?? NEW} initial={template === null ? emptyRule() : ruleForm(template.definition)} stored={null} />
    </>
  );
}

function Stored({ id }: { readonly id: string }): ReactNode {
  const query = useRule(id);
  const queries = useQueryClient();
  // What is edited is the version that was there when the page was opened; a newer one is offered, not forced.
  const [taken, setTaken] = useState<Rule | null>(null);
  const [saved_version, setSavedVersion] = useState<number | null>(null);
  const edited = taken ?? query.data ?? null;
  const name = query.data?.name;
  useEffect(() => {
    if (name !== undefined) document.title = `${name} · InfraWatch`;
  }, [name]);
  if (taken === null && query.data !== undefined) setTaken(query.data);
  if (query.error instanceof ApiError && query.error.status === 404) {
    return <Empty title="There is no such rule"><Link to="/rules">All rules</Link></Empty>;
  }
  const reload = async (): Promise<void> => {
    await queries.invalidateQueries({ queryKey: ['rules', 'one', id] });
    setTaken(null);
  };
  return (
    <Loaded query={query} rows={8}>
      {(rule) => (
        <>
          <Head rule={rule} read_at_ms={query.dataUpdatedAt} />
          {edited !== null && (
            <RuleEditor key={edited.version} initial={ruleForm(definitionOf(edited))} stored={edited} newer={rule.version > edited.version ? rule : null}
              is_saved={edited.version === saved_version}
              onReload={() => void reload()} onSaved={(saved) => {
                setTaken(saved);
                setSavedVersion(saved.version);
              }} />
          )}
          <Why id={id} />
        </>
      )}
    </Loaded>
  );
}

function Head({ rule, read_at_ms }: { readonly rule: Rule; readonly read_at_ms: number }): ReactNode {
  const { live } = rule;
  return (
    <section className="panel rule-head" aria-label="State of the rule" data-rule-state={stateOf(rule)}>
      <div className="alert-head-line">
        <Link to="/rules">All rules</Link>
        <Status word={stateOf(rule)} />
        <Link to={`/alerts?rule=${encodeURIComponent(rule.id)}`}>{live.firing} firing, {live.pending} pending of {live.series} series</Link>
        <span className="muted">sample <Age at={live.last_sample_at} suffix=" ago" /></span>
        <Link to={`/rules/new?like=${encodeURIComponent(rule.id)}`}>Copy</Link>
        <DataAge read_at_ms={read_at_ms} />
      </div>
      <h2>{rule.name}</h2>
      <p className="mono">{ruleWords(rule)}</p>
      <p className="muted">version {rule.version}, changed by {actorText(rule.updated_by)} on {dateAndClock(rule.updated_at)}</p>
      {live.failed !== null && <p className="tone-bad" role="alert">It was given up: {live.failed}. Other rules go on; saving it starts it again.</p>}
      {live.dropped > 0 && <p className="tone-warn">{live.dropped} samples were refused because it could not keep up.</p>}
    </section>
  );
}

function Why({ id }: { readonly id: string }): ReactNode {
  const [field, setField] = useState('');
  const at = readMoment(field);
  const query = useExplanation(id, at);
  return (
    <Panel title={at === null ? 'Its series at present' : 'Its series at that time'} count={query.data?.items.length} flush actions={<AtTime field={field} change={setField} />}>
      <Loaded query={query} rows={2}>
        {({ items, truncated, at: shown, caveats }) => (
          <>
            <Past field={field} at={shown} caveats={caveats} />
            <Explanations items={items} truncated={truncated === true} is_past={at !== null} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}
