import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { Performance } from '../../api/delivery';
import { countsText, words } from '../../format/counts';
import { bytes, count, percent } from '../../format/numbers';
import { useServices } from '../../state/context';
import { useNow } from '../../state/ticker';
import { Facts } from '../../ui/Facts';
import { Loaded, Panel } from '../../ui/Panel';
import { batchSize } from './batches';

/** What throttling, batching and compression did, for everybody and for this page. */
export function Delivery({ query }: { readonly query: UseQueryResult<Performance> }): ReactNode {
  return (
    <Panel title="Throttle and bandwidth">
      <Loaded query={query} rows={6}>{(data) => <HubFacts performance={data} />}</Loaded>
      <h3 className="sub">This page</h3>
      <OwnFacts />
    </Panel>
  );
}

function HubFacts({ performance: { delivery, bandwidth } }: { readonly performance: Performance }): ReactNode {
  const size = batchSize(delivery);
  const { batched_messages = null } = delivery;
  const share = batched_messages === null || delivery.published === 0 ? null : Math.min(100, (100 * batched_messages) / delivery.published);
  return (
    <Facts rows={[
      ['Batches', size === null ? count(delivery.batches) : `${count(delivery.batches)}, ${size.toFixed(1)} messages each`],
      ['Published in batches', percent(share)],
      ['Conflated', count(delivery.conflated)],
      ['Dropped', countsText(delivery.dropped, 'none')],
      ['Received', bytes(bandwidth.bytes_in)],
      ['Sent', bytes(bandwidth.bytes_out)],
      ['Saved', `${bytes(bandwidth.saved_bytes)} (${percent(bandwidth.saved_percent)})`],
      ...Object.entries(bandwidth.saved_by).map(([how, saved]): [string, string] => [`by ${words(how)}`, bytes(saved)]),
    ]} />
  );
}

/** What this page itself received, counted here. */
function OwnFacts(): ReactNode {
  const { socket, frames } = useServices();
  useNow();
  const tally = socket.tally();
  const counts = frames.counts;
  return (
    <Facts rows={[
      ['Frames in', `${count(counts.in)} · ${bytes(counts.in_chars)}`],
      ['Messages', count(tally.received)],
      ['Gaps', <span key="gaps" data-own="gaps">{count(tally.gaps)}</span>],
      ['Duplicates dropped', count(tally.duplicates)],
      ['Left out by the hub', count(tally.declared)],
    ]} />
  );
}
