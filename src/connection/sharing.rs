//! Sessions that hub nodes share through their store: a client goes on at any of them.
//!
//! A node knows the sessions of clients that were last connected to it. What it knows of others it has read, when
//! somebody asked for them: it is read again when the client arrives.

use std::time::Duration;

use super::Services;
use super::session::Personal;
use crate::ids::{ClientId, TopicName};
use crate::store::{SessionRecord, StoreError};

/// Kind of the notice to a node that a client, whom it names, came to another one.
pub const ARRIVED: &str = "arrived";

/// Kind of the notice that the connection of a client, whom it names, is to be closed.
pub const DISCONNECT: &str = "disconnect";

/// Sessions of one subject that are looked at: one that is not over is enough.
const OF_SUBJECT_MAX: usize = 16;

/// How long a client that is still connected to another node waits for its session, in milliseconds, and the time
/// between two looks.
const TAKE_OVER_MS: u64 = 1_000;
const LOOK_MS: u64 = 25;

impl Services {
    /// Whether a queue may be that of a session of which only the store knows.
    pub fn may_be_elsewhere(&self, topic: &TopicName) -> bool {
        self.broker.shares_store() && Personal::of(topic.as_str()).is_some() && !self.clients.has_queue(topic)
    }

    /// Takes in what the store knows of the sessions whose queue this is. A store that does not answer knows of none.
    pub async fn find_queue(&self, topic: &TopicName) {
        if !self.may_be_elsewhere(topic) {
            return;
        }
        let found = match Personal::of(topic.as_str()) {
            None => return,
            Some((Personal::Client, id)) => self.store.session(id).await.map(Vec::from_iter),
            Some((Personal::User, subject)) => self.store.sessions_of(subject, OF_SUBJECT_MAX).await,
        };
        self.take_in(found);
    }

    /// Takes in what the store knows of a client that may be connected to another node.
    pub async fn look_at_session(&self, id: &ClientId) {
        if self.broker.shares_store() && self.clients.place(id).is_none() {
            self.take_in(self.store.session(id.as_str()).await.map(Vec::from_iter));
        }
    }

    /// Takes in what the store knows of a client that arrives, and whether something waits for it. A connection that it
    /// still has to another node is closed. Returns when it was connected elsewhere, unix milliseconds.
    pub async fn find_session(&self, id: &ClientId, subject: &str) -> u64 {
        if !self.broker.shares_store() {
            return 0;
        }
        let found = match self.store.session(id.as_str()).await {
            // Somebody else's is left alone: it refuses the newcomer.
            Ok(Some(record)) if record.subject == subject => self.taken_over(record).await,
            found => found,
        };
        let connected_ms =
            found.as_ref().ok().and_then(Option::as_ref).map_or(0, |record| record.connected_at_ms);
        self.take_in(found.map(Vec::from_iter));
        if connected_ms > 0 {
            let queues = Personal::ALL.map(|personal| personal.topic(id.as_str(), subject)).to_vec();
            match self.store.topic_heads(queues).await {
                Ok(heads) => {
                    self.broker.has_mail(heads.iter().filter_map(|(name, _)| TopicName::parse(name).ok()));
                }
                Err(error) => tracing::warn!(client = %id, %error, "queues of a client not looked for"),
            }
        }
        connected_ms
    }

    /// The session as the node that still has its connection leaves it.
    async fn taken_over(&self, record: SessionRecord) -> Result<Option<SessionRecord>, StoreError> {
        let is_here = record.hub == self.clients.hub();
        let Some(carrier) = self.carrier.as_ref().filter(|_| !is_here && record.disconnected_at_ms.is_none())
        else {
            return Ok(Some(record));
        };
        let told = carrier.notify_node(&record.hub, ARRIVED, &record.client_id).await;
        if !told.as_ref().is_ok_and(|is_there| *is_there) {
            // That node is gone, or nobody can be told now.
            return Ok(Some(record));
        }
        let until_ms = self.clock.monotonic_ms() + TAKE_OVER_MS;
        loop {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            match self.store.session(&record.client_id).await? {
                Some(newer) if newer.disconnected_at_ms.is_none() && self.clock.monotonic_ms() < until_ms => {
                }
                found => return Ok(found),
            }
        }
    }

    /// The session of a client that has arrived is with the store before anybody can put something into its queue.
    pub async fn keep_session(&self, id: &ClientId) {
        if !self.broker.shares_store() {
            return;
        }
        if let Some(record) = self.clients.take_record(id)
            && let Err(error) = self.store.put_sessions(vec![record]).await
        {
            tracing::warn!(client = %id, %error, "a session was not written; tried again with the next ones");
            self.clients.all_changed();
        }
    }

    /// Closes the connection of a client to another node; false when there is none.
    pub async fn disconnect_elsewhere(&self, id: &ClientId) -> bool {
        let Some(carrier) = self.carrier.as_ref().filter(|_| self.broker.shares_store()) else {
            return false;
        };
        match self.store.session(id.as_str()).await {
            Ok(Some(record)) if record.disconnected_at_ms.is_none() => {
                carrier.notify_node(&record.hub, DISCONNECT, id.as_str()).await.unwrap_or(false)
            }
            _ => false,
        }
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
