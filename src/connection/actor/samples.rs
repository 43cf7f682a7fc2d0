//! Samples that a client sends.

use actix::prelude::*;
use serde_json::json;

use super::{ConnectionActor, Failure};
use crate::auth::permission;
use crate::ids::NodeName;
use crate::ingest::MetricsFrame;
use crate::protocol::codes::Code;
use crate::protocol::server;
use crate::telemetry::Cause;

/// `metrics` frames of one connection that wait for the store.
const UNACKED_METRICS_MAX: usize = 256;

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
            self.tell_flow(1, 1_000, "the store is behind");
            return Err(Failure::new(Code::Overloaded, "too many frames wait for the store"));
        }
        let ingest = &self.shard.services.ingest;
        let parsed = frame.parse(ingest.now_ms(), ingest.settings());
        let receipt = parsed.and_then(|parsed| ingest.submit(&node, parsed, cause));
        let mut receipt = receipt.map_err(|error| Failure::new(error.code(), error.to_string()))?;
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
}
