import type { ReactNode } from 'react';
import { usePerformance } from '../../api/deliveryQueries';
import { useParameter } from '../../state/view';
import { AlertFeed } from './AlertFeed';
import { Delivery } from './Delivery';
import { MetricFeed } from './MetricFeed';
import { PublishBox } from './PublishBox';
import { StreamTiles } from './StreamTiles';
import './streaming.css';
import { TopicFeed } from './TopicFeed';
import { Topics } from './Topics';

/** What flows through the hub, topic by topic; one of them opens with its messages (`?topic=events`). */
export default function DataStreams(): ReactNode {
  const performance = usePerformance(2_000);
  const [topic] = useParameter('topic');
  return (
    <>
      <StreamTiles performance={performance.data ?? null} />
      <div className="streams">
        <div className="streams-main">
          <Topics />
          {topic !== null && <TopicFeed key={topic} topic={topic} />}
          <div className="streams-feeds">
            <MetricFeed />
            <AlertFeed />
          </div>
        </div>
        <div className="streams-side">
          <PublishBox key={topic ?? ''} topic={topic ?? 'events'} />
          <Delivery query={performance} />
        </div>
      </div>
    </>
  );
}
