//! Samples that a client sends.

use actix::prelude::*;
use serde_json::json;
use tokio::sync::watch;

use super::{ConnectionActor, Failure};
use crate::auth::permission;
use crate::ids::NodeName;
use crate::ingest::MetricsFrame;
use crate::protocol::codes::Code;
use crate::protocol::server;
use crate::telemetry::Cause;

/// `metrics` frames of one connection that wait for the store.
const UNACKED_METRICS_MAX: usize = 256;

/// How long senders of samples are silent while the store is behind, in milliseconds. They are told when it is over.
const SLOW_PAUSE_MS: u64 = 5_000;

const BEHIND: &str = "the store is behind";

impl ConnectionActor {
    pub(super) fn metrics(
        &mut self,
        frame: MetricsFrame<'_>,
        reply_to: Option<&str>,
        cause: &Cause,
        ctx: &mut Context<Self>,
    ) -> Result<(), Failure> {
        let node = NodeName::parse(&frame.node)?;
        if !permission::may_report(&self.seat.claims(), node.as_str()) {
            let message = format!("the token does not allow samples of node {node}");
            return Err(Failure::new(Code::Forbidden, message));
        }
        if self.unacked_metrics >= UNACKED_METRICS_MAX {
            self.tell_flow(1, 1_000, BEHIND);
            return Err(Failure::new(Code::Overloaded, "too many frames wait for the store"));
        }
        let ingest = &self.shard.services.ingest;
        let parsed = frame.parse(ingest.now_ms(), ingest.settings());
        let receipt = parsed.and_then(|parsed| ingest.submit(&node, parsed, cause));
        let mut receipt = receipt.map_err(|error| Failure::new(error.code(), error.to_string()))?;
        self.keep_pace(ctx);
        let reply_to = reply_to.map(str::to_owned);
        self.unacked_metrics += 1;
        let committed = async move { (receipt.durable().await, receipt) };
        ctx.spawn(committed.into_actor(self).map(move |(durable, receipt), actor, _ctx| {
            actor.unacked_metrics -= 1;
            let payload = json!({
                "accepted": receipt.accepted,
                "rejected": receipt.rejected.values().sum::<u64>(),
                "reasons": receipt.rejected,
                "durable": durable,
            });
            let now_ms = actor.now_ms();
            actor.seat.reply(&server::control("metrics_ack", now_ms, reply_to.as_deref(), &payload));
        }));
        Ok(())
    }

    /// Whoever sends samples is told to slow down while too much waits for the store, and when it may go on.
    fn keep_pace(&mut self, ctx: &mut Context<Self>) {
        if !self.follows_pace {
            self.follows_pace = true;
            self.follow_pace(self.shard.services.ingest.slow(), ctx);
        }
        if self.is_slow() {
            self.tell_flow(1, SLOW_PAUSE_MS, BEHIND);
        }
    }

    fn is_slow(&self) -> bool {
        *self.shard.services.ingest.slow().borrow()
    }

    fn follow_pace(&self, mut slow: watch::Receiver<bool>, ctx: &mut Context<Self>) {
        let changed = async move { slow.changed().await.is_ok().then_some(slow) };
        ctx.spawn(changed.into_actor(self).map(|changed, actor, ctx| {
            // Without a sender the hub is at its end.
            let Some(mut slow) = changed else { return };
            if *slow.borrow_and_update() {
                actor.tell_flow(1, SLOW_PAUSE_MS, BEHIND);
            } else {
                actor.flow_told_ms = None;
                actor.send_flow(None, 0, "the store keeps up again");
            }
            actor.follow_pace(slow, ctx);
        }));
    }
}
