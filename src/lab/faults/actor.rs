//! The actor of the scenarios: turns them on and off, ends those whose time is over, tells of every change.
//!
//! A crash ends all that is active: the switchboard is cleared before the actor is rebuilt, and the runs are
//! told as crashed when it starts again. Has an arbiter of its own, so that no other actor keeps it from ending one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;
use serde_json::json;

use super::effects::{self, Held};
use super::lifecycle::{Lifecycle, Now, Run, Which, Why, Wish};
use super::table::Scenario;
use super::view::RunView;
use super::{FaultError, watch};
use crate::broker::Draft;
use crate::clock::Clock;
use crate::connection::{Services, Shards};
use crate::fault::Faults;
use crate::ids::TopicName;
use crate::supervision::{Queued, Restart, supervised};
use crate::telemetry::{Cause, Counter, Gauge};
use crate::topic::Reply;

/// Time between looks at the clock, in milliseconds.
const TICK_MS: u64 = 100;

/// Enable a scenario. Refused when the mailbox is full.
#[derive(Message)]
#[rtype(result = "Result<RunView, FaultError>")]
pub struct Enable(pub Wish);

/// End runs. Refused when the mailbox is full.
#[derive(Message)]
#[rtype(result = "EndedRuns")]
pub struct EndRuns {
    /// Which.
    pub which: Which,
    /// Why.
    pub why: Why,
}

/// Answer to [`EndRuns`].
#[derive(MessageResponse)]
pub struct EndedRuns(pub Vec<RunView>);

/// What the actor is made of, again after each crash.
#[derive(Clone)]
pub struct ScenariosArgs {
    /// The switchboard of this hub.
    pub faults: Arc<Faults>,
    /// Runs; they outlive the actor, so that a crash can be told.
    pub lifecycle: Arc<Mutex<Lifecycle>>,
    /// Weak, so that the hub can end.
    pub services: Weak<Services>,
    /// The connections of all workers.
    pub shards: Shards,
    /// Where the hub listens.
    pub address: SocketAddr,
    /// Time as the machine has it: no scenario moves it.
    pub clock: Clock,
}

/// The actor.
pub struct ScenariosActor {
    /// What lives as long as a run, by its id.
    held: HashMap<String, Held>,
    args: ScenariosArgs,
}

/// The time of the machine.
pub(super) fn now(clock: &Clock) -> Now {
    Now { unix_ms: clock.unix_ms(), monotonic_ms: clock.monotonic_ms() }
}

impl ScenariosActor {
    /// An actor before anything is enabled.
    pub fn new(args: ScenariosArgs) -> Self {
        Self { held: HashMap::new(), args }
    }

    fn enable(&mut self, wish: Wish, ctx: &mut Context<Self>) -> Result<RunView, FaultError> {
        let services = self.args.services.upgrade().ok_or(FaultError::Draining)?;
        let scenario = wish.scenario;
        let before = watch::read(scenario, &services);
        let id = uuid::Uuid::now_v7().to_string();
        let run = self.args.lifecycle.lock().start(wish, id, before, now(&self.args.clock))?;
        match effects::begin(&run, &self.args, &services, ctx) {
            Ok(held) => drop(self.held.insert(run.id.clone(), held)),
            Err(error) => {
                self.args.lifecycle.lock().take_back(&run.id);
                return Err(error);
            }
        }
        Counter::FaultScenarios.add_for(scenario.row().name, 1);
        let view = RunView::of(&run, before);
        self.tell(&view, &services);
        Ok(view)
    }

    /// Ends runs that the lifecycle has ended.
    fn end(&mut self, mut over: Vec<Run>, ctx: &mut Context<Self>) -> Vec<RunView> {
        let Some(services) = self.args.services.upgrade() else { return Vec::new() };
        let mut views = Vec::with_capacity(over.len());
        for run in &mut over {
            effects::end(run.scenario, &self.args, &services);
            if let Some(task) = self.held.remove(&run.id).and_then(|held| held.task) {
                ctx.cancel_future(task);
            }
            let after = watch::read(run.scenario, &services);
            run.after = Some(after);
            self.args.lifecycle.lock().note_after(&run.id, after);
            let view = RunView::of(run, after);
            self.tell(&view, &services);
            views.push(view);
        }
        views
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let over = self.args.lifecycle.lock().expire(now(&self.args.clock));
        if !over.is_empty() {
            self.end(over, ctx);
        }
    }

    /// Logs a change and publishes it on topic `testing`.
    fn tell(&self, run: &RunView, services: &Services) {
        Gauge::FaultsActive.set(self.args.lifecycle.lock().active().len() as u64);
        tracing::warn!(
            scenario = run.name,
            id = run.id,
            state = run.state,
            by = run.started_by,
            why = run.ended_by,
            "fault scenario"
        );
        let published =
            Draft::of(&json!({ "fault": run })).map_err(|error| error.to_string()).and_then(|draft| {
                let draft = Draft { event_type: Some("fault".into()), ..draft.keyed(run.name.into()) };
                let topic = TopicName::well_known("testing");
                services
                    .broker
                    .publish(&topic, draft, Reply::Nobody, &Cause::own())
                    .map_err(|e| e.to_string())
            });
        if let Err(error) = published {
            tracing::warn!(scenario = run.name, error, "a fault scenario was not told on topic testing");
        }
    }
}

impl Restart for ScenariosActor {
    const KIND: &'static str = "lab_faults";

    fn fresh(&self) -> Self {
        all_off(&self.args.faults, &self.args.services, &self.args.lifecycle);
        Self::new(self.args.clone())
    }
}

/// Nothing goes wrong on purpose from now on. Comes before the runs are ended in the lifecycle.
pub(super) fn all_off(faults: &Faults, services: &Weak<Services>, lifecycle: &Mutex<Lifecycle>) {
    faults.clear();
    let Some(services) = services.upgrade() else { return };
    services.tree.release();
    if lifecycle.lock().active().iter().any(|run| run.scenario == Scenario::ActorPanic) {
        services.tree.disarm();
    }
}

supervised!(ScenariosActor);

impl Actor for ScenariosActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // What a former life had on is off; its runs are told.
        let over = self.args.lifecycle.lock().end(&Which::All, Why::Crashed, now(&self.args.clock));
        self.end(over, ctx);
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
    }
}

impl Handler<Queued<Enable>> for ScenariosActor {
    type Result = Result<RunView, FaultError>;

    fn handle(&mut self, queued: Queued<Enable>, ctx: &mut Self::Context) -> Self::Result {
        self.enable(queued.msg.0, ctx)
    }
}

impl Handler<Queued<EndRuns>> for ScenariosActor {
    type Result = EndedRuns;

    fn handle(&mut self, queued: Queued<EndRuns>, ctx: &mut Self::Context) -> EndedRuns {
        let EndRuns { which, why } = queued.msg;
        let now = now(&self.args.clock);
        let over = match why {
            Why::Drain => self.args.lifecycle.lock().close(now),
            why => self.args.lifecycle.lock().end(&which, why, now),
        };
        EndedRuns(self.end(over, ctx))
    }
}
