import type uPlot from 'uplot';
import { nearestFilled, type Columns } from './align';

const PAGE_POINTS = 10;

/**
 * Moves the cursor of a chart by a key. Returns the index it stands on, `null` when the key took it away, `undefined`
 * when the key means nothing to a chart.
 */
export function moveCursor(chart: uPlot, columns: Columns, key: string): number | null | undefined {
  if (key === 'Escape') {
    chart.setCursor({ left: -10, top: -10 });
    return null;
  }
  const last = columns[0].length - 1;
  const here = chart.cursor.idx ?? last + 1;
  const target = targetOf(key, here, last);
  if (target === undefined) return undefined;
  const forward = target >= here && key !== 'End';
  const clamped = Math.min(last, Math.max(0, target));
  let index = nearestFilled(columns, clamped, forward ? 1 : -1);
  if (index < 0) index = nearestFilled(columns, clamped, forward ? -1 : 1);
  const at_s = columns[0][index];
  if (at_s === undefined) return null;
  chart.setCursor({ left: chart.valToPos(at_s, 'x'), top: chart.bbox.height / 2 / devicePixelRatio });
  return index;
}

function targetOf(key: string, here: number, last: number): number | undefined {
  switch (key) {
    case 'ArrowLeft': return here - 1;
    case 'ArrowRight': return here + 1;
    case 'PageUp': return here - PAGE_POINTS;
    case 'PageDown': return here + PAGE_POINTS;
    case 'Home': return 0;
    case 'End': return last;
    default: return undefined;
  }
}
