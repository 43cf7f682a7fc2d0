//! Which of several hub nodes a machine is of: the one that hears it.
//!
//! The store says so, and in which state the machine is: with the first report it is taken over as it is there, and what
//! its silence means is said by whoever brings it into the store. Whoever finds that it is another's, or in another
//! state, lets it go until it is heard again.

use std::collections::VecDeque;

use actix::prelude::*;

use super::actor::{NodeActor, note};
use super::liveness::{Liveness, State, Transition};
use super::report::Report;
use crate::clock::rfc3339;
use crate::store::NodeRecord;
use crate::supervision::Queued;
use crate::telemetry::Cause;

/// Why it is late or offline.
pub(super) const NO_REPORT: &str = "no report";

impl NodeActor {
    fn hub(&self) -> String {
        self.args.hub.as_deref().unwrap_or_default().to_owned()
    }

    /// After a crash: what this hub holds it goes on with.
    pub(super) fn recall_held(&mut self, record: NodeRecord, ctx: &mut Context<Self>) {
        if record.hub != self.hub() {
            return;
        }
        let state = State::of(&record.state);
        self.recall_as(state, record);
        self.is_held = true;
        if matches!(state, State::Online | State::Late) {
            self.liveness.heard(self.args.clock.monotonic_ms());
            self.watch(ctx);
        }
    }

    /// The first report: the node is this hub's from now on, in the state that it had.
    pub(super) fn take_over(&mut self, queued: Queued<Report>, ctx: &mut Context<Self>) {
        let taken = self.args.store.take_node(self.args.name.as_str(), &self.hub());
        ctx.wait(taken.into_actor(self).map(move |taken, actor, ctx| {
            match taken {
                Ok(Some(record)) => actor.recall_as(State::of(&record.state), record),
                Ok(None) => {}
                // It is heard here all the same; what is written of it says so when the store is back.
                Err(error) => tracing::warn!(node = %actor.args.name, %error, "node not taken over"),
            }
            actor.is_held = true;
            actor.take_in(queued.msg, &queued.cause, ctx);
        }));
    }

    /// The node is heard as before.
    pub(super) fn touch(&mut self, now_ms: u64, ctx: &mut Context<Self>) {
        let (name, state) = (self.args.name.as_str(), self.liveness.state().as_str());
        let touched = self.args.store.touch_node(name, &self.hub(), state, now_ms);
        ctx.wait(touched.into_actor(self).map(|touched, actor, _ctx| match touched {
            Ok(true) => {}
            Ok(false) => actor.let_go(),
            Err(error) => tracing::warn!(node = %actor.args.name, %error, "node not written to the store"),
        }));
    }

    /// The node is silent for so long that it is late or offline, unless another hub hears it.
    pub(super) fn conclude(&mut self, transition: Transition, ctx: &mut Context<Self>) {
        let at = rfc3339(self.args.clock.unix_ms());
        let mut transitions: VecDeque<_> = self.transitions.clone();
        note(&mut transitions, transition, NO_REPORT, &at);
        let (name, states) = (self.args.name.as_str(), (transition.from.as_str(), transition.to.as_str()));
        let written = self.args.store.silence_node(name, &self.hub(), states, transitions.make_contiguous());
        ctx.wait(written.into_actor(self).map(move |written, actor, ctx| {
            match written {
                Ok(true) => actor.changed_at(transition, NO_REPORT, &at, &Cause::own()),
                Ok(false) => return actor.let_go(),
                Err(error) => {
                    tracing::warn!(node = %actor.args.name, %error, "node not written to the store");
                    actor.changed_at(transition, NO_REPORT, &at, &Cause::own());
                    actor.remember(ctx);
                }
            }
            actor.watch(ctx);
        }));
    }

    /// Another hub hears the node, or said what became of it.
    fn let_go(&mut self) {
        self.is_held = false;
        let (interval_ms, ttl_ms) = (self.liveness.interval_ms(), self.liveness.ttl_ms());
        self.liveness = Liveness::new(State::Enrolling, interval_ms, ttl_ms);
    }
}
