import type { ReactNode } from 'react';
import { useEventsFeed, useFleetFeed } from '../../state/context';
import './events.css';
import { FrameInspector } from './FrameInspector';
import { OfflineQueues } from './OfflineQueues';
import { SyncDocs } from './SyncDocs';

/** The protocol at work: frames in both directions, shared state, offline queues. */
export default function EventProtocol(): ReactNode {
  useFleetFeed();
  useEventsFeed();
  return (
    <>
      <FrameInspector />
      <div className="events-below">
        <SyncDocs />
        <OfflineQueues />
      </div>
    </>
  );
}
