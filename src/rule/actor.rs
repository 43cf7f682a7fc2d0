//! The actor of one rule.
//!
//! It is fed the samples that it wants, and tells the owner of alerts what changes. It waits for nobody: when the owner
//! of alerts is overloaded it tells all its series again later. The state of its series is kept once a second when a
//! phase changed, and what they remember (windows, baselines) once a minute; what a crash loses of it is made good by the
//! open alerts, from which the evaluation goes on. A rule that crashes too often is given up alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use actix::prelude::*;
use bytes::Bytes;
use parking_lot::Mutex;

use super::adoption::Adopted;
use super::checked::Rule;
use super::evaluator::Evaluator;
use super::series::Series;
use super::signalling::Signalling;
use super::step::{Explanation, Saved, Step};
use super::timer::Phase;
use super::view::Standing;
use crate::alert::messages::Resume;
use crate::alert::{Alert, Alerts, Signal, State};
use crate::clock::Clock;
use crate::ownership::Fence;
use crate::store::Store;
use crate::supervision::{Queued, Restart, WeakInbox, supervised};
use crate::telemetry::Cause;

/// Time between two times that what series remember is kept, in milliseconds.
const MEMORY_APART_MS: u64 = 60_000;

/// Largest state of a rule that is kept with what its series remember; a larger one is kept without.
const STATE_BYTES_MAX: usize = 4 << 20;

/// Samples of one moment that the rule wants. Dropped and counted when the mailbox is full.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Samples {
    pub(super) at_ms: u64,
    pub(super) values: Vec<(Arc<Series>, f64)>,
    /// When they came, in microseconds of the hub's monotonic clock.
    pub(super) arrived_us: u64,
}

/// Time passed.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Tick {
    /// Silence counts from then on, Unix milliseconds.
    pub(super) heard_ms: u64,
}

/// Where all series are.
#[derive(Message)]
#[rtype(result = "Vec<Explanation>")]
pub(super) struct Explain;

/// The rule is replaced: its state goes to the next.
#[derive(Message)]
#[rtype(result = "Vec<Saved>")]
pub(super) struct Retire;

/// The time in which this hub evaluates rules. What is left of one that ended reaches nobody.
pub(super) struct Tenure {
    pub(super) fence: Fence,
    /// For what belongs to rules: what is written through it later is refused.
    pub(super) store: Store,
    /// States of rules that are to be kept, by rule, until their parent takes them.
    pub(super) unkept: Mutex<BTreeMap<String, Bytes>>,
    /// All rules are known.
    pub(super) is_ready: AtomicBool,
}

/// What a rule is made of, again after each crash.
#[derive(Clone)]
pub(super) struct RuleArgs {
    pub(super) id: String,
    pub(super) rule: Arc<Rule>,
    /// The state of the rule that this one replaces; else it is in the store.
    pub(super) former: Arc<Mutex<Option<Vec<Saved>>>>,
    /// Whether it replaces one, and alerts of series that it does not want may be open: they end.
    pub(super) is_changed: Arc<AtomicBool>,
    pub(super) standing: Arc<Standing>,
    pub(super) tenure: Arc<Tenure>,
    pub(super) alerts: Alerts,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) inbox: WeakInbox<RuleActor>,
}

/// One rule.
pub(super) struct RuleActor {
    evaluator: Evaluator,
    signalling: Signalling,
    steps: Vec<Step>,
    /// The owner of alerts did not take everything.
    is_out_of_step: bool,
    is_phase_unkept: bool,
    is_memory_unkept: bool,
    kept_ms: u64,
    is_retired: bool,
    /// When series whose alerts are open and that did not come are given up.
    awaited_until_ms: u64,
    args: RuleArgs,
}

impl RuleActor {
    pub(super) fn new(args: RuleArgs) -> Self {
        Self {
            evaluator: Evaluator::new(args.rule.clone()),
            signalling: Signalling::new(args.rule.clone()),
            steps: Vec::new(),
            is_out_of_step: false,
            is_phase_unkept: false,
            is_memory_unkept: false,
            kept_ms: args.clock.unix_ms(),
            is_retired: false,
            awaited_until_ms: 0,
            args,
        }
    }

    /// Reads its state; samples wait meanwhile.
    fn read(&mut self, ctx: &mut Context<Self>) {
        let former = self.args.former.lock().take();
        if let Some(former) = former {
            self.begin(former);
            return self.stand(ctx);
        }
        let (store, id) = (self.args.store.clone(), self.args.id.clone());
        let read = async move { store.rule_state(&id).await };
        ctx.wait(read.into_actor(self).map(|read, actor, ctx| {
            let saved = match read {
                Ok(state) => state.map(|state| unpacked(&actor.args.id, &state)).unwrap_or_default(),
                Err(error) => {
                    let rule = &actor.args.id;
                    tracing::warn!(rule, %error, "state of the rule not read; it begins with its alerts");
                    Vec::new()
                }
            };
            actor.begin(saved);
            actor.stand(ctx);
        }));
    }

    fn begin(&mut self, saved: Vec<Saved>) {
        self.evaluator.restore(saved);
        // What a former life would have done at this time, it does now.
        self.evaluator.tick(self.args.clock.unix_ms(), &mut self.steps);
    }

    /// Asks the owner of alerts for what is open, and tells it where the series are.
    fn stand(&mut self, ctx: &mut Context<Self>) {
        let Some(inbox) = self.args.inbox.upgrade() else { return };
        let fence = self.args.tenure.fence;
        let asked =
            self.args.alerts.stand(fence, self.signalling.origin().clone(), inbox.recipient::<Resume>());
        let Ok(open) = asked else {
            self.is_out_of_step = true;
            return;
        };
        ctx.wait(open.into_actor(self).map(|open, actor, _ctx| match open {
            Ok(open) => actor.adopt(&open),
            Err(_crashed) => actor.is_out_of_step = true,
        }));
    }

    fn adopt(&mut self, open: &[Alert]) {
        self.is_out_of_step = false;
        let alerts_on_silence = self.args.rule.alerts_on_silence();
        let (adopted, over): (Vec<_>, Vec<_>) =
            open.iter().partition(|alert| alerts_on_silence || !self.signalling.is_silence(alert));
        self.evaluator.adopt(adopted.into_iter().map(|alert| Adopted {
            fingerprint: alert.fingerprint.clone(),
            phase: if alert.state == State::Pending { Phase::Pending } else { Phase::Firing },
            since_ms: alert.started_at_ms,
        }));
        if self.evaluator.awaited().next().is_none() {
            self.args.is_changed.store(false, Relaxed);
        }
        let now_ms = self.args.clock.unix_ms();
        self.awaited_until_ms = now_ms.saturating_add(self.args.rule.times().no_data_ms);
        self.steps.clear();
        let none_more = "silence is no alert of the rule any more";
        let over = over.into_iter().map(|alert| self.signalling.gone(alert.fingerprint.clone(), none_more));
        let standing = self.evaluator.explanations().filter(|series| series.phase != Phase::Ok);
        let standing = standing.map(|told| self.signalling.standing(told, now_ms));
        self.tell(over.chain(standing).collect(), None, &Cause::own());
        self.count_held();
        self.count();
    }

    /// Tells what changed.
    fn told(&mut self, arrived_us: Option<u64>, cause: &Cause) {
        if !self.steps.is_empty() {
            let is_moved = self.steps.iter().any(|step| step.from != step.to);
            self.is_phase_unkept |= is_moved;
            let signals = self.steps.drain(..).map(|step| self.signalling.signal(step)).collect();
            self.tell(signals, arrived_us, cause);
            if is_moved {
                self.count_held();
            }
        }
        self.count();
    }

    fn tell(&mut self, signals: Vec<Signal>, arrived_us: Option<u64>, cause: &Cause) {
        let Tenure { fence, .. } = *self.args.tenure;
        if !signals.is_empty() && self.args.alerts.signal(fence, signals, arrived_us, cause).is_err() {
            self.is_out_of_step = true;
        }
    }

    fn count_held(&self) {
        let (pending, firing) = self.evaluator.held();
        self.args.standing.pending.store(pending as u64, Relaxed);
        self.args.standing.firing.store(firing as u64, Relaxed);
    }

    fn count(&self) {
        let standing = &self.args.standing;
        standing.series.store(self.evaluator.series_count() as u64, Relaxed);
        standing.turned_away.store(self.evaluator.turned_away(), Relaxed);
        let is_busy =
            self.is_out_of_step || self.is_phase_unkept || self.evaluator.awaited().next().is_some();
        let due_ms = if is_busy { 0 } else { self.evaluator.next_tick_ms().unwrap_or(u64::MAX) };
        let kept_ms =
            if self.is_memory_unkept { self.kept_ms.saturating_add(MEMORY_APART_MS) } else { u64::MAX };
        standing.due_ms.store(due_ms.min(kept_ms), Relaxed);
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now_ms = self.args.clock.unix_ms();
        self.evaluator.tick(now_ms, &mut self.steps);
        self.told(None, &Cause::own());
        if self.is_out_of_step {
            self.stand(ctx);
        }
        if now_ms >= self.awaited_until_ms {
            self.give_up_awaited();
        }
        let is_memory_due = self.is_memory_unkept && now_ms.saturating_sub(self.kept_ms) >= MEMORY_APART_MS;
        if self.is_phase_unkept || is_memory_due {
            self.keep(now_ms);
        }
        self.count();
    }

    /// Alerts whose series did not come back end, unless they go on in silence: then they are waited for.
    fn give_up_awaited(&mut self) {
        let goes_on = self.args.rule.times().no_data != super::definition::NoData::Ok;
        if !self.args.is_changed.swap(false, Relaxed) && goes_on {
            return;
        }
        let awaited = self.evaluator.give_up_awaited();
        let gone = awaited
            .into_iter()
            .map(|one| self.signalling.gone(one, "its series did not come back"))
            .collect();
        self.tell(gone, None, &Cause::own());
    }

    fn keep(&mut self, now_ms: u64) {
        self.kept_ms = now_ms;
        (self.is_phase_unkept, self.is_memory_unkept) = (false, false);
        match packed(self.evaluator.saved()) {
            Ok(state) => drop(self.args.tenure.unkept.lock().insert(self.args.id.clone(), state)),
            Err(error) => tracing::error!(rule = self.args.id, error, "state of the rule cannot be written"),
        }
    }
}

/// State as it was kept. What cannot be read, as of another version, is as none: the open alerts remain.
pub(super) fn unpacked(rule: &str, state: &[u8]) -> Vec<Saved> {
    rmp_serde::from_slice(state).unwrap_or_else(|error| {
        tracing::warn!(rule, %error, "state of the rule not read; it begins with its alerts");
        Vec::new()
    })
}

fn packed(saved: Vec<Saved>) -> Result<Bytes, String> {
    let state = rmp_serde::to_vec_named(&saved).map_err(|error| error.to_string())?;
    if state.len() <= STATE_BYTES_MAX {
        return Ok(state.into());
    }
    let phases: Vec<Saved> = saved.into_iter().filter(Saved::is_told).collect();
    rmp_serde::to_vec_named(&phases).map(Bytes::from).map_err(|error| error.to_string())
}

impl Restart for RuleActor {
    const KIND: &'static str = "rule";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(RuleActor);

impl Actor for RuleActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.read(ctx);
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        if !self.is_retired {
            self.keep(self.args.clock.unix_ms());
        }
    }
}

impl Handler<Queued<Samples>> for RuleActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Samples>, _ctx: &mut Self::Context) {
        if self.is_retired {
            return;
        }
        let Samples { at_ms, values, arrived_us } = queued.msg;
        for (series, value) in &values {
            self.evaluator.observe(series, at_ms, *value, &mut self.steps);
        }
        self.args.standing.last_sample_ms.fetch_max(at_ms, Relaxed);
        self.is_memory_unkept |= self.args.rule.remembers();
        self.told(Some(arrived_us), &queued.cause);
    }
}

impl Handler<Queued<Tick>> for RuleActor {
    type Result = ();

    fn handle(&mut self, queued: Queued<Tick>, ctx: &mut Self::Context) {
        if !self.is_retired {
            self.evaluator.hear_from(queued.msg.heard_ms);
            self.tick(ctx);
        }
    }
}

impl Handler<Queued<Resume>> for RuleActor {
    type Result = ();

    fn handle(&mut self, _queued: Queued<Resume>, ctx: &mut Self::Context) {
        if !self.is_retired {
            self.stand(ctx);
        }
    }
}

impl Handler<Queued<Explain>> for RuleActor {
    type Result = MessageResult<Queued<Explain>>;

    fn handle(&mut self, _queued: Queued<Explain>, _ctx: &mut Self::Context) -> Self::Result {
        MessageResult(self.evaluator.explanations().collect())
    }
}

impl Handler<Queued<Retire>> for RuleActor {
    type Result = MessageResult<Queued<Retire>>;

    fn handle(&mut self, _queued: Queued<Retire>, _ctx: &mut Self::Context) -> Self::Result {
        self.is_retired = true;
        MessageResult(self.evaluator.saved())
    }
}
