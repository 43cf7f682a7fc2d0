//! The actor that owns the one run that there may be.
//!
//! Costs nothing while there is none: no process, no timer. A crash ends the engine with the actor's own futures; the
//! rebuilt actor finds the run in what outlives it, marks it as failed, and answers who waits.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::RunError;
use super::engine::{self, Event, Reins};
use super::handle::{Shared, Standing};
use super::lifecycle::{self, Lifecycle, Order};
use super::plan::{self, NewRun};
use super::run::{RunId, Status, StoredRun};
use crate::broker::Draft;
use crate::ids::TopicName;
use crate::store::{LoadTestRecord, StoreError};
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter};
use crate::topic::Reply;

/// Where is told how runs go.
pub const TOPIC: &str = "testing";

/// How long an engine that is told to end may take to say what it has, in milliseconds.
const GRACE_MS: u64 = 2_000;

/// Time before the store is asked again to keep how a run ended, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// Starts a run, unless there is one.
pub struct Start {
    /// What is asked for.
    pub new: NewRun,
    /// Whose token asks.
    pub subject: String,
    /// Gets the run when it is over.
    pub waiter: oneshot::Sender<StoredRun>,
}

impl Message for Start {
    type Result = Result<StoredRun, RunError>;
}

/// Ends a run before its time; false when it is not under way.
pub struct Stop {
    /// Which one.
    pub id: RunId,
}

impl Message for Stop {
    type Result = bool;
}

/// Ends whatever runs: the hub stops.
pub struct Drain;

impl Message for Drain {
    type Result = ();
}

/// The actor.
pub struct RunsActor {
    active: Option<Active>,
    shared: Arc<Shared>,
}

struct Active {
    life: Lifecycle,
    new: Option<NewRun>,
    reins: Option<Reins>,
    deadline: Option<SpawnHandle>,
    cause: Cause,
}

/// What is published while a run is under way.
#[derive(Serialize)]
struct Underway<'a> {
    run: Head<'a>,
    progress: &'a RawValue,
}

#[derive(Serialize)]
struct Head<'a> {
    id: RunId,
    name: &'a str,
    scenario: &'a str,
    status: Status,
}

/// What is published when it is over.
#[derive(Serialize)]
struct Over<'a> {
    run: &'a StoredRun,
}

impl RunsActor {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { active: None, shared }
    }

    fn now_ms(&self) -> u64 {
        self.shared.args.clock.unix_ms()
    }

    fn begin(&mut self, start: Start, cause: Cause) -> Result<(StoredRun, LoadTestRecord), RunError> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(RunError::Draining);
        }
        if let Some(active) = &self.active {
            return Err(RunError::InProgress { id: active.life.run().id });
        }
        let Start { new, subject, waiter } = start;
        let run =
            StoredRun::begin(new.name.clone(), new.scenario.name(), new.connections, &subject, self.now_ms());
        let record = run.record()?;
        *self.shared.standing.lock() = Some(Standing { run: run.clone(), waiter });
        self.shared.idle.send_replace(false);
        let life = Lifecycle::new(run.clone());
        self.active = Some(Active { life, new: Some(new), reins: None, deadline: None, cause });
        Ok((run, record))
    }

    /// The store has that the run begins, or has not.
    fn opened(
        &mut self,
        run: StoredRun,
        kept: Result<(), StoreError>,
        ctx: &mut Context<Self>,
    ) -> Result<StoredRun, RunError> {
        if let Err(error) = kept {
            self.forget();
            return Err(error.into());
        }
        let now_ms = self.now_ms();
        let goes_on = self.active.as_mut().is_some_and(|active| active.life.opened(now_ms));
        if goes_on && let Err(why) = self.launch(ctx) {
            tracing::warn!(run = %run.id, %why, "load test not started");
            if let Some(active) = &mut self.active {
                active.life.not_started(why, now_ms);
            }
        }
        if self.active.as_ref().is_some_and(|active| active.life.is_over()) {
            self.keep(ctx);
        }
        Ok(run)
    }

    /// Starts the engine; why not, in words.
    fn launch(&mut self, ctx: &mut Context<Self>) -> Result<(), String> {
        let args = &self.shared.args;
        let Some(Active { life, new, reins, deadline, cause }) = &mut self.active else { return Ok(()) };
        let (Some(new), run) = (new.take(), life.run()) else { return Ok(()) };
        let target = plan::target(args.address).map_err(|error| error.to_string())?;
        let token = args.auth.issue(new.token(run.id, &args.limits), args.clock.unix_ms());
        let (token, _) = token.map_err(|error| error.to_string())?;
        let plan =
            serde_json::to_vec(&new.plan(run.id, target, &args.limits)).map_err(|error| error.to_string())?;
        let (events, pulled) = engine::start(&args.program, plan, &token)
            .map_err(|error| format!("{} cannot be started: {error}", args.program.display()))?;
        tracing::info!(%cause, run = %run.id, scenario = new.scenario.name(), connections = new.connections, "load test starts");
        *reins = Some(pulled);
        let limit = Duration::from_millis(new.limit_ms(&args.limits));
        *deadline = Some(ctx.run_later(limit, |actor, ctx| actor.stop(lifecycle::Stop::Late, ctx)));
        ctx.add_stream(events);
        Ok(())
    }

    fn stop(&mut self, stop: lifecycle::Stop, ctx: &mut Context<Self>) {
        let Some(active) = &mut self.active else { return };
        let Some(order) = active.life.stop(stop) else { return };
        if let Some(reins) = &active.reins {
            reins.pull(order);
        }
        if let Some(timer) = active.deadline.take() {
            ctx.cancel_future(timer);
        }
        if order == Order::Terminate {
            let grace = Duration::from_millis(GRACE_MS);
            let late = ctx.run_later(grace, |actor, ctx| actor.stop(lifecycle::Stop::Late, ctx));
            active.deadline = Some(late);
        }
    }

    fn said(&mut self, line: &str) {
        let now_ms = self.shared.args.clock.monotonic_ms();
        let Some(active) = &mut self.active else { return };
        let progress = active.life.line(line, now_ms);
        if let Some(standing) = &mut *self.shared.standing.lock() {
            active.life.show(&mut standing.run);
        }
        if let (Some(progress), Some(active)) = (progress, &self.active) {
            let StoredRun { id, name, scenario, status, .. } = active.life.run();
            let run = Head { id: *id, name, scenario, status: *status };
            self.publish(active, &Underway { run, progress: &progress });
        }
    }

    fn publish<T: Serialize>(&self, active: &Active, payload: &T) {
        let draft = match Draft::of(payload) {
            Ok(draft) => draft.keyed(active.life.run().id.to_string().into()),
            Err(error) => return tracing::error!(%error, "load test not told"),
        };
        let broker = &self.shared.args.broker;
        if let Err(error) = broker.publish(&TopicName::well_known(TOPIC), draft, Reply::Nobody, &active.cause)
        {
            tracing::warn!(%error, "how a load test goes was not published");
        }
    }

    /// Lets the store keep how the run ended, for as long as it takes; then it is over.
    fn keep(&mut self, ctx: &mut Context<Self>) {
        let Some(active) = &mut self.active else { return };
        if let Some(timer) = active.deadline.take() {
            ctx.cancel_future(timer);
        }
        let run = active.life.run();
        if let Some(standing) = &mut *self.shared.standing.lock() {
            standing.run = run.clone();
        }
        let args = &self.shared.args;
        args.fleet.test_over(&plan::topic_of(run.id), &active.cause);
        let kept = run.record().map(|record| args.store.put_load_test(record, args.settings.runs_max));
        let kept = async move { kept?.await.map_err(RunError::from) };
        ctx.spawn(kept.into_actor(self).map(|kept, actor, ctx| match kept {
            Err(RunError::Store(error)) => {
                tracing::warn!(%error, "how a load test ended is not kept yet");
                ctx.run_later(Duration::from_millis(RETRY_MS), Self::keep);
            }
            Err(error) => {
                tracing::error!(%error, "how a load test ended cannot be kept");
                actor.over();
            }
            Ok(()) => actor.over(),
        }));
    }

    /// Tells that the run is over.
    fn over(&mut self) {
        let Some(active) = &self.active else { return };
        let run = active.life.run();
        Counter::LoadTests.add_for(run.status.as_str(), 1);
        let (id, status) = (run.id, run.status.as_str());
        tracing::info!(cause = %active.cause, run = %id, status, failure = run.failure, "load test is over");
        self.publish(active, &Over { run });
        let run = run.clone();
        if let Some(standing) = self.forget() {
            // Whoever started it may not be waiting.
            drop(standing.waiter.send(run));
        }
    }

    fn forget(&mut self) -> Option<Standing> {
        self.active = None;
        let standing = self.shared.standing.lock().take();
        self.shared.idle.send_replace(true);
        standing
    }
}

impl Handler<Queued<Start>> for RunsActor {
    type Result = ResponseActFuture<Self, Result<StoredRun, RunError>>;

    fn handle(&mut self, queued: Queued<Start>, _ctx: &mut Self::Context) -> Self::Result {
        let Queued { msg, cause, .. } = queued;
        match self.begin(msg, cause) {
            Ok((run, record)) => {
                let args = &self.shared.args;
                let kept = args.store.put_load_test(record, args.settings.runs_max).into_actor(self);
                Box::pin(kept.map(|kept, actor, ctx| actor.opened(run, kept, ctx)))
            }
            Err(error) => Box::pin(async move { Err(error) }.into_actor(self)),
        }
    }
}

impl Handler<Queued<Stop>> for RunsActor {
    type Result = bool;

    fn handle(&mut self, queued: Queued<Stop>, ctx: &mut Self::Context) -> bool {
        let is_it = |active: &Active| active.life.run().id == queued.msg.id && !active.life.is_over();
        let is_under_way = self.active.as_ref().is_some_and(is_it);
        if is_under_way {
            self.stop(lifecycle::Stop::Asked, ctx);
        }
        is_under_way
    }
}

impl Handler<Queued<Drain>> for RunsActor {
    type Result = ();

    fn handle(&mut self, _queued: Queued<Drain>, ctx: &mut Self::Context) {
        self.stop(lifecycle::Stop::Drained, ctx);
    }
}

impl StreamHandler<Event> for RunsActor {
    fn handle(&mut self, event: Event, ctx: &mut Self::Context) {
        match event {
            Event::Line(line) => self.said(&line),
            Event::Exited(exit) => {
                let now_ms = self.now_ms();
                if let Some(active) = &mut self.active {
                    active.life.exited(&exit, now_ms);
                }
                self.keep(ctx);
            }
        }
    }

    // The end of an engine is not the end of the actor.
    fn finished(&mut self, _ctx: &mut Self::Context) {}
}

impl Restart for RunsActor {
    const KIND: &'static str = "lab_runs";

    fn fresh(&self) -> Self {
        Self::new(self.shared.clone())
    }
}

supervised!(RunsActor);

impl Actor for RunsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let standing = self.shared.standing.lock().as_ref().map(|standing| standing.run.clone());
        let Some(run) = standing else { return };
        let snapshot = self.shared.args.tree.snapshot();
        let failure =
            snapshot.into_iter().find(|row| row.kind == Self::KIND).and_then(|row| row.last_failure);
        let reason = failure.map_or_else(|| "for an unknown reason".to_owned(), |failure| failure.reason);
        let life = Lifecycle::abandoned(run, &format!("the lab crashed: {reason}"), self.now_ms());
        self.active = Some(Active { life, new: None, reins: None, deadline: None, cause: Cause::own() });
        self.keep(ctx);
    }
}
