//! What is committed and subscribers do not know yet: published in order, as far as the breaker of alerts lets it.
//!
//! At most [`WAITING_MAX`] wait in memory. Steps beyond that are in the store, which is asked when there is room; what
//! people are to be notified of is not, and its oldest are dropped and counted.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::json;
use tokio::sync::oneshot;

use super::book::Change;
use super::book::decisions::Decision;
use super::entity::{Alert, Transition};
use crate::breaker::{Breakers, Subsystem};
use crate::broker::{Broker, Draft, Guarded};
use crate::ids::TopicName;
use crate::ownership::Fence;
use crate::store::{Store, StoreError};
use crate::telemetry::{Cause, Counter};
use crate::topic::{Published, Reply, TopicError};

/// Announcements that wait in memory.
const WAITING_MAX: usize = 4_096;

/// Those that are on their way to topics at once.
const PART_MAX: usize = 256;

/// The newest broadcasts that are compared with what is not noted as told, at a start of the hub.
const COMPARED_MAX: usize = 2_048;

/// One message to be published.
pub(super) struct Announcement {
    topic: TopicName,
    draft: Draft,
    cause: Cause,
    /// The step, by alert and version, that is noted as told then.
    step: Option<(String, u64)>,
    /// When the sample came, in microseconds of the monotonic clock.
    pub(super) arrived_us: Option<u64>,
    /// Told where it ended up, or that it waits.
    waiter: Option<oneshot::Sender<Option<Published>>>,
}

impl Announcement {
    /// A change of an alert. `None` when it does not serialize, which is logged.
    pub(super) fn of_change(change: &Change, cause: &Cause, arrived_us: Option<u64>) -> Option<Self> {
        let Change { alert, transition, .. } = change;
        let step = transition.is_some().then(|| (alert.id.clone(), alert.version));
        Self::of_step(alert, transition.as_ref(), step, cause, arrived_us)
    }

    fn of_step(
        alert: &Alert,
        transition: Option<&Transition>,
        step: Option<(String, u64)>,
        cause: &Cause,
        arrived_us: Option<u64>,
    ) -> Option<Self> {
        // The alert may have gone on since; the step is told apart by its own version.
        let version = step.as_ref().map_or(alert.version, |(_, version)| *version);
        let draft = drafted(&json!({ "alert": alert, "transition": transition, "version": version }))?;
        let topic = alert.severity.topic();
        Some(Self { topic, draft, cause: cause.clone(), step, arrived_us, waiter: None })
    }

    /// A decision about notifications.
    pub(super) fn of_decision(decision: &Decision) -> Option<Self> {
        let draft = drafted(decision)?;
        let topic = TopicName::well_known("notifications");
        Some(Self { topic, draft, cause: Cause::own(), step: None, arrived_us: None, waiter: None })
    }

    /// The same, and whoever waits for it.
    pub(super) fn awaited_by(mut self, waiter: oneshot::Sender<Option<Published>>) -> Self {
        self.waiter = Some(waiter);
        self
    }
}

fn drafted<T: serde::Serialize>(payload: &T) -> Option<Draft> {
    Draft::of(payload).map_err(|error| tracing::error!(%error, "payload does not serialize")).ok()
}

/// The announcements that wait, oldest first.
#[derive(Default)]
pub(super) struct Announcing {
    waiting: VecDeque<Announcement>,
    /// Steps on their way to the store: they are pushed when they are there, even if it was read before that.
    underway: HashSet<(String, u64)>,
    /// Whoever waits for steps that are read from the store first.
    waiters: HashMap<(String, u64), oneshot::Sender<Option<Published>>>,
    /// The store has steps that do not wait here.
    is_behind: bool,
    /// The store is being read, and steps came meanwhile that it may not have had.
    has_missed: bool,
}

impl Announcing {
    /// Nothing is known yet of what a former life left to do.
    pub(super) fn behind() -> Self {
        Self { is_behind: true, ..Self::default() }
    }

    /// Changes are on their way to the store.
    pub(super) fn expect(&mut self, changes: &[Change]) {
        let told = changes.iter().filter(|change| change.is_told && change.transition.is_some());
        self.underway.extend(told.map(|change| (change.alert.id.clone(), change.alert.version)));
    }

    /// What was on its way to the store is not pushed; whether it is there is only known from the store.
    pub(super) fn lose_track(&mut self) {
        self.underway.clear();
        (self.is_behind, self.has_missed) = (true, true);
    }

    pub(super) fn push(&mut self, mut announcement: Announcement) {
        if let Some(step) = &announcement.step {
            self.underway.remove(step);
        }
        if let Some(step) = &announcement.step
            && (self.is_behind || self.waiting.len() >= WAITING_MAX)
        {
            (self.is_behind, self.has_missed) = (true, true);
            if let Some(waiter) = announcement.waiter.take() {
                self.waiters.insert(step.clone(), waiter);
            }
            return;
        }
        if self.waiting.len() >= 2 * WAITING_MAX {
            self.waiting.pop_front();
            Counter::Dropped.add_for("notifications", 1);
        }
        self.waiting.push_back(announcement);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the store is to be asked for steps.
    pub(super) fn wants_more(&self) -> bool {
        self.is_behind && self.waiting.is_empty()
    }

    /// The store is about to be read.
    pub(super) fn reads(&mut self) {
        self.has_missed = false;
    }

    /// Those that are published next.
    pub(super) fn take_part(&mut self) -> Vec<Announcement> {
        let count = self.waiting.len().min(PART_MAX);
        self.waiting.drain(..count).collect()
    }

    /// Those that were not published go back to the front.
    pub(super) fn put_back(&mut self, unpublished: Vec<Announcement>) {
        for announcement in unpublished.into_iter().rev() {
            self.waiting.push_front(announcement);
        }
    }

    /// What the store had.
    pub(super) fn take_up(&mut self, read: Owed) {
        self.is_behind = read.is_more || self.has_missed;
        for mut announcement in read.announcements {
            if announcement.step.as_ref().is_some_and(|step| self.underway.contains(step)) {
                continue;
            }
            announcement.waiter = announcement.step.as_ref().and_then(|step| self.waiters.remove(step));
            self.waiting.push_back(announcement);
        }
        if !self.is_behind {
            self.let_wait();
        }
    }

    /// Nobody waits any longer: it takes its time.
    pub(super) fn let_wait(&mut self) {
        for waiter in std::mem::take(&mut self.waiters).into_values() {
            drop(waiter.send(None));
        }
    }
}

/// What became of a part.
#[derive(Default)]
pub(super) struct Outcome {
    /// Steps that are to be noted as told.
    pub(super) steps: Vec<(String, u64)>,
    /// When the samples of those that are published came.
    pub(super) arrived_us: Vec<u64>,
    /// Not published, in order.
    pub(super) unpublished: Vec<Announcement>,
}

/// Publishes a part, in order, as the owner of that tenure.
pub(super) async fn publish(
    broker: Broker,
    breakers: Breakers,
    fence: Fence,
    part: Vec<Announcement>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut part = part.into_iter();
    let mut sent = Vec::new();
    for announcement in part.by_ref() {
        let kind = broker.kind(&announcement.topic);
        let own = announcement.topic.as_str().starts_with("alerts_").then_some(Subsystem::Alerts);
        let Ok(guarded) = Guarded::enter(&breakers, own, kind) else {
            outcome.unpublished.push(announcement);
            break;
        };
        let (reply, answer) = oneshot::channel();
        let (topic, draft) = (&announcement.topic, announcement.draft.clone().under(fence));
        let published = broker.publish(topic, draft, Reply::Caller(reply), &announcement.cause);
        sent.push((announcement, guarded, published.map(|()| answer)));
    }
    let mut unsent: Vec<Announcement> = outcome.unpublished.drain(..).chain(part).collect();
    for (mut announcement, guarded, published) in sent {
        let published: Result<Published, TopicError> = match published {
            Ok(answer) => answer.await.unwrap_or(Err(TopicError::Failed)),
            Err(error) => Err(error),
        };
        guarded.told(&published);
        match published {
            Ok(position) => {
                outcome.steps.extend(announcement.step.take());
                outcome.arrived_us.extend(announcement.arrived_us);
                if let Some(waiter) = announcement.waiter.take() {
                    drop(waiter.send(Some(position)));
                }
            }
            Err(error) => {
                tracing::debug!(topic = %announcement.topic, %error, "alert not published yet");
                outcome.unpublished.push(announcement);
            }
        }
    }
    outcome.unpublished.append(&mut unsent);
    for announcement in &mut outcome.unpublished {
        if let Some(waiter) = announcement.waiter.take() {
            drop(waiter.send(None));
        }
    }
    outcome
}

/// Steps that the store has and subscribers do not.
pub(super) struct Owed {
    announcements: Vec<Announcement>,
    is_more: bool,
}

/// Reads steps that are not noted as told. `is_start`: a crash may have come between a publication and its note, so the
/// newest broadcasts are compared.
pub(super) async fn owed(store: Store, is_start: bool) -> Result<Owed, StoreError> {
    store.settled().await?;
    let steps = store.unannounced_transitions(WAITING_MAX).await?;
    let is_more = steps.len() == WAITING_MAX;
    if steps.is_empty() {
        return Ok(Owed { announcements: Vec::new(), is_more });
    }
    let known = if is_start { broadcast_steps(&store).await? } else { HashSet::new() };
    let (mut announcements, mut told) = (Vec::new(), Vec::new());
    for (id, record) in steps {
        let version = record.version;
        if known.contains(&(id.clone(), version)) {
            told.push((id, version));
            continue;
        }
        let Some(alert) = store.alert(&id).await? else { continue };
        let (alert, transition) = (Alert::from_record(alert)?, Transition::from_record(record)?);
        let step = Some((id, version));
        announcements.extend(Announcement::of_step(&alert, Some(&transition), step, &Cause::own(), None));
    }
    if !told.is_empty() {
        store.transitions_announced(told).await?;
    }
    Ok(Owed { announcements, is_more })
}

/// The steps in the newest broadcasts, by alert and version.
async fn broadcast_steps(store: &Store) -> Result<HashSet<(String, u64)>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Told {
        alert: Named,
        version: u64,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let topics = super::Severity::ALL.map(|severity| severity.topic().to_string()).to_vec();
    let (mut known, mut before) = (HashSet::new(), None);
    while known.len() < COMPARED_MAX {
        let page = store.list_topics(topics.clone(), before, 500).await?;
        for row in &page.items {
            if let Ok(Told { alert, version }) = serde_json::from_slice(&row.event.payload) {
                known.insert((alert.id, version));
            }
        }
        let Some(next) = page.next else { break };
        before = Some(next);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_commit_the_store_is_asked_what_was_kept_of_those_behind_it() {
        let mut announcing = Announcing::default();
        assert!(!announcing.wants_more());
        announcing.lose_track();
        assert!(announcing.wants_more());
        // A read that had begun before may not have seen them.
        announcing.take_up(Owed { announcements: Vec::new(), is_more: false });
        assert!(announcing.wants_more());
        announcing.reads();
        announcing.take_up(Owed { announcements: Vec::new(), is_more: false });
        assert!(!announcing.wants_more());
    }
}
