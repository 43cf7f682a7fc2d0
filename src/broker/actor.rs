//! The parent of the topics: sweeps the directory, compares topics with the store, and takes a restart when a topic
//! escalates.
//!
//! Owns nothing that a restart could lose: the directory is shared.

use std::time::Duration;

use actix::prelude::*;

use super::directory::Broker;
use crate::supervision::{Restart, supervised};

/// Time between sweeps for idle topics, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 30_000;

/// Time between looks at where topics stand in a store that hub nodes share, in milliseconds.
const COMPARE_INTERVAL_MS: u64 = 1_000;

/// Sweeps the directory of topics.
pub struct BrokerActor {
    broker: Broker,
    /// A look is under way.
    is_comparing: bool,
    /// Topics that the last look compared.
    compared: usize,
}

impl BrokerActor {
    /// A sweeper of `broker`.
    pub fn new(broker: Broker) -> Self {
        Self { broker, is_comparing: false, compared: 0 }
    }

    fn compare(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_comparing, true) {
            return;
        }
        let (broker, skip) = (self.broker.clone(), self.compared);
        let compared = async move { broker.compare_with_store(skip).await };
        ctx.spawn(compared.into_actor(self).map(|compared, actor, _ctx| {
            actor.is_comparing = false;
            match compared {
                Ok(next) => actor.compared = next,
                Err(error) => tracing::debug!(%error, "topics not compared with the store"),
            }
        }));
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
        if self.broker.shares_store() {
            ctx.run_interval(Duration::from_millis(COMPARE_INTERVAL_MS), Self::compare);
        }
    }
}
