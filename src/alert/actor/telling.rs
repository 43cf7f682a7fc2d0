//! How subscribers are told of what is committed.

use std::sync::atomic::Ordering;

use actix::prelude::*;

use super::super::announcing::{Outcome, owed, publish};
use super::AlertsActor;
use crate::telemetry::{Gauge, Histogram};

impl AlertsActor {
    /// Publishes what waits, unless that is under way.
    pub(super) fn announce(&mut self, ctx: &mut Context<Self>) {
        let Some(fence) = self.fence.filter(|_| !self.is_announcing) else { return };
        if self.announcing.wants_more() {
            return self.read_owed(ctx);
        }
        let part = self.announcing.take_part();
        if part.is_empty() {
            return;
        }
        self.is_announcing = true;
        let (broker, breakers) = (self.shared.args.broker.clone(), self.shared.args.breakers.clone());
        let published = publish(broker, breakers, fence, part);
        ctx.spawn(published.into_actor(self).map(move |outcome, actor, ctx| {
            // Another owner may have published it too; it reads what is noted as told.
            if actor.fence == Some(fence) {
                actor.announced(outcome, ctx);
            }
        }));
    }

    fn announced(&mut self, outcome: Outcome, ctx: &mut Context<Self>) {
        let Outcome { steps, arrived_us, unpublished } = outcome;
        self.is_announcing = false;
        let now_us = self.shared.args.clock.monotonic_us();
        for arrived_us in arrived_us {
            Histogram::AlertSeconds.record_s(now_us.saturating_sub(arrived_us) as f64 / 1e6);
        }
        let is_stuck = !unpublished.is_empty();
        self.announcing.put_back(unpublished);
        self.tell_figures();
        if !steps.is_empty() {
            let noted = self.store().transitions_announced(steps);
            ctx.spawn(noted.into_actor(self).map(|noted, _actor, _ctx| {
                if let Err(error) = noted {
                    tracing::debug!(%error, "steps may be published again");
                }
            }));
        }
        // What is stuck is tried again by the timer.
        if is_stuck {
            self.announcing.let_wait();
        } else {
            self.announce(ctx);
        }
    }

    fn read_owed(&mut self, ctx: &mut Context<Self>) {
        self.is_announcing = true;
        self.announcing.reads();
        let (read, fence) = (owed(self.store(), self.is_start), self.fence);
        ctx.spawn(read.into_actor(self).map(move |read, actor, ctx| {
            if actor.fence != fence {
                return;
            }
            actor.is_announcing = false;
            match read {
                Ok(read) => {
                    actor.is_start = false;
                    actor.announcing.take_up(read);
                    actor.announce(ctx);
                }
                // Tried again by the timer.
                Err(error) => {
                    actor.announcing.let_wait();
                    tracing::warn!(%error, "steps of alerts not read from the store");
                }
            }
        }));
    }

    pub(super) fn tell_figures(&self) {
        self.shared.waiting.store(self.announcing.len(), Ordering::Relaxed);
        Gauge::AlertsOpen.set(self.book.len() as u64);
    }
}
