//! Fault points, for tests (feature `fault`): make any child panic on request, really, at a chosen point.

use actix::dev::ContextFut;
use actix::{AsyncContext, Context, Handler, Message};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::child::{Core, Restart};
use super::current;
use super::inbox::Queued;
use super::tree::Tree;

/// Where in its life the child panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the handler of a [`Trip`] message, which goes through the mailbox like any other.
    Handler,
    /// In a `run_later` callback.
    Timer,
    /// When it is started, just before its `started`.
    Started,
    /// In `restarting`, before it is rebuilt.
    Restarting,
}

/// The message that makes an actor panic. Every [`supervised!`](crate::supervised) actor handles it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// Panic in this handler.
    Handler,
    /// Panic in a timer, a millisecond later.
    Timer,
}

impl Message for Trip {
    type Result = ();
}

/// What an actor must handle in a build with fault points.
pub trait Target: Handler<Queued<Trip>> {}

impl<A: Handler<Queued<Trip>>> Target for A {}

/// The fault points of an actor; part of [`supervised!`](crate::supervised).
#[doc(hidden)]
#[macro_export]
macro_rules! supervised_fault_target {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::supervision::Queued<$crate::supervision::fault::Trip>> for $actor {
            type Result = ();

            fn handle(
                &mut self,
                trip: $crate::supervision::Queued<$crate::supervision::fault::Trip>,
                ctx: &mut <Self as ::actix::Actor>::Context,
            ) {
                $crate::supervision::fault::trip::<Self>(&trip, ctx);
            }
        }
    };
}

/// Called by the handler that [`supervised!`](crate::supervised) writes.
#[doc(hidden)]
pub fn trip<A: Restart>(trip: &Queued<Trip>, ctx: &mut Context<A>) {
    match trip.msg {
        Trip::Handler => panic!("fault point: handler"),
        Trip::Timer => {
            ctx.run_later(Duration::from_millis(1), |_, _| panic!("fault point: timer"));
        }
    }
}

/// The faults that are still to happen in one tree.
#[derive(Default)]
pub(super) struct Armed {
    faults: Mutex<Vec<Fault>>,
    /// Spares every poll the lock while nothing is armed.
    count: AtomicUsize,
}

struct Fault {
    kind: String,
    instance: String,
    phase: Phase,
    times: u32,
}

impl Tree {
    /// Makes the children of `kind` whose instance matches panic in `phase`, `times` times in all.
    /// `instance` is a name, or `*` for any, or `prefix*`. Running children are hit at once by
    /// [`Phase::Handler`] and [`Phase::Timer`]; the other phases wait until the child is (re)started.
    pub fn arm(&self, kind: &str, instance: &str, phase: Phase, times: u32) {
        let row = self.kind(kind);
        let armed = &row.root.armed;
        armed.faults.lock().push(Fault { kind: kind.into(), instance: instance.into(), phase, times });
        armed.count.fetch_add(1, Ordering::AcqRel);
        for child in row.newest_first() {
            child.wake();
        }
    }

    /// Takes back all faults that have not happened. Returns how often they still would have.
    pub fn disarm(&self) -> u32 {
        let Some(row) = self.first_kind() else { return 0 };
        let armed = &row.root.armed;
        armed.count.store(0, Ordering::Release);
        armed.faults.lock().drain(..).map(|fault| fault.times).sum()
    }
}

/// Uses up one fault of this phase for the child, if one is armed.
fn due(core: &Core, phase: Phase) -> bool {
    let armed = &core.kind().root.armed;
    if armed.count.load(Ordering::Acquire) == 0 {
        return false;
    }
    let mut faults = armed.faults.lock();
    let Some(index) = faults.iter().position(|fault| {
        fault.phase == phase
            && fault.kind == core.kind().spec.kind
            && matches(&fault.instance, core.instance())
    }) else {
        return false;
    };
    let fault = &mut faults[index];
    fault.times = fault.times.saturating_sub(1);
    if fault.times == 0 {
        faults.swap_remove(index);
        armed.count.fetch_sub(1, Ordering::AcqRel);
    }
    true
}

fn matches(pattern: &str, instance: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => instance.starts_with(prefix),
        None => pattern == instance,
    }
}

/// The supervisor is about to poll the actor, inside its catch. `timer_set` is per life: until the timer goes
/// off the actor is polled for other reasons, and one timer is enough to end it.
pub(super) fn before_poll<A: Restart>(
    core: &Arc<Core>,
    actor: &ContextFut<A, Context<A>>,
    new: bool,
    timer_set: &mut bool,
) {
    if new {
        *timer_set = false;
        point_of(core, Phase::Started);
    }
    if due(core, Phase::Handler) {
        actor.address().try_send(Queued::forced(Trip::Handler, core)).ok();
    }
    if !*timer_set && due(core, Phase::Timer) {
        *timer_set = true;
        actor.address().try_send(Queued::forced(Trip::Timer, core)).ok();
    }
}

/// A fault point in code that runs as the current actor.
pub(super) fn point(phase: Phase) {
    if let Some(core) = current::core() {
        point_of(&core, phase);
    }
}

fn point_of(core: &Core, phase: Phase) {
    if due(core, phase) {
        match phase {
            Phase::Started => panic!("fault point: started"),
            Phase::Restarting => panic!("fault point: restarting"),
            Phase::Handler | Phase::Timer => {}
        }
    }
}
