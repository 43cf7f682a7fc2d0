import { useMemo, type ReactNode } from 'react';
import { useSearchParams } from 'react-router';
import type { StoredRun } from '../../api/testing';
import { useRun } from '../../api/testingQueries';
import { decimal, UNKNOWN } from '../../format/numbers';
import { Loaded, Panel } from '../../ui/Panel';
import { ScrollBox } from '../../ui/ScrollBox';
import { compareRuns, TIE_SHARE, unlike, type ComparedRow, type Verdict } from './comparison';
import { Histogram } from './Histogram';
import { swapped, unpicked } from './picking';

/** Two runs beside each other (`?a=..&b=..`). */
export function Comparison(): ReactNode {
  const [parameters, setParameters] = useSearchParams();
  const [a, b] = [parameters.get('a'), parameters.get('b')];
  const left = useRun(a);
  const right = useRun(b);
  if (a === null || b === null) return null;
  return (
    <Panel title="Comparison"
      actions={(
        <>
          <button type="button" className="small" onClick={() => setParameters(swapped, { replace: true })}>Swap</button>
          <button type="button" className="small" onClick={() => setParameters(unpicked, { replace: true })}>Close</button>
        </>
      )}>
      <Loaded query={left} rows={4}>
        {(first) => <Loaded query={right} rows={4}>{(second) => <Compared a={first} b={second} />}</Loaded>}
      </Loaded>
    </Panel>
  );
}

function Compared({ a, b }: { readonly a: StoredRun; readonly b: StoredRun }): ReactNode {
  const rows = compareRuns(a, b);
  const differences = unlike(a, b);
  const runs = useMemo(() => [
    { label: 'A', histogram: a.histogram ?? [], latency: a.latency }, { label: 'B', histogram: b.histogram ?? [], latency: b.latency },
  ], [a, b]);
  return (
    <div className="comparison" data-comparison={`${a.id} ${b.id}`}>
      <div>
        {differences.length > 0 && <p className="tone-warn lab-what">They were not asked for the same: {differences.join('; ')}.</p>}
        <ScrollBox label="Figures of both runs" kind="table-box">
          <table className="data fitted">
            <caption className="visually-hidden">Figures of both runs</caption>
            <thead>
              <tr>
                <th scope="col">Figure</th>
                <th scope="col" className="number" title={a.name}>A</th><th scope="col" className="number" title={b.name}>B</th>
                <th scope="col" className="number"><abbr title="B divided by A">B / A</abbr></th><th scope="col">Verdict</th>
              </tr>
            </thead>
            <tbody>{rows.map((row) => <Row key={row.name} row={row} />)}</tbody>
          </table>
        </ScrollBox>
      </div>
      <div className="comparison-side">
        <Histogram title="Latencies of both" runs={runs} height={266} />
        <p className="muted lab-what"><strong>A</strong> {a.name}. <strong>B</strong> {b.name}. Differences under {TIE_SHARE * 100} % are a tie: two runs of the same hub differ by that much.</p>
      </div>
    </div>
  );
}

const WORDS: Readonly<Record<Verdict, string>> = { tie: 'tie', a: 'A is better', b: 'B is better', differs: 'differs', unknown: 'not measured' };

function Row({ row }: { readonly row: ComparedRow }): ReactNode {
  return (
    <tr data-compared={row.name} data-verdict={row.verdict}>
      <td>{row.name}</td>
      <td className={row.verdict === 'a' ? 'number better' : 'number'}>{row.a}</td>
      <td className={row.verdict === 'b' ? 'number better' : 'number'}>{row.b}</td>
      <td className="number">{row.ratio === null ? UNKNOWN : `${decimal(row.ratio, 2)} ×`}</td>
      <td className={row.verdict === 'a' || row.verdict === 'b' ? undefined : 'muted'}>{WORDS[row.verdict]}</td>
    </tr>
  );
}
