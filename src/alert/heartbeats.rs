//! Dead man's switches: whoever is to give a sign of life again and again. One that stays away opens an alert; its next
//! beat resolves it. What is known is in the store, so that a restart forgets nothing; what could not beat because the
//! hub was away counts from its start, or from when it became the owner of alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::alerts::Alerts;
use super::entity::HUB;
use super::error::AlertError;
use super::fingerprint::Labels;
use super::severity::Severity;
use super::signal::{Posted, Text};
use crate::clock::Clock;
use crate::ownership::Fence;
use crate::protocol::codes::Code;
use crate::store::{HeartbeatRecord, Store, StoreError};
use crate::telemetry::Cause;

/// Most of them.
pub const HEARTBEATS_MAX: usize = 1_000;

/// The label of the alert that names the heartbeat.
const LABEL: &str = "heartbeat";

/// What a beat lays down; what is left out stays as it was, or is what new ones have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beat {
    /// Time to the next, milliseconds; a minute.
    pub interval_ms: Option<u64>,
    /// How much later is still fine, milliseconds; half a minute.
    pub grace_ms: Option<u64>,
    /// Of the alert; error.
    pub severity: Option<Severity>,
}

/// Why something about heartbeats was not done.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HeartbeatError {
    /// There is none of that name.
    #[error("there is no such heartbeat")]
    NotFound,
    /// As many as there may be.
    #[error("there are {HEARTBEATS_MAX} heartbeats, which is the limit")]
    TooMany,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The owner of alerts did not do its part.
    #[error(transparent)]
    Alert(#[from] AlertError),
}

impl HeartbeatError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::TooMany => Code::Overloaded,
            Self::Store(error) => error.code(),
            Self::Alert(error) => error.code(),
        }
    }
}

/// All heartbeats. Cheap to clone.
#[derive(Clone)]
pub struct Heartbeats(Arc<Shared>);

struct Shared {
    known: Mutex<BTreeMap<String, HeartbeatRecord>>,
    /// Held by whoever changes one: a beat and a look at the time do not get in each other's way.
    changing: tokio::sync::Mutex<()>,
    alerts: Alerts,
    store: Store,
    clock: Clock,
    /// The tenure that they are known in, and when it began, Unix milliseconds.
    served: Mutex<(Option<Fence>, u64)>,
}

impl Heartbeats {
    /// None yet.
    pub fn new(alerts: Alerts, store: Store, clock: Clock) -> Self {
        let served = Mutex::new((None, clock.steady_unix_ms()));
        let (known, changing) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { known, changing, alerts, store, clock, served }))
    }

    /// Reads them from the store when this hub has become the owner of alerts since.
    ///
    /// # Errors
    ///
    /// [`AlertError::NotOwner`] while another hub node owns alerts.
    pub async fn begin(&self) -> Result<(), AlertError> {
        let duty = self.0.alerts.duty().ok_or(AlertError::NotOwner)?;
        let _changing = self.0.changing.lock().await;
        if self.0.served.lock().0 == Some(duty) {
            return Ok(());
        }
        let records = self.0.store.heartbeats().await?;
        *self.0.known.lock() = records.into_iter().map(|record| (record.name.clone(), record)).collect();
        *self.0.served.lock() = (Some(duty), self.0.clock.steady_unix_ms());
        Ok(())
    }

    /// When the next beat is due, grace included, Unix milliseconds.
    pub fn due_ms(&self, record: &HeartbeatRecord) -> u64 {
        let from_ms = record.beaten_at_ms.max(self.0.served.lock().1);
        from_ms.saturating_add(record.interval_ms).saturating_add(record.grace_ms)
    }

    /// One of them.
    pub fn one(&self, name: &str) -> Option<HeartbeatRecord> {
        self.0.known.lock().get(name).cloned()
    }

    /// Those behind a name, at most `limit`.
    pub fn page(&self, after: Option<&str>, limit: usize) -> Vec<HeartbeatRecord> {
        let after = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let known = self.0.known.lock();
        let behind = known.range::<str, _>((after, std::ops::Bound::Unbounded));
        behind.take(limit).map(|(_, record)| record.clone()).collect()
    }

    /// A sign of life. Ready when it is in the store, and the alert about its absence is over. True when it is the first.
    pub async fn beat(
        &self,
        name: &str,
        beat: Beat,
        by: &str,
        cause: &Cause,
    ) -> Result<(HeartbeatRecord, bool), HeartbeatError> {
        self.begin().await?;
        let _changing = self.0.changing.lock().await;
        let now_ms = self.0.clock.steady_unix_ms();
        let (there, count) = {
            let known = self.0.known.lock();
            (known.get(name).cloned(), known.len())
        };
        let is_first = there.is_none();
        if is_first && count >= HEARTBEATS_MAX {
            return Err(HeartbeatError::TooMany);
        }
        let mut record = there.unwrap_or_else(|| HeartbeatRecord {
            name: name.to_owned(),
            interval_ms: 60_000,
            grace_ms: 30_000,
            beaten_at_ms: now_ms,
            beats: 0,
            severity: Severity::Error.rank(),
            alert_id: None,
            created_at_ms: now_ms,
            created_by: by.to_owned(),
        });
        record.interval_ms = beat.interval_ms.unwrap_or(record.interval_ms);
        record.grace_ms = beat.grace_ms.unwrap_or(record.grace_ms);
        record.severity = beat.severity.map_or(record.severity, Severity::rank);
        record.beaten_at_ms = now_ms;
        record.beats += 1;
        self.back(&mut record, "it beats again", cause).await?;
        self.keep(record.clone()).await?;
        Ok((record, is_first))
    }

    /// Forgets one; the alert about its absence is over.
    pub async fn forget(&self, name: &str, by: &str, cause: &Cause) -> Result<(), HeartbeatError> {
        self.begin().await?;
        let _changing = self.0.changing.lock().await;
        let mut record = self.one(name).ok_or(HeartbeatError::NotFound)?;
        self.back(&mut record, &format!("the heartbeat was deleted by {by}"), cause).await?;
        self.0.alerts.store()?.delete_heartbeat(name).await?;
        self.0.known.lock().remove(name);
        Ok(())
    }

    /// Opens alerts about those that stay away. For a timer; what fails is tried again.
    pub async fn check(&self) {
        match self.begin().await {
            Ok(()) => {}
            Err(AlertError::NotOwner) => return,
            Err(error) => return tracing::warn!(%error, "heartbeats not read from the store; tried again"),
        }
        let now_ms = self.0.clock.steady_unix_ms();
        let is_away = |record: &&HeartbeatRecord| record.alert_id.is_none() && self.due_ms(record) <= now_ms;
        let away: Vec<String> = {
            let known = self.0.known.lock();
            known.values().filter(is_away).map(|record| record.name.clone()).collect()
        };
        for name in away {
            let _changing = self.0.changing.lock().await;
            // It may have come meanwhile.
            let Some(mut record) = self.one(&name).filter(|record| is_away(&record)) else { continue };
            match self.0.alerts.post(missing(&record), HUB, &Cause::own()).await {
                Ok(taken) => record.alert_id = Some(taken.alert.id),
                Err(error) => {
                    tracing::warn!(heartbeat = name, %error, "no alert about a heartbeat that stays away yet");
                    continue;
                }
            }
            if let Err(error) = self.keep(record).await {
                tracing::warn!(heartbeat = name, %error, "a heartbeat that stays away is not kept as such yet");
            }
        }
    }

    async fn back(&self, record: &mut HeartbeatRecord, why: &str, cause: &Cause) -> Result<(), AlertError> {
        let Some(id) = &record.alert_id else { return Ok(()) };
        match self.0.alerts.resolve(id, HUB, Some(why.to_owned()), cause).await {
            // Forgotten since.
            Ok(_) | Err(AlertError::NotFound) => {}
            Err(error) => return Err(error),
        }
        record.alert_id = None;
        Ok(())
    }

    async fn keep(&self, record: HeartbeatRecord) -> Result<(), AlertError> {
        self.0.alerts.store()?.put_heartbeat(record.clone()).await?;
        self.0.known.lock().insert(record.name.clone(), record);
        Ok(())
    }
}

fn missing(record: &HeartbeatRecord) -> Posted {
    let HeartbeatRecord { name, interval_ms, grace_ms, .. } = record;
    let text = Text {
        severity: Severity::of_rank(record.severity).unwrap_or(Severity::Error),
        title: format!("Heartbeat {name} is missing"),
        message: format!("No beat of {name} for {} s.", interval_ms.saturating_add(*grace_ms) / 1_000),
        labels: Labels::from([(LABEL.to_owned(), name.clone())]),
        annotations: Labels::new(),
    };
    Posted { service: None, text, ends_at_ms: None }
}
