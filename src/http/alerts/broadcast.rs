//! From an alert to the subscribers of its severity: at once, or by way of a queue in the store while the breaker
//! of alerts is open.
//!
//! The queue keeps its order and survives a crash. A crash between publishing an alert and forgetting it in the
//! queue publishes it once more, with the same `alert.id`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;
use serde_json::json;

use crate::alert::Severity;
use crate::breaker::Subsystem;
use crate::broker::{Draft, Guarded};
use crate::clock::rfc3339;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::ids::TopicName;
use crate::protocol::codes::Code;
use crate::store::HeldAlert;
use crate::telemetry::{Cause, Counter};
use crate::topic::TopicError;

/// Alerts of the queue that are read at once.
const PART_MAX: usize = 50;

/// An alert as it is broadcast.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = BroadcastAlert)]
pub struct Alert {
    /// Its identity.
    pub id: String,
    /// How bad it is.
    pub severity: &'static str,
    /// Where it is in its life.
    pub state: &'static str,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it is about.
    pub service: Option<String>,
    /// Texts by name.
    pub labels: BTreeMap<String, String>,
    /// When it was taken, RFC 3339.
    pub created_at: String,
}

impl Alert {
    /// A fresh alert.
    pub fn firing(
        severity: Severity,
        title: String,
        message: String,
        service: Option<String>,
        labels: BTreeMap<String, String>,
        now_ms: u64,
    ) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            severity: severity.as_str(),
            state: "firing",
            title,
            message,
            service,
            labels,
            created_at: rfc3339(now_ms),
        }
    }
}

/// What became of an alert.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TakenAlert)]
pub struct Taken {
    /// The alert.
    pub alert: Alert,
    /// Where it is published.
    pub topic: String,
    /// The topic's epoch; null while it is queued.
    #[schema(value_type = Option<String>)]
    pub epoch: Option<Arc<str>>,
    /// Position in the epoch; null while it is queued.
    pub offset: Option<u64>,
    /// Whether it waits in the store for the breaker of alerts to close.
    pub queued: bool,
    /// Its place in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// What is known of the queue in the store.
pub struct Queue {
    held: AtomicUsize,
    overflowed: AtomicU64,
    /// The newest of the queue that is published, should forgetting it have failed.
    published_seq: AtomicU64,
    /// Held by whoever releases.
    releasing: tokio::sync::Mutex<()>,
}

impl Queue {
    /// A queue in which so many wait.
    pub fn new(held: usize) -> Self {
        Self {
            held: AtomicUsize::new(held),
            overflowed: AtomicU64::new(0),
            published_seq: AtomicU64::new(0),
            releasing: tokio::sync::Mutex::default(),
        }
    }

    /// How many wait.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// How many found it full.
    pub fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }
}

/// Broadcasts an alert, or queues it while the breaker of alerts is open or others wait.
pub async fn post(
    state: &State,
    severity: Severity,
    alert: Alert,
    actor: &str,
    reason: &str,
    cause: &Cause,
) -> Result<Taken, Problem> {
    let topic = severity.topic();
    let message = json!({
        "alert": alert,
        "transition": { "from": null, "to": "firing", "actor": actor, "reason": reason },
    });
    let draft = Draft::of(&message).map_err(|error| Problem::internal(&error, cause))?;
    let services = &state.services;
    // Who comes while others wait goes behind them.
    if state.alerts.held() == 0 {
        match Guarded::enter(&services.breakers, Some(Subsystem::Alerts), services.broker.kind(&topic)) {
            Ok(guarded) => {
                let published = services.broker.publish_and_wait(&topic, draft, cause).await;
                guarded.told(&published);
                let published = published?;
                let topic = topic.to_string();
                let (epoch, offset) = (Some(published.epoch), Some(published.offset));
                return Ok(Taken { alert, topic, epoch, offset, queued: false, position: None });
            }
            Err(refused) if refused.subsystem == Subsystem::Alerts => {}
            Err(refused) => return Err(refused.into()),
        }
    }
    let position = hold(state, &topic, draft.payload.get(), cause).await?;
    let topic = topic.to_string();
    Ok(Taken { alert, topic, epoch: None, offset: None, queued: true, position: Some(position) })
}

async fn hold(state: &State, topic: &TopicName, message: &str, cause: &Cause) -> Result<u64, Problem> {
    let services = &state.services;
    services.breakers.enter(Subsystem::Store)?.sent();
    let held_max = services.breakers.settings().alerts_queue_max;
    let message = bytes::Bytes::copy_from_slice(message.as_bytes());
    let now_ms = services.clock.unix_ms();
    match state.store.hold_alert(topic.as_str(), message, cause.id(), now_ms, held_max).await? {
        Some(position) => {
            state.alerts.held.fetch_add(1, Ordering::Relaxed);
            Counter::AlertsQueued.add_for("queued", 1);
            Ok(position)
        }
        None => {
            state.alerts.overflowed.fetch_add(1, Ordering::Relaxed);
            Counter::AlertsQueued.add_for("refused", 1);
            let wait_ms = services.breakers.one(Subsystem::Alerts).retry_after_ms.unwrap_or(5_000);
            let detail = format!("alerts are degraded, and {held_max} wait already, which is the limit");
            Err(Problem::new(Code::BreakerOpen, detail).retry_after_s(wait_ms.div_ceil(1_000)))
        }
    }
}

/// Publishes what waits, oldest first, as far as the breaker of alerts lets it. Does nothing when somebody is at it.
pub async fn release(state: &State) {
    let Ok(_releasing) = state.alerts.releasing.try_lock() else { return };
    loop {
        let known = state.alerts.held();
        if known == 0 {
            return;
        }
        // Not even read before there is a chance: this is asked several times a second.
        if state.services.breakers.one(Subsystem::Alerts).change.state == crate::breaker::State::Open {
            return;
        }
        let part = match state.store.held_alerts(PART_MAX).await {
            Ok(part) => part,
            Err(error) => return tracing::warn!(%error, "queued alerts not read"),
        };
        if part.is_empty() {
            // Unless one came meanwhile.
            let held = &state.alerts.held;
            let _unless = held.compare_exchange(known, 0, Ordering::Relaxed, Ordering::Relaxed);
            return;
        }
        for held in &part {
            if !release_one(state, held).await {
                return;
            }
        }
    }
}

async fn release_one(state: &State, held: &HeldAlert) -> bool {
    let published = &state.alerts.published_seq;
    if held.seq > published.load(Ordering::Relaxed) {
        match publish(state, held).await {
            Some(Ok(())) => {
                published.store(held.seq, Ordering::Relaxed);
                Counter::AlertsQueued.add_for("released", 1);
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "queued alert not published; tried again");
                return false;
            }
            // The breaker is open again.
            None => return false,
        }
    }
    match state.store.forget_held_alerts(held.seq).await {
        Ok(()) => {
            // Whoever queued it may not have counted it yet.
            let fewer = |held: usize| Some(held.saturating_sub(1));
            let _known = state.alerts.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "a queued alert is published and not forgotten; tried again");
            false
        }
    }
}

async fn publish(state: &State, held: &HeldAlert) -> Option<Result<(), TopicError>> {
    let (topic, payload) = match (TopicName::parse(&held.topic), serde_json::from_slice(&held.message)) {
        (Ok(topic), Ok(payload)) => (topic, payload),
        // Only a damaged database has such a row; nothing can be made of it.
        _ => {
            tracing::error!(seq = held.seq, "a queued alert cannot be read");
            return Some(Ok(()));
        }
    };
    let services = &state.services;
    let guarded =
        Guarded::enter(&services.breakers, Some(Subsystem::Alerts), services.broker.kind(&topic)).ok()?;
    let draft = Draft { payload, priority: None, key: None, event_type: None };
    let cause = held.cause.as_deref().and_then(Cause::from_outside).unwrap_or_default();
    let published = services.broker.publish_and_wait(&topic, draft, &cause).await;
    guarded.told(&published);
    Some(published.map(drop))
}
