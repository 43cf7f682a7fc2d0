//! Topics in memory over a restart: a drain keeps them in the store, the next start goes on with their epochs.

use super::directory::Broker;
use crate::ids::TopicName;
use crate::store::{StoreError, TopicRecord};
use crate::topic::{Kept, TopicHandle};

/// Bytes of messages that a drain keeps in all; topics beyond that begin a new epoch.
const KEPT_BYTES_MAX: usize = 256 << 20;

impl Broker {
    /// Keeps the topics in memory for the next start. Nobody publishes any more.
    pub async fn keep_memory_topics(&self) -> Result<usize, StoreError> {
        let topics: Vec<TopicHandle> = self
            .0
            .topics
            .read()
            .values()
            .filter(|topic| topic.kind().kept == Kept::Memory)
            .cloned()
            .collect();
        // Those that nobody has opened since the last drain go on as they are.
        let mut records: Vec<TopicRecord> = self.0.former.lock().drain().map(|(_, record)| record).collect();
        for topic in topics {
            records.extend(topic.record().await);
        }
        let (mut kept, mut bytes) = (0, 0);
        for record in records {
            bytes += record.events.iter().map(|event| event.payload.len()).sum::<usize>();
            if bytes > KEPT_BYTES_MAX {
                tracing::warn!(
                    kept,
                    "more is in memory than a restart keeps; the other topics begin a new epoch"
                );
                break;
            }
            if record.head.last_offset > 0 {
                self.0.args.store.put_topics(vec![record]).await?;
                kept += 1;
            }
        }
        Ok(kept)
    }

    /// Takes in what the last drain kept.
    pub async fn recall_memory_topics(&self) -> Result<(), StoreError> {
        let records = self.0.args.store.take_topics().await?;
        let named = |record: TopicRecord| Some((TopicName::parse(&record.name).ok()?, record));
        self.0.former.lock().extend(records.into_iter().filter_map(named));
        Ok(())
    }
}
