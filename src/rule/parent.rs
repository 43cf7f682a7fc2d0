//! The parent of the rules: lets time pass for them, and keeps the states that they leave to be kept.
//!
//! Owns nothing that a restart could lose: the directory is shared.

use std::time::Duration;

use actix::prelude::*;

use super::rules::Rules;
use crate::supervision::{Restart, supervised};

/// Time between two ticks of the rules, in milliseconds.
const TICK_MS: u64 = 1_000;

/// The parent of the rules.
pub struct RulesActor {
    rules: Rules,
}

impl RulesActor {
    /// The parent of these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        self.rules.tick();
        if let Some(kept) = self.rules.keep() {
            ctx.spawn(kept.into_actor(self));
        }
    }
}

impl Restart for RulesActor {
    const KIND: &'static str = "rules";

    fn fresh(&self) -> Self {
        Self::new(self.rules.clone())
    }
}

supervised!(RulesActor);

impl Actor for RulesActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        // Its children ended before it. The request is sent; whoever closes the store waits for it.
        drop(self.rules.keep());
    }
}
