//! The actor of the way to other nodes: keeps the line to Redis, and tells everybody when Redis is gone or back.
//!
//! Owns nothing that a restart could lose: who follows what, and whether Redis is there, is with the carrier.

use std::sync::{Arc, Weak};

use actix::prelude::*;
use serde_json::json;

use crate::broker::Draft;
use crate::clock::rfc3339;
use crate::engine::{Carrier, Way};
use crate::http::State;
use crate::ids::TopicName;
use crate::supervision::{Restart, supervised};
use crate::telemetry::Cause;
use crate::topic::Reply;

/// What the actor is made of, again after each crash.
#[derive(Clone)]
pub(super) struct EngineArgs {
    /// Weak, so that the hub can end.
    pub(super) state: Weak<State>,
}

pub(super) struct EngineActor {
    args: EngineArgs,
}

impl EngineActor {
    pub(super) fn new(args: EngineArgs) -> Self {
        Self { args }
    }

    /// Tells of changes as they happen.
    fn listen(&mut self, carrier: Carrier, ctx: &mut Context<Self>) {
        let mut ways = carrier.ways();
        let changed = async move { ways.changed().await };
        ctx.spawn(changed.into_actor(self).map(move |changed, actor, ctx| {
            if changed.is_ok() {
                if let Some(state) = actor.args.state.upgrade() {
                    tell(&state, carrier.way());
                }
                actor.listen(carrier, ctx);
            }
        }));
    }
}

/// Tells those who read the topic `system`.
fn tell(state: &Arc<State>, way: Way) {
    let event = if way.is_up { "recovered" } else { "degraded" };
    let payload = json!({
        "event": event,
        "subsystem": "engine",
        "node": state.services.hub.node,
        "since": rfc3339(way.since_ms),
        "reason": if way.is_up {
            "Redis is back: topics in memory are the same on all nodes again"
        } else {
            "Redis is gone: topics in memory are this node's own, in an epoch of their own"
        },
    });
    let draft = match Draft::of(&payload) {
        Ok(draft) => Draft { event_type: Some(event.into()), ..draft.keyed("engine".into()) },
        Err(error) => return tracing::error!(%error, "payload does not serialize"),
    };
    let topic = TopicName::well_known("system");
    if let Err(error) = state.services.broker.publish(&topic, draft, Reply::Nobody, &Cause::own()) {
        tracing::warn!(%error, event, "nobody was told of Redis");
    }
}

impl Restart for EngineActor {
    const KIND: &'static str = "engine";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(EngineActor);

impl Actor for EngineActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(carrier) = self.args.state.upgrade().and_then(|state| state.services.carrier.clone()) else {
            return;
        };
        self.listen(carrier.clone(), ctx);
        ctx.spawn(async move { carrier.run().await }.into_actor(self));
    }
}
