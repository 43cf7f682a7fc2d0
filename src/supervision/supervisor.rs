//! The task around one actor: polls it, catches its panics, waits out back-offs. What follows a failure is in
//! `recovery`.
//!
//! Written by hand as a future, because it is one per connection: idle it costs the actor's own future, five
//! words and no timer. What only a crashed child needs is allocated at its first crash.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::dev::ContextFut;
use actix::dev::channel::AddressReceiver;
use actix::{ActorContext, ActorState, Context, SpawnHandle};
use tokio::time::Sleep;

use super::child::Restart;
use super::current::{Crash, guarded};
use super::fault;
use super::inbox::Inbox;
use super::kind::Place;
use super::policy::History;
use super::snapshot::FailurePhase;
use super::spec::Ended;

/// What a child is made from; sent to the arbiter where it will live.
pub(super) struct Seed<A: Restart> {
    pub(super) receiver: AddressReceiver<A>,
    pub(super) place: Place,
    /// A permanent child lives on without anybody else's inbox.
    pub(super) own: Option<Inbox<A>>,
}

pub(super) struct Supervisor<A: Restart> {
    /// `None` after the end.
    pub(super) actor: Option<ContextFut<A, Context<A>>>,
    /// `None` after the end.
    pub(super) place: Option<Place>,
    pub(super) _own: Option<Inbox<A>>,
    pub(super) on_give_up: Option<Box<dyn FnOnce()>>,
    pub(super) trouble: Option<Box<Trouble>>,
    /// Not polled since it was (re)built: `started` is still to come.
    pub(super) new: bool,
    /// It was told to stop, so whatever ends it now is not a crash.
    pub(super) stop_told: bool,
    /// A fault's timer is set in this life.
    pub(super) fault_timer_set: bool,
}

/// What only a child that has crashed needs.
#[derive(Default)]
pub(super) struct Trouble {
    pub(super) history: History,
    pub(super) back_off: Option<Pin<Box<Sleep>>>,
    /// `restarting` panicked: the actor is still the torn one.
    pub(super) torn: bool,
    /// Handle of the future in which it crashed; actix forgets it only with the next complete poll.
    pub(super) crashed_in: SpawnHandle,
}

/// How a step of the supervisor leaves things.
pub(super) enum Step {
    Again,
    Wait,
    End,
}

/// Why a child ends for good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
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
            fault_timer_set: false,
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
        if !stop && fault::is_hung(place.core()) {
            return Step::Wait;
        }
        let polled = guarded(place.core(), || {
            fault::before_poll(place.core(), actor, new, &mut self.fault_timer_set);
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
        let unreachable = !actor.ctx().connected();
        let in_no_future = in_future == SpawnHandle::default();
        let stale = self.trouble.as_ref().is_some_and(|trouble| trouble.crashed_in == in_future);
        if !in_no_future {
            self.trouble.get_or_insert_default().crashed_in = in_future;
        }
        if crash.in_handler {
            FailurePhase::Handler
        } else if state != ActorState::Running && in_no_future {
            FailurePhase::Stopping
        } else if new && (stale || in_no_future) {
            FailurePhase::Started
        } else if unreachable && in_no_future {
            FailurePhase::Stopping
        } else {
            FailurePhase::Timer
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
