//! The task around one actor: polls it, catches its panics, waits out back-offs, rebuilds it, gives it up.
//!
//! Written by hand as a future, because it is one per connection: idle it costs the actor's own future, five
//! words and no timer. What only a crashed child needs is allocated at its first crash.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::dev::ContextFut;
use actix::dev::channel::AddressReceiver;
use actix::{ActorContext, ActorState, Context, SpawnHandle};
use tokio::time::Sleep;

use super::child::Restart;
use super::current::{Crash, guarded};
use super::inbox::Inbox;
use super::kind::{Kind, Place, RestartOrder};
use super::policy::{Decision, History, decide};
use super::snapshot::{FailurePhase, LastFailure};
use super::spec::{Ended, RestartPolicy};

/// What a child is made from; sent to the arbiter where it will live.
pub(super) struct Seed<A: Restart> {
    pub(super) receiver: AddressReceiver<A>,
    pub(super) place: Place,
    /// A permanent child lives on without anybody else's inbox.
    pub(super) own: Option<Inbox<A>>,
}

pub(super) struct Supervisor<A: Restart> {
    /// `None` after the end.
    actor: Option<ContextFut<A, Context<A>>>,
    /// `None` after the end.
    place: Option<Place>,
    _own: Option<Inbox<A>>,
    on_give_up: Option<Box<dyn FnOnce()>>,
    trouble: Option<Box<Trouble>>,
    /// Not polled since it was (re)built: `started` is still to come.
    new: bool,
    /// It was told to stop, so whatever ends it now is not a crash.
    stop_told: bool,
}

/// What only a child that has crashed needs.
#[derive(Default)]
struct Trouble {
    history: History,
    back_off: Option<Pin<Box<Sleep>>>,
    /// `restarting` panicked: the actor is still the torn one.
    torn: bool,
    /// Handle of the future in which it crashed; actix forgets it only with the next complete poll.
    crashed_in: SpawnHandle,
}

/// How a step of the supervisor leaves things.
enum Step {
    Again,
    Wait,
    End,
}

/// Why a child ends for good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It was told to, or it finished, or nobody can reach it any more.
    Finished,
    /// It crashed, and its policy is not to restart or nobody could reach it.
    Crashed,
    /// It crashed too often.
    GivenUp,
}

impl<A: Restart> Supervisor<A> {
    pub(super) fn new(seed: Seed<A>, actor: A, on_give_up: Option<Box<dyn FnOnce()>>) -> Self {
        Self {
            actor: Some(Context::with_receiver(seed.receiver).into_future(actor)),
            place: Some(seed.place),
            _own: seed.own,
            on_give_up,
            trouble: None,
            new: true,
            stop_told: false,
        }
    }

    fn step(&mut self, cx: &mut TaskContext<'_>) -> Step {
        let Some(place) = &self.place else { return Step::End };
        let orders = place.core().listen(cx.waker());
        if orders.cut() {
            return self.end(End::Finished, "");
        }
        if orders.restart()
            && !orders.stop()
            && let Some(order) = place.core().take_restart()
        {
            return self.obey_restart(&order);
        }
        if let Some(back_off) = self.trouble.as_mut().and_then(|trouble| trouble.back_off.as_mut()) {
            if orders.stop() {
                return self.end(End::Finished, "");
            }
            return match back_off.as_mut().poll(cx) {
                Poll::Pending => Step::Wait,
                Poll::Ready(()) => self.resume(),
            };
        }
        self.run(cx, orders.stop())
    }

    /// Polls the actor once, inside the catch.
    fn run(&mut self, cx: &mut TaskContext<'_>, stop: bool) -> Step {
        let (Some(actor), Some(place)) = (&mut self.actor, &self.place) else { return Step::End };
        let new = self.new;
        let polled = guarded(place.core(), || {
            #[cfg(feature = "fault")]
            super::fault::before_poll(place.core(), actor, new);
            Pin::new(&mut *actor).poll(cx)
        });
        self.new = false;
        match polled {
            // What waited in the inbox has been handled: now it may go.
            Ok(Poll::Pending) if stop && !self.stop_told => {
                self.stop_told = true;
                actor.ctx().stop();
                Step::Again
            }
            Ok(Poll::Pending) => Step::Wait,
            Ok(Poll::Ready(())) if !stop && self.restarts_after(Ended::Stopped) && self.reachable() => {
                let crash = Crash::told("stopped by itself although it is permanent");
                self.fail(FailurePhase::Stopping, &crash)
            }
            Ok(Poll::Ready(())) => self.end(End::Finished, ""),
            Err(crash) => {
                let phase = self.phase_of(&crash, new);
                self.fail(phase, &crash)
            }
        }
    }

    /// Where in its life the actor panicked, from what can be seen of it.
    fn phase_of(&mut self, crash: &Crash, new: bool) -> FailurePhase {
        let Some(actor) = &mut self.actor else { return FailurePhase::Stopping };
        let (in_future, state) = (actor.ctx().handle(), actor.ctx().state());
        let stopping = state != ActorState::Running || !actor.ctx().connected();
        let in_no_future = in_future == SpawnHandle::default();
        let stale = self.trouble.as_ref().is_some_and(|trouble| trouble.crashed_in == in_future);
        if !in_no_future {
            self.trouble.get_or_insert_default().crashed_in = in_future;
        }
        if crash.in_handler {
            FailurePhase::Handler
        } else if new && (stale || in_no_future) {
            FailurePhase::Started
        } else if stopping && in_no_future {
            FailurePhase::Stopping
        } else {
            FailurePhase::Timer
        }
    }

    fn restarts_after(&self, ended: Ended) -> bool {
        self.place.as_ref().is_some_and(|place| place.core().kind().spec.policy.restarts_after(ended))
    }

    /// Whether anybody still holds an inbox.
    fn reachable(&mut self) -> bool {
        self.actor.as_mut().is_some_and(|actor| actor.ctx().connected())
    }

    /// The actor failed: record it, decide, and rebuild it at once or end it.
    fn fail(&mut self, phase: FailurePhase, crash: &Crash) -> Step {
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
    fn resume(&mut self) -> Step {
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

    fn obey_restart(&mut self, order: &RestartOrder) -> Step {
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
    fn end(&mut self, end: End, reason: &str) -> Step {
        let Some(core) = self.place.as_ref().map(|place| place.core().clone()) else { return Step::End };
        self.dispose();
        if end == End::GivenUp {
            core.kind().count_given_up();
        }
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
    fn dispose(&mut self) {
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

impl<A: Restart> Future for Supervisor<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let supervisor = self.get_mut();
        loop {
            match supervisor.step(cx) {
                Step::Again => {}
                Step::Wait => return Poll::Pending,
                Step::End => return Poll::Ready(()),
            }
        }
    }
}

/// The arbiter ends before the child does.
impl<A: Restart> Drop for Supervisor<A> {
    fn drop(&mut self) {
        self.dispose();
    }
}
