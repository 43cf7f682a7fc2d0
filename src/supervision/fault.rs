//! Fault points of actors: in a tree that was made with them, any child can be made to panic at a chosen point of
//! its life, or to get no turn. Inert otherwise.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ContextFut;
use actix::{AsyncContext, Context, Message};

use super::child::{Core, Restart};
use super::current;
use super::inbox::Queued;
use super::tree::Tree;
use crate::fault::{ActorFaults, Faults};

pub use crate::fault::Phase;

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

impl Tree {
    /// Makes the children of `kind` whose instance matches panic in `phase`, `times` times in all.
    /// `instance` is a name, or `*` for any, or `prefix*`. Running children are hit at once by
    /// [`Phase::Handler`] and [`Phase::Timer`]; the other phases wait until the child is (re)started.
    ///
    /// # Panics
    /// When the table has no such kind, or the tree was made without fault points.
    pub fn arm(&self, kind: &str, instance: &str, phase: Phase, times: u32) {
        let faults = self.faults_of(kind);
        faults.actors().arm(kind, instance, phase, times);
        self.wake(kind);
    }

    /// Takes back all panics that have not happened. Returns how often they still would have.
    pub fn disarm(&self) -> u32 {
        self.kinds().iter().filter_map(|kind| kind.faults.as_ref()).map(|f| f.actors().disarm()).sum()
    }

    /// Lets the children of `kind` whose instance matches (as for [`Tree::arm`]) have no turn until
    /// [`Tree::release`]: what is sent to them waits in their inboxes, their timers do not run. They can be stopped.
    ///
    /// # Panics
    /// As [`Tree::arm`].
    pub fn hang(&self, kind: &str, instance: &str) {
        self.faults_of(kind).actors().hang(kind, instance);
    }

    /// All children have their turns again.
    pub fn release(&self) {
        for kind in self.kinds() {
            if let Some(faults) = &kind.faults {
                faults.actors().release();
            }
        }
        self.kinds().iter().for_each(|kind| self.wake(kind.spec.kind));
    }

    fn faults_of(&self, kind: &str) -> &Arc<Faults> {
        match &self.kind(kind).faults {
            Some(faults) => faults,
            None => panic!("the tree was made without fault points"),
        }
    }

    fn wake(&self, kind: &str) {
        for child in self.kind(kind).newest_first() {
            child.wake();
        }
    }
}

/// The faults of the child's tree, while there are any.
fn armed(core: &Core) -> Option<&ActorFaults> {
    core.kind().faults.as_ref().map(|faults| faults.actors()).filter(|actors| actors.is_on())
}

/// Uses up one fault of this phase for the child, if one is armed.
fn is_due(core: &Core, phase: Phase) -> bool {
    armed(core).is_some_and(|actors| actors.is_due(core.kind().spec.kind, core.instance(), phase))
}

/// Whether the child gets no turn. It is woken when that ends.
pub(super) fn is_hung(core: &Core) -> bool {
    armed(core).is_some_and(|actors| actors.is_hung(core.kind().spec.kind, core.instance()))
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
    }
    if armed(core).is_none() {
        return;
    }
    if new {
        point_of(core, Phase::Started);
    }
    if is_due(core, Phase::Handler) {
        actor.address().try_send(Queued::forced(Trip::Handler, core)).ok();
    }
    if !*timer_set && is_due(core, Phase::Timer) {
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
    if is_due(core, phase) {
        match phase {
            Phase::Started => panic!("fault point: started"),
            Phase::Restarting => panic!("fault point: restarting"),
            Phase::Handler | Phase::Timer => {}
        }
    }
}
