//! The parent of the rules: begins and ends them with the tenure of the owner of alerts, lets time pass for them, and keeps
//! the states that they leave to be kept.
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
    is_beginning: bool,
}

impl RulesActor {
    /// The parent of these rules, which follows their files.
    pub fn new(rules: Rules, directory: Option<RuleDirectory>) -> Self {
        Self { rules, directory, is_looking: false, is_beginning: false }
    }

    /// Follows the owner of alerts.
    fn follow(&mut self, ctx: &mut Context<Self>) {
        let mut duties = self.rules.duties();
        self.serve(ctx);
        let changed = async move { duties.changed().await };
        ctx.spawn(changed.into_actor(self).map(|changed, actor, ctx| {
            if changed.is_ok() {
                actor.follow(ctx);
            }
        }));
    }

    /// Rules are evaluated while alerts are owned here.
    fn serve(&mut self, ctx: &mut Context<Self>) {
        let (duty, served) = (self.rules.duty(), self.rules.serves());
        if served == duty {
            return;
        }
        if served.is_some() {
            self.rules.end();
        }
        let Some(fence) = duty.filter(|_| !self.is_beginning) else { return };
        self.is_beginning = true;
        let rules = self.rules.clone();
        ctx.spawn(async move { rules.begin(fence).await }.into_actor(self).map(move |begun, actor, ctx| {
            actor.is_beginning = false;
            match begun {
                Ok(()) => {
                    tracing::info!(?fence, "rules are evaluated here");
                    // What another owner made of its files counts no more.
                    actor.directory = actor.directory.take().map(RuleDirectory::unread);
                    actor.serve(ctx);
                }
                // By the timer.
                Err(error) => tracing::warn!(%error, "rules do not begin; tried again"),
            }
        }));
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        let is_idle = self.is_looking || self.is_beginning || self.rules.serves().is_none();
        let Some(mut directory) = self.directory.clone().filter(|_| !is_idle) else { return };
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
        self.serve(ctx);
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
        self.follow(ctx);
        if let Some(handover) = self.rules.handover() {
            let (rules, sending) = (self.rules.clone(), handover.clone());
            ctx.spawn(async move { sending.send(&rules).await }.into_actor(self));
            let rules = self.rules.clone();
            ctx.spawn(async move { handover.read(&rules).await }.into_actor(self));
        }
        ctx.run_interval(Duration::from_millis(TICK_MS), Self::tick);
        ctx.run_interval(Duration::from_millis(LOOK_MS), Self::look);
    }

    fn stopped(&mut self, _ctx: &mut Self::Context) {
        // Its children ended before it. The request is sent; whoever closes the store waits for it.
        drop(self.rules.keep());
    }
}
