import { useMemo, type ReactNode } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useAlerts, useAlertStatistics } from '../../api/alertQueries';
import { useConnection, useLiveAlerts } from '../../state/context';
import { useNow } from '../../state/ticker';
import { DataAge } from '../../ui/DataAge';
import { Empty, Loaded, Panel } from '../../ui/Panel';
import { AlertFilters } from './AlertFilters';
import { AlertList } from './AlertList';
import { AlertStrip } from './AlertStrip';
import { ExportMenu } from './ExportMenu';
import { filterOf, isNarrowed, passes, searchOf, type AlertFilter } from './alertFilter';
import './alerts.css';
import './steps.css';
import { merged, type Row } from './merging';
import { Statistics } from './Statistics';

/** What is open, live; what is over on demand. Everything that is chosen stands in the address. */
export default function Alerts(): ReactNode {
  const [parameters] = useSearchParams();
  const written = parameters.toString();
  const filter = useMemo(() => filterOf(new URLSearchParams(written)), [written]);
  const statistics = useAlertStatistics();
  const { clock_skew_ms } = useConnection();
  const search = (): ReturnType<typeof searchOf> => searchOf(filter, Date.now() + clock_skew_ms);
  const query = useAlerts(JSON.stringify({ ...filter, text: filter.text.trim() }), search);
  const rows = useRows(query, filter);
  return (
    <>
      <AlertStrip statistics={statistics.data} filter={filter} />
      <AlertFilters filter={filter} alerts={rows.map((row) => row.alert)} statistics={statistics.data} />
      <div className="alerts-page">
        <Panel title={filter.states.length === 0 ? 'Open alerts' : 'Alerts'} count={query.data === undefined ? undefined : rows.length} flush
          actions={<><DataAge read_at_ms={query.dataUpdatedAt} /><ExportMenu search={search} /></>}>
          <Loaded query={query} rows={6}>
            {() => (rows.length === 0 ? <Nothing filter={filter} total={statistics.data?.total} /> : (
              <>
                <AlertList rows={rows} />
                {query.hasNextPage && (
                  <p className="panel-foot">
                    <button type="button" className="small" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                      {query.isFetchingNextPage ? 'Loading' : 'Show more'}
                    </button>
                  </p>
                )}
              </>
            ))}
          </Loaded>
        </Panel>
        <Statistics query={statistics} />
      </div>
    </>
  );
}

function useRows(query: ReturnType<typeof useAlerts>, filter: AlertFilter): Row[] {
  const live = useLiveAlerts();
  const now_ms = useNow();
  const skew_ms = useConnection().clock_skew_ms;
  const { data, hasNextPage, isPlaceholderData } = query;
  return useMemo(() => {
    if (data === undefined) return [];
    const all = data.pages.flatMap((page) => page.items);
    // What another filter listed stands in until this one has answered.
    const listed = isPlaceholderData ? all.filter((alert) => passes(filter, alert, now_ms + skew_ms)) : all;
    return merged({ listed, live, filter, has_more: hasNextPage, now_ms, skew_ms });
  }, [data, hasNextPage, isPlaceholderData, live, filter, now_ms, skew_ms]);
}

/** Nothing to show: because all is well, because of the filter, or because nobody said what to look for. */
function Nothing({ filter, total }: { readonly filter: AlertFilter; readonly total: number | undefined }): ReactNode {
  if (isNarrowed(filter)) return <Empty title="No alert matches the filters" />;
  return (
    <Empty title="Nothing is wrong">
      <p>{total === 0 ? 'No alert was ever opened here. ' : 'No alert is open. '}New ones appear by themselves.</p>
      {total === 0 && <Link to="/rules">Make a rule</Link>}
    </Empty>
  );
}
