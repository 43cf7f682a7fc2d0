//! The actor that keeps the line to Redis. Owns nothing that a restart could lose: topics and state are the carrier's.

use actix::prelude::*;

use super::carrier::{self, Carrier};
use crate::supervision::{Restart, supervised};

/// Keeps the connection on which Redis tells what other hub nodes publish.
pub struct EngineActor {
    carrier: Carrier,
}

impl EngineActor {
    /// The keeper of this carrier's line.
    pub fn new(carrier: Carrier) -> Self {
        Self { carrier }
    }
}

impl Restart for EngineActor {
    const KIND: &'static str = "engine";

    fn fresh(&self) -> Self {
        Self::new(self.carrier.clone())
    }
}

supervised!(EngineActor);

impl Actor for EngineActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(carrier::run(self.carrier.clone()).into_actor(self));
    }
}
