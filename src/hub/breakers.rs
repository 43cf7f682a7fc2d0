//! The actor of the breakers: tells everybody of their changes, and releases what waited for them to close.
//!
//! Owns nothing that a restart could lose: changes wait in the breakers, samples in ingest. Alerts release themselves.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use serde_json::json;

use crate::breaker::{Change, State as BreakerState};
use crate::broker::Draft;
use crate::clock::rfc3339;
use crate::http::State;
use crate::ids::TopicName;
use crate::protocol::frame::SharedFrame;
use crate::protocol::server;
use crate::supervision::{Restart, supervised};
use crate::telemetry::Cause;
use crate::topic::Reply;

/// Time between looks at the breakers, in milliseconds; changes are told at once.
const TICK_MS: u64 = 250;

/// What the actor is made of, again after each crash.
#[derive(Clone)]
pub(super) struct BreakersArgs {
    /// Weak, so that the hub can end.
    pub(super) state: Weak<State>,
}

pub(super) struct BreakersActor {
    /// Something is being released.
    releasing: bool,
    /// Crashes of topics that were counted.
    topics_crashed: u64,
    args: BreakersArgs,
}

impl BreakersActor {
    pub(super) fn new(args: BreakersArgs) -> Self {
        let crashed = args.state.upgrade().map_or(0, |state| topics_crashed(&state));
        Self { releasing: false, topics_crashed: crashed, args }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        let breakers = &state.services.breakers;
        state.store.count_late(breakers.settings().call_ms_max);
        let crashed = topics_crashed(&state);
        // Each crash cost a message of somebody who was told nothing but `internal`.
        breakers.observe(
            crate::breaker::Subsystem::Streaming,
            0,
            crashed.saturating_sub(self.topics_crashed),
        );
        self.topics_crashed = crashed;
        breakers.tick();
        state.services.ingest.look_at_pressure();
        tell(&state);
        if !self.releasing {
            self.releasing = true;
            let release = async move { state.services.ingest.release().await };
            ctx.spawn(release.into_actor(self).map(|(), actor, _ctx| actor.releasing = false));
        }
    }

    /// Tells of changes as they happen.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let Some(state) = self.args.state.upgrade() else { return };
        let breakers = state.services.breakers.clone();
        drop(state);
        let changed = async move { breakers.changed().await };
        ctx.spawn(changed.into_actor(self).map(|(), actor, ctx| {
            if let Some(state) = actor.args.state.upgrade() {
                tell(&state);
            }
            actor.listen(ctx);
        }));
    }
}

fn topics_crashed(state: &State) -> u64 {
    state.services.tree.restarts("topic")
}

/// Tells every connection, and those who read the topic `system` later.
fn tell(state: &Arc<State>) {
    let breakers = &state.services.breakers;
    let mut changes = breakers.take_changes().into_iter();
    while let Some(change) = changes.next() {
        if !publish(state, &change) {
            // The topic is overloaded: order is kept, the next tick tells.
            breakers.put_back(std::iter::once(change).chain(changes).collect());
            return;
        }
        let frame = server::control(event(&change), change.unix_ms, None, &payload(&change));
        let frame = SharedFrame::json(frame);
        if !state.shards.tell_all(&frame) {
            tracing::warn!(
                subsystem = change.subsystem.name(),
                "a worker's clients were not told of a breaker"
            );
        }
    }
}

fn event(change: &Change) -> &'static str {
    if change.state == BreakerState::Closed { "recovered" } else { "degraded" }
}

fn payload(change: &Change) -> serde_json::Value {
    json!({
        "subsystem": change.subsystem.name(),
        "state": change.state,
        "forced": change.forced,
        "since": rfc3339(change.unix_ms),
        "reason": change.reason,
    })
}

fn publish(state: &State, change: &Change) -> bool {
    let mut payload = payload(change);
    payload["event"] = event(change).into();
    let draft = match Draft::of(&payload) {
        Ok(draft) => {
            Draft { event_type: Some(event(change).into()), ..draft.keyed(change.subsystem.name().into()) }
        }
        Err(error) => {
            tracing::error!(%error, "payload does not serialize");
            return true;
        }
    };
    let topic = TopicName::well_known("system");
    state.services.broker.publish(&topic, draft, Reply::Nobody, &Cause::own()).is_ok()
}

impl Restart for BreakersActor {
    const KIND: &'static str = "breakers";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(BreakersActor);

impl Actor for BreakersActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
        self.listen(ctx);
    }
}
