//! What other modules see of the owner of alerts.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::AlertError;
use super::actor::AlertsActor;
use super::book::Terms;
use super::entity::Alert;
use super::grouping::Timing;
use super::lifecycle::{Event, apply};
use super::messages::{ByHand, OnlyRules, PoliciesChanged, Post, Resume, RuleGone, Signals, Stand};
use super::signal::{Origin, Posted, Signal};
use crate::breaker::{Breakers, Subsystem};
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::AlertSection;
use crate::ownership::{Fence, Ownership, Unit};
use crate::store::{Store, StoreError};
use crate::supervision::{Inbox, Recipient, Tree};
use crate::telemetry::{Cause, Counter};
use crate::topic::Published;

/// How long whoever posts waits to be told where the broadcast ended up, in milliseconds.
const TOLD_MS_MAX: u64 = 5_000;

/// Alerts that are forgotten at once.
const PRUNED_MAX: usize = 5_000;

/// What the owner of alerts is made of.
pub struct AlertsArgs {
    /// Starts the actor.
    pub tree: Tree,
    /// Keeps alerts.
    pub store: Store,
    /// Has their topics.
    pub broker: Broker,
    /// Says whether they may be broadcast.
    pub breakers: Breakers,
    /// Bounds and times.
    pub settings: AlertSection,
    /// Says whether this hub owns them.
    pub ownership: Ownership,
    /// Time.
    pub clock: Clock,
}

/// The owner of alerts. Cheap to clone.
#[derive(Clone)]
pub struct Alerts(Arc<Shared>);

/// What outlives a crash of the actor.
pub(super) struct Shared {
    pub(super) args: AlertsArgs,
    /// Broadcasts that wait.
    pub(super) waiting: AtomicUsize,
    /// Alerts from outside that found too many of them.
    overflowed: AtomicU64,
    /// The rules that tell it of their series.
    rules: Mutex<HashMap<String, Recipient<Resume>>>,
    inbox: OnceLock<Inbox<AlertsActor>>,
    /// The tenure that the actor serves.
    pub(super) duty: watch::Sender<Option<Fence>>,
}

/// An alert from outside that was taken.
#[derive(Debug)]
pub struct Taken {
    /// The alert.
    pub alert: Alert,
    /// Whether it was not open before.
    pub is_new: bool,
    /// Where it was broadcast; `None` when it was not new, or waits.
    pub published: Option<Published>,
    /// Whether its broadcast waits for the breaker of alerts, or for an overloaded topic.
    pub waits: bool,
}

impl Shared {
    pub(super) fn terms(&self) -> Terms {
        let settings = &self.args.settings;
        Terms {
            open_max: settings.open_max,
            timing: Timing {
                group_wait_ms: settings.group_wait_ms,
                group_interval_ms: settings.group_interval_ms,
                repeat_interval_ms: settings.repeat_interval_ms,
            },
            weights: settings.service_weights.clone().into_iter().collect(),
        }
    }

    pub(super) fn register(&self, rule_id: &str, resume: Recipient<Resume>) {
        self.rules.lock().insert(rule_id.to_owned(), resume);
    }

    pub(super) fn forget(&self, rule_id: &str) {
        self.rules.lock().remove(rule_id);
    }

    /// No rule tells it of series any more.
    pub(super) fn forget_all(&self) {
        self.rules.lock().clear();
    }

    /// Asks every rule where its series are.
    pub(super) fn resume_rules(&self) {
        self.rules.lock().retain(|rule_id, rule| match rule.try_send(Resume, &Cause::own()) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(rule_id, %error, "rule not asked where its series are");
                !rule.is_closed()
            }
        });
    }
}

impl Alerts {
    /// Without an actor, which [`Alerts::start_actor`] starts.
    pub fn new(args: AlertsArgs) -> Self {
        let (waiting, overflowed) = (AtomicUsize::new(0), AtomicU64::new(0));
        let (rules, inbox) = (Mutex::default(), OnceLock::new());
        let duty = watch::Sender::new(args.ownership.held(Unit::Alerts));
        Self(Arc::new(Shared { args, waiting, overflowed, rules, inbox, duty }))
    }

    /// Starts the actor, once.
    pub fn start_actor(&self) {
        self.0.inbox.get_or_init(|| self.0.args.tree.start("alerts", AlertsActor::new(self.0.clone()), None));
    }

    /// The tenure in which alerts are owned here; `None` while they are another hub node's. Those who make alerts follow
    /// it.
    pub fn duty(&self) -> Option<Fence> {
        *self.0.duty.borrow()
    }

    /// The store for what belongs to alerts: what is written through it is refused when this hub owns them no more.
    ///
    /// # Errors
    ///
    /// [`AlertError::NotOwner`] while another hub node owns alerts.
    pub fn store(&self) -> Result<Store, AlertError> {
        let duty = self.duty().ok_or(AlertError::NotOwner)?;
        Ok(duty.guard(&self.0.args.store, Unit::Alerts))
    }

    /// Changes with [`Alerts::duty`].
    pub fn duties(&self) -> watch::Receiver<Option<Fence>> {
        self.0.duty.subscribe()
    }

    /// Takes an alert from outside. Ready when it is committed, and broadcast unless the breaker of alerts is open.
    pub async fn post(&self, posted: Posted, by: &str, cause: &Cause) -> Result<Taken, AlertError> {
        let breakers = &self.0.args.breakers;
        let waiting_max = breakers.settings().alerts_queue_max;
        if self.is_degraded() && self.waiting() >= waiting_max {
            self.0.overflowed.fetch_add(1, Ordering::Relaxed);
            Counter::AlertsQueued.add_for("refused", 1);
            return Err(AlertError::QueueFull { waiting_max });
        }
        let (reply, kept) = oneshot::channel();
        self.send(Post { posted, by: by.to_owned(), reply }, cause)?;
        let kept = kept.await.map_err(|_crashed| AlertError::Failed)??;
        let Some(told) = kept.told else {
            return Ok(Taken { alert: kept.alert, is_new: kept.is_new, published: None, waits: false });
        };
        let told = tokio::time::timeout(Duration::from_millis(TOLD_MS_MAX), told).await;
        let published = told.ok().and_then(Result::ok).flatten();
        let waits = published.is_none();
        if waits && self.is_degraded() {
            Counter::AlertsQueued.add_for("queued", 1);
        }
        Ok(Taken { alert: kept.alert, is_new: kept.is_new, published, waits })
    }

    /// Somebody takes an alert in hand. Again by the same is fine.
    pub async fn acknowledge(
        &self,
        id: &str,
        by: &str,
        comment: Option<String>,
        cause: &Cause,
    ) -> Result<Alert, AlertError> {
        self.by_hand(id, Event::Acknowledge { actor: by.to_owned(), comment }, cause).await
    }

    /// Somebody ends an alert. Again is fine.
    pub async fn resolve(
        &self,
        id: &str,
        by: &str,
        comment: Option<String>,
        cause: &Cause,
    ) -> Result<Alert, AlertError> {
        self.by_hand(id, Event::Resolve { actor: by.to_owned(), comment }, cause).await
    }

    async fn by_hand(&self, id: &str, event: Event, cause: &Cause) -> Result<Alert, AlertError> {
        let (reply, done) = oneshot::channel();
        self.send(ByHand { id: id.to_owned(), event: event.clone(), reply }, cause)?;
        if let Some(alert) = done.await.map_err(|_crashed| AlertError::Failed)?? {
            return Ok(alert);
        }
        // It is over, or was never there.
        let record = self.0.args.store.alert(id).await?.ok_or(AlertError::NotFound)?;
        let (alert, _) = apply(&Alert::from_record(record)?, event, self.0.args.clock.unix_ms())?;
        Ok(alert)
    }

    /// After a write of windows, inhibitions or escalation policies. Ready when they are in force.
    pub async fn policies_changed(&self) -> Result<(), AlertError> {
        let (reply, done) = oneshot::channel();
        self.send(PoliciesChanged { reply }, &Cause::own())?;
        done.await.map_err(|_crashed| AlertError::Failed)?
    }

    /// Broadcasts that wait for the breaker of alerts, or for an overloaded topic.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Alerts from outside that were refused, because as many broadcasts waited as may.
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.load(Ordering::Relaxed)
    }

    /// Whether the breaker of alerts is open.
    pub fn is_degraded(&self) -> bool {
        self.0.args.breakers.one(Subsystem::Alerts).change.state == crate::breaker::State::Open
    }

    /// Forgets alerts that were over long ago.
    pub async fn prune(&self) -> Result<u64, StoreError> {
        let over_ms = self.0.args.clock.unix_ms().saturating_sub(self.0.args.settings.resolved_keep_ms);
        self.0.args.store.prune_alerts(over_ms, PRUNED_MAX).await
    }

    /// A rule begins, in the tenure of that fence. Resolves with its open alerts.
    pub fn stand(
        &self,
        fence: Fence,
        origin: Arc<Origin>,
        resume: Recipient<Resume>,
    ) -> Result<oneshot::Receiver<Vec<Alert>>, AlertError> {
        let (reply, alerts) = oneshot::channel();
        self.send(Stand { fence, origin, resume, reply }, &Cause::own())?;
        Ok(alerts)
    }

    /// Where series of a rule are. When it is refused the rule tells where it stands later.
    pub fn signal(
        &self,
        fence: Fence,
        signals: Vec<Signal>,
        arrived_us: Option<u64>,
        cause: &Cause,
    ) -> Result<(), AlertError> {
        self.send(Signals { fence, signals, arrived_us }, cause)
    }

    /// A rule is deleted, or not evaluated any more: its alerts end.
    pub fn rule_gone(&self, rule_id: &str, reason: &str, cause: &Cause) -> Result<(), AlertError> {
        self.send(RuleGone { rule_id: rule_id.to_owned(), reason: reason.to_owned() }, cause)
    }

    /// At the begin of a tenure, when all rules are known: the alerts of those that are not evaluated end.
    pub fn only_rules(&self, fence: Fence, rules: HashSet<String>) -> Result<(), AlertError> {
        self.send(OnlyRules { fence, rules }, &Cause::own())
    }

    fn send<M>(&self, message: M, cause: &Cause) -> Result<(), AlertError>
    where
        AlertsActor: actix::Handler<crate::supervision::Queued<M>>,
        M: actix::Message + Send + 'static,
        M::Result: Send,
    {
        let inbox = self.0.inbox.get().ok_or(AlertError::Overloaded)?;
        inbox.try_send(message, cause).map_err(|_refused| AlertError::Overloaded)
    }
}
