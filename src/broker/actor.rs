//! The parent of the topics: sweeps the directory, and takes a restart when a topic escalates.
//!
//! Owns nothing that a restart could lose: the directory is shared.

use std::time::Duration;

use actix::prelude::*;

use super::directory::Broker;
use crate::supervision::{Restart, supervised};

/// Time between sweeps for idle topics, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 30_000;

/// Sweeps the directory of topics.
pub struct BrokerActor {
    broker: Broker,
}

impl BrokerActor {
    /// A sweeper of `broker`.
    pub fn new(broker: Broker) -> Self {
        Self { broker }
    }
}

impl Restart for BrokerActor {
    const KIND: &'static str = "broker";

    fn fresh(&self) -> Self {
        Self::new(self.broker.clone())
    }
}

supervised!(BrokerActor);

impl Actor for BrokerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(SWEEP_INTERVAL_MS), |actor, _ctx| {
            let forgotten = actor.broker.sweep();
            if forgotten > 0 {
                tracing::debug!(forgotten, "idle topics forgotten");
            }
        });
    }
}
