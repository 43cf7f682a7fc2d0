//! Sessions that hub nodes share through their store: a client goes on at any of them.
//!
//! A node knows the sessions of clients that were last connected to it. What it knows of others it has read, when
//! somebody asked for them: it is read again when the client arrives.

use super::Services;
use super::session::Personal;
use crate::ids::{ClientId, TopicName};
use crate::store::{SessionRecord, StoreError};

/// Sessions of one subject that are looked at: one that is not over is enough.
const OF_SUBJECT_MAX: usize = 16;

impl Services {
    /// Whether a queue may be that of a session of which only the store knows.
    pub fn may_be_elsewhere(&self, topic: &TopicName) -> bool {
        self.broker.shares_store() && Personal::of(topic.as_str()).is_some() && !self.clients.has_queue(topic)
    }

    /// Takes in what the store knows of the sessions whose queue this is. A store that does not answer knows of none.
    pub async fn find_queue(&self, topic: &TopicName) {
        let found = match Personal::of(topic.as_str()) {
            _ if !self.may_be_elsewhere(topic) => return,
            None => return,
            Some((Personal::Client, id)) => {
                self.store.session(id).await.map(|found| found.into_iter().collect())
            }
            Some((Personal::User, subject)) => self.store.sessions_of(subject, OF_SUBJECT_MAX).await,
        };
        self.take_in(found);
    }

    /// Takes in what the store knows of a client that arrives, and whether something waits for it. Returns the latest time
    /// at which it was connected elsewhere, unix milliseconds.
    pub async fn find_session(&self, id: &ClientId, subject: &str) -> u64 {
        if !self.broker.shares_store() {
            return 0;
        }
        let found = self.store.session(id.as_str()).await;
        let connected_ms =
            found.as_ref().ok().and_then(Option::as_ref).map_or(0, |record| record.connected_at_ms);
        self.take_in(found.map(|record| record.into_iter().collect()));
        if connected_ms > 0 {
            let queues = Personal::ALL.map(|personal| personal.topic(id.as_str(), subject)).to_vec();
            match self.store.topic_heads(queues).await {
                Ok(heads) => {
                    self.broker.has_mail(heads.iter().filter_map(|(name, _)| TopicName::parse(name).ok()))
                }
                Err(error) => tracing::warn!(client = %id, %error, "queues of a client not looked for"),
            }
        }
        connected_ms
    }

    fn take_in(&self, found: Result<Vec<SessionRecord>, StoreError>) {
        let now_ms = self.clock.steady_unix_ms();
        let is_over = |record: &SessionRecord| {
            let ended_ms = record.disconnected_at_ms.unwrap_or(now_ms);
            ended_ms.saturating_add(self.settings.session_ttl_ms) < now_ms
        };
        match found {
            Ok(records) => {
                let records = records.into_iter().filter(|record| !is_over(record)).collect();
                self.clients.recall(records, now_ms);
            }
            Err(error) => tracing::warn!(%error, "sessions of other nodes are not known"),
        }
    }
}
