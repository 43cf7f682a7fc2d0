import type { ReactNode } from 'react';
import { useEventsFeed, useFleetFeed } from '../../state/context';
import './console.css';
import { ConnectionFacts } from './ConnectionFacts';
import { ConnectionTimeline } from './ConnectionTimeline';
import { OfflineQueue } from './OfflineQueue';
import { RawSend } from './RawSend';
import { TopicPositions } from './TopicPositions';

/** The connection of this page: what it went through, what waits, and frames by hand. */
export default function LiveConsole(): ReactNode {
  useFleetFeed();
  useEventsFeed();
  return (
    <div className="live-console">
      <div className="live-column">
        <ConnectionTimeline />
        <TopicPositions />
      </div>
      <div className="live-column">
        <ConnectionFacts />
        <RawSend />
        <OfflineQueue />
      </div>
    </div>
  );
}
