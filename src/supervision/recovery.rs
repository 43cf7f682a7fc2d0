//! After a failure: record it, decide, rebuild the actor or end it, and tell who has to know.

use std::time::Duration;

use actix::ActorContext;

use super::child::Restart;
use super::current::{Crash, guarded};
use super::kind::{Kind, RestartOrder};
use super::policy::{Decision, decide};
use super::snapshot::{FailurePhase, LastFailure};
use super::spec::{Ended, RestartPolicy};
use super::supervisor::{End, Step, Supervisor};

impl<A: Restart> Supervisor<A> {
    pub(super) fn restarts_after(&self, ended: Ended) -> bool {
        self.place.as_ref().is_some_and(|place| place.core().kind().spec.policy.restarts_after(ended))
    }

    /// Whether anybody still holds an inbox.
    pub(super) fn reachable(&mut self) -> bool {
        self.actor.as_mut().is_some_and(|actor| actor.ctx().connected())
    }

    /// The actor failed: record it, decide, and rebuild it at once or end it.
    pub(super) fn fail(&mut self, phase: FailurePhase, crash: &Crash) -> Step {
        let Some(place) = &self.place else { return Step::End };
        let (core, kind) = (place.core().clone(), place.core().kind().clone());
        kind.record_failure(LastFailure {
            at: (kind.root.wall_now_ms)(),
            instance: core.instance().clone(),
            phase,
            reason: crash.reason.clone(),
        });
        // It was on its way out: a panic there is no reason to bring it back.
        let leaving = phase == FailurePhase::Stopping && kind.spec.policy != RestartPolicy::Permanent;
        let decision = if leaving || core.is_told_to_stop() {
            Err(End::Finished)
        } else if !self.reachable() {
            Err(End::Crashed)
        } else if kind.spec.policy == RestartPolicy::Never {
            // It cannot take a restart off the one below it, so that goes further up.
            Err(if phase == FailurePhase::Escalated { End::GivenUp } else { End::Crashed })
        } else {
            self.decide(&kind).ok_or(End::GivenUp)
        };
        let outcome = match decision {
            Ok(_) => "restarts",
            Err(End::GivenUp) => "given up",
            Err(End::Crashed | End::Finished) => "ends",
        };
        tracing::error!(
            kind = kind.spec.kind,
            instance = &**core.instance(),
            phase = phase.name(),
            reason = crash.reason,
            location = crash.location,
            backtrace = crash.backtrace,
            outcome,
            "actor failed"
        );
        match decision {
            Ok(delay_ms) => self.back_off(phase, delay_ms),
            Err(end) => self.end(end, &crash.reason),
        }
    }

    /// The delay before the restart; `None` when there have been too many.
    fn decide(&mut self, kind: &Kind) -> Option<u64> {
        let history = &mut self.trouble.get_or_insert_default().history;
        let (intensity, backoff) = (kind.spec.intensity, kind.spec.backoff);
        match decide(intensity, backoff, history, kind.root.now_ms(), rand::random()) {
            Decision::RestartAfter(delay_ms) => Some(delay_ms),
            Decision::GiveUp => None,
        }
    }

    /// Rebuilds the actor at once, so that who waits for an answer of the old one is told, and lets it start
    /// after the delay. A rebuild that panics is tried again after the delay.
    fn back_off(&mut self, phase: FailurePhase, delay_ms: u64) -> Step {
        if phase != FailurePhase::Restarting
            && let Err(crash) = self.rebuild()
        {
            return self.fail(FailurePhase::Restarting, &crash);
        }
        let (Some(place), Some(trouble)) = (&self.place, &mut self.trouble) else { return Step::End };
        trouble.torn = phase == FailurePhase::Restarting;
        let sleep = Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms)));
        if trouble.back_off.replace(sleep).is_none() {
            place.core().kind().enter_back_off();
        }
        Step::Again
    }

    /// The back-off is over.
    pub(super) fn resume(&mut self) -> Step {
        if !self.reachable() {
            return self.end(End::Crashed, "nobody holds its inbox");
        }
        let (Some(place), Some(trouble)) = (&self.place, &mut self.trouble) else { return Step::End };
        let kind = place.core().kind().clone();
        if trouble.back_off.take().is_some() {
            kind.leave_back_off();
        }
        if trouble.torn
            && let Err(crash) = self.rebuild()
        {
            return self.fail(FailurePhase::Restarting, &crash);
        }
        kind.count_restart();
        Step::Again
    }

    /// Drops timers and spawned futures, and replaces the actor by a fresh one.
    fn rebuild(&mut self) -> Result<(), Crash> {
        let (Some(actor), Some(place)) = (&mut self.actor, &self.place) else { return Ok(()) };
        self.new = true;
        guarded(place.core(), || actor.restart()).map(drop)
    }

    pub(super) fn obey_restart(&mut self, order: &RestartOrder) -> Step {
        if order.escalated {
            return self.fail(FailurePhase::Escalated, &Crash::told(&order.reason));
        }
        let Some(place) = &self.place else { return Step::End };
        let core = place.core().clone();
        let kind = core.kind();
        tracing::info!(
            kind = kind.spec.kind,
            instance = &**core.instance(),
            reason = order.reason,
            "restart ordered"
        );
        if self.trouble.as_ref().is_some_and(|trouble| trouble.back_off.is_some()) {
            return self.resume();
        }
        if let Err(crash) = self.rebuild() {
            return self.fail(FailurePhase::Restarting, &crash);
        }
        kind.count_restart();
        Step::Again
    }

    /// Drops the actor, outside any unwind, then tells who has to know.
    pub(super) fn end(&mut self, end: End, reason: &str) -> Step {
        let Some(core) = self.place.as_ref().map(|place| place.core().clone()) else { return Step::End };
        if end == End::GivenUp {
            // Who waits for it is answered when it is dropped, and may ask how often that happened.
            core.kind().count_given_up();
        }
        self.dispose();
        if end != End::Finished
            && let Some(tell) = self.on_give_up.take()
            && let Err(crash) = guarded(&core, tell)
        {
            tracing::error!(
                kind = core.kind().spec.kind,
                reason = crash.reason,
                "telling of a give-up failed"
            );
        }
        if end == End::GivenUp {
            core.kind().escalate(core.instance(), reason);
        }
        Step::End
    }

    /// Drops the actor and gives its place back.
    pub(super) fn dispose(&mut self) {
        let Some(place) = self.place.take() else { return };
        let core = place.core();
        if let Some(mut actor) = self.actor.take() {
            // Terminated, its drop runs no more of the actor's code than the drops of its fields.
            let dropped = guarded(core, || {
                actor.ctx().terminate();
                drop(actor);
            });
            if let Err(crash) = dropped {
                let (kind, instance) = (core.kind().spec.kind, &**core.instance());
                tracing::error!(kind, instance, reason = crash.reason, "actor panicked when it was dropped");
            }
        }
        if self.trouble.as_mut().is_some_and(|trouble| trouble.back_off.take().is_some()) {
            core.kind().leave_back_off();
        }
    }
}
