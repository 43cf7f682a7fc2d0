import { useEffect, useState, type ReactNode } from 'react';
import { useNodes } from '../../api/queries';
import { ApiError, messageOf, type FieldError } from '../../api/problem';
import { usePreview } from '../../api/ruleQueries';
import type { PreviewSeries, RuleDefinition, RulePreview } from '../../api/rules';
import { count } from '../../format/numbers';
import { clock, duration, unixMs } from '../../format/times';
import { Panel } from '../../ui/Panel';
import { Segments } from '../../ui/Segments';
import { loudest, stretchesOf, sumOf } from './phases';
import { seriesName } from './ruleWords';
import { useSettled } from './useSettled';

const SPANS = [['1h', '1 h', 3_600_000], ['6h', '6 h', 6 * 3_600_000], ['24h', '24 h', 86_400_000], ['7d', '7 d', 7 * 86_400_000]] as const;
type Span = (typeof SPANS)[number][0];
const SHOWN = 30;

interface PreviewProps {
  readonly definition: RuleDefinition | null;
  /** Told of every field that the hub finds wrong; must be stable. */
  readonly onFound: (errors: readonly FieldError[]) => void;
}

const NOTHING_FOUND: readonly FieldError[] = [];

/** What the rule, as it stands in the form, would have done on what the hub keeps. */
export function Preview({ definition, onFound }: PreviewProps): ReactNode {
  const [span, setSpan] = useState<Span>('1h');
  const [node, setNode] = useState('');
  const nodes = useNodes().data?.items ?? [];
  const span_ms = SPANS.find(([id]) => id === span)?.[2] ?? 3_600_000;
  const asked = useSettled(definition);
  const query = usePreview(asked === null ? null : { definition: asked, span_ms, node });
  const is_old = asked !== definition || query.isFetching;
  const found = definition !== null && query.error instanceof ApiError ? query.error.errors : NOTHING_FOUND;
  useEffect(() => onFound(found), [found, onFound]);
  return (
    <Panel title="Preview"
      actions={(
        <>
          {nodes.length > 1 && (
            <select aria-label="Node" value={node} onChange={(event) => setNode(event.target.value)}>
              <option value="">every node</option>
              {nodes.map((one) => <option key={one.id}>{one.id}</option>)}
            </select>
          )}
          <Segments<Span> label="Over the last" value={span} choices={SPANS.map(([id, name]) => [id, name] as const)} onChoose={setSpan} />
        </>
      )}>
      {definition === null && <p className="muted">As soon as the condition is complete, this shows what the rule would have done on the data of this hub.</p>}
      {definition !== null && query.error !== null && (found.length > 0
        ? <p className="muted">The hub would not take the rule yet: see its fields.</p>
        : <p className="tone-bad" role="alert">{messageOf(query.error)}</p>)}
      {definition !== null && query.error === null && query.data === undefined && <div className="skeleton" role="status" aria-label="Loading"><span /><span /></div>}
      {definition !== null && query.error === null && query.data !== undefined && <Bands preview={query.data} is_old={is_old} />}
    </Panel>
  );
}

function Bands({ preview, is_old }: { readonly preview: RulePreview; readonly is_old: boolean }): ReactNode {
  const sum = sumOf(preview.series);
  const shown = loudest(preview.series).slice(0, SHOWN);
  return (
    <div className={is_old ? 'preview old' : 'preview'} data-preview={sum.fired} aria-busy={is_old}>
      <p className="preview-sum" role="status">
        {preview.series.length === 0 ? 'The hub keeps no series that this rule would look at.' : (
          <>
            <strong>{sum.fired === 0 ? 'It would not have fired' : `It would have fired ${sum.fired === 1 ? 'once' : `${count(sum.fired)} times`}`}</strong>
            {sum.fired > 0 && <> on {count(sum.firing_series)} of {count(sum.series)} series, {duration(sum.firing_ms / 1000)} in all</>}
            {sum.fired === 0 && <> on any of {count(sum.series)} series</>}
          </>
        )}
      </p>
      {preview.truncated && <p className="tone-warn">Only a part of what the hub keeps was looked at.</p>}
      {shown.length > 0 && (
        <>
          <ul className="bands">
            {shown.map((series) => <Band key={seriesName(series.metric, series.labels)} series={series} from={preview.from} until={preview.until} />)}
          </ul>
          <p className="bands-scale muted"><span>{clock(unixMs(preview.from) ?? 0)}</span><span>{clock(unixMs(preview.until) ?? 0)}</span></p>
          <p className="bands-legend muted"><span className="band-key ok" />ok <span className="band-key pending" />pending <span className="band-key firing" />firing</p>
        </>
      )}
      {preview.series.length > SHOWN && <p className="muted">and {count(preview.series.length - SHOWN)} more series</p>}
    </div>
  );
}

/** One series: its phases along the time. */
function Band({ series, from, until }: { readonly series: PreviewSeries; readonly from: string; readonly until: string }): ReactNode {
  const stretches = stretchesOf(series, from, until);
  const name = seriesName(series.metric, series.labels);
  return (
    <li>
      <span className="mono band-name" title={name}>{name}</span>
      <span className="muted">{series.fired === 0 ? 'never' : `${count(series.fired)} ×, ${duration(series.firing_ms / 1000)}`}</span>
      <div className="band" role="img" aria-label={`${name}: ${series.fired === 0 ? 'did not fire' : `fired ${series.fired} times`}`}>
        {stretches.filter((stretch) => stretch.phase !== 'ok').map((stretch) => (
          <span key={stretch.from_ms} className={stretch.phase} title={`${stretch.phase} from ${clock(stretch.from_ms)} to ${clock(stretch.to_ms)}${stretch.reason === '' ? '' : `: ${stretch.reason}`}`}
            style={{ left: `${(stretch.from * 100).toFixed(3)}%`, width: `${((stretch.to - stretch.from) * 100).toFixed(3)}%` }} />
        ))}
      </div>
    </li>
  );
}
