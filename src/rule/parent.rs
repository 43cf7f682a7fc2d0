//! The parent of the rules: lets time pass for them, and keeps the states that they leave to be kept.
//!
//! Owns nothing that a restart could lose: the directory is shared.

use std::time::Duration;

use actix::prelude::*;

use super::rules::{RuleDirectory, Rules};
use crate::supervision::{Restart, supervised};

/// Time between two ticks of the rules, in milliseconds.
const TICK_MS: u64 = 1_000;

/// Time between two looks at the directory of rule files, in milliseconds.
const LOOK_MS: u64 = 2_000;

/// The parent of the rules.
pub struct RulesActor {
    rules: Rules,
    /// Their files, if there are any.
    directory: Option<RuleDirectory>,
    is_looking: bool,
}

impl RulesActor {
    /// The parent of these rules, which follows their files.
    pub fn new(rules: Rules, directory: Option<RuleDirectory>) -> Self {
        Self { rules, directory, is_looking: false }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let Some(mut directory) = self.directory.clone().filter(|_| !self.is_looking) else { return };
        self.is_looking = true;
        let rules = self.rules.clone();
        let followed = async move { (rules.follow(&mut directory).await, directory) };
        ctx.spawn(followed.into_actor(self).map(|(followed, directory), actor, _ctx| {
            actor.is_looking = false;
            if let Err(error) = followed {
                tracing::error!(%error, "rule files not taken; all rules stay as they were");
            }
            actor.directory = Some(directory);
        }));
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
        Self::new(self.rules.clone(), self.directory.clone())
    }
}

supervised!(RulesActor);

impl Actor for RulesActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
        ctx.run_interval(Duration::from_millis(LOOK_MS), Self::look);
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        // Its children ended before it. The request is sent; whoever closes the store waits for it.
        drop(self.rules.keep());
    }
}
