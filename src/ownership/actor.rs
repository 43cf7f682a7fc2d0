//! The actor that beats for a hub node.
//!
//! Owns nothing that a restart could lose: what is owned is in the database and in [`Leasing`].

use std::time::Duration;

use actix::prelude::*;

use super::Leasing;
use crate::supervision::{Restart, supervised};

/// See the module.
pub struct OwnershipActor {
    leasing: Leasing,
    /// A beat that takes long is not followed by others.
    is_beating: bool,
}

impl OwnershipActor {
    /// Beats for that hub node.
    pub fn new(leasing: Leasing) -> Self {
        Self { leasing, is_beating: false }
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_beating, true) {
            return;
        }
        let leasing = self.leasing.clone();
        let beaten = async move { leasing.beat().await };
        ctx.spawn(beaten.into_actor(self).map(|(), actor, _ctx| actor.is_beating = false));
    }
}

impl Restart for OwnershipActor {
    const KIND: &'static str = "ownership";

    fn fresh(&self) -> Self {
        Self::new(self.leasing.clone())
    }
}

supervised!(OwnershipActor);

impl Actor for OwnershipActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_millis(self.leasing.beat_ms()), Self::beat);
    }
}
