//! What an actor must be able to do to be supervised, and the handle on one supervised child.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use actix::{Actor, Context, Handler, Supervised};
use futures_util::task::AtomicWaker;

use super::fault::{self, Phase, Trip};
use super::inbox::Queued;
use super::kind::{Kind, RestartOrder};

/// An actor that can be rebuilt from its arguments. Implement [`Supervised`] for it with
/// [`supervised!`](crate::supervised), never by hand.
///
/// A handler that answers later returns `ResponseActFuture`, which ends with the actor's life, so that a crash
/// answers [`AskError::Closed`](super::AskError::Closed) at once. `ResponseFuture` runs outside the actor: it
/// survives its crash, and a panic in it is not the actor's.
pub trait Restart: Supervised + Actor<Context = Context<Self>> + Handler<Queued<Trip>> {
    /// The row of the supervision table.
    const KIND: &'static str;

    /// The actor as it was before it ran: from its arguments, not from its state, which a panic may have
    /// torn. What has to be read or awaited belongs into `started`.
    fn fresh(&self) -> Self;
}

/// Makes an actor that is [`Restart`] supervised: a restart replaces it by [`Restart::fresh`], and it can be made to
/// panic in a tree with fault points.
///
/// ```
/// use actix::{Actor, Context};
/// use infrawatch::supervision::{Restart, supervised};
///
/// struct Counter {
///     count: u64,
/// }
/// impl Actor for Counter {
///     type Context = Context<Self>;
/// }
/// impl Restart for Counter {
///     const KIND: &'static str = "counter";
///     fn fresh(&self) -> Self {
///         Self { count: 0 }
///     }
/// }
/// supervised!(Counter);
/// ```
#[macro_export]
macro_rules! supervised {
    ($actor:ty) => {
        impl ::actix::Supervised for $actor {
            fn restarting(&mut self, _: &mut <Self as ::actix::Actor>::Context) {
                $crate::supervision::child::rebuild(self);
            }
        }

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

/// Called by [`supervised!`](crate::supervised).
#[doc(hidden)]
pub fn rebuild<A: Restart>(actor: &mut A) {
    fault::point(Phase::Restarting);
    *actor = actor.fresh();
}

const STOP: u8 = 1;
const CUT: u8 = 2;
const RESTART: u8 = 4;
const ENDED: u8 = 8;

/// Orders that a child has been given, as its supervisor sees them.
#[derive(Clone, Copy)]
pub(super) struct Orders(u8);

impl Orders {
    /// Stop in good order: handle what waits in the inbox, run `stopping` and `stopped`.
    pub(super) const fn stop(self) -> bool {
        self.0 & (STOP | CUT) != 0
    }

    /// End now, without another word.
    pub(super) const fn cut(self) -> bool {
        self.0 & CUT != 0
    }

    pub(super) const fn restart(self) -> bool {
        self.0 & RESTART != 0
    }
}

/// The one record per child, shared by its supervisor, its inboxes, its waiting messages and its kind.
pub(super) struct Core {
    kind: Arc<Kind>,
    instance: Arc<str>,
    sequence: u64,
    waker: AtomicWaker,
    depth: AtomicU32,
    orders: AtomicU8,
}

impl Core {
    pub(super) const fn new(kind: Arc<Kind>, instance: Arc<str>, sequence: u64) -> Self {
        Self {
            kind,
            instance,
            sequence,
            waker: AtomicWaker::new(),
            depth: AtomicU32::new(0),
            orders: AtomicU8::new(0),
        }
    }

    pub(super) const fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }

    pub(super) const fn instance(&self) -> &Arc<str> {
        &self.instance
    }

    /// Rank in the order in which the children of the kind were started.
    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes one place in the inbox; false when all are taken.
    pub(super) fn admit(&self) -> bool {
        let bound = self.kind.spec.queue_bound;
        let more = |depth: u32| ((depth as usize) < bound).then(|| depth + 1);
        let admitted = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if admitted {
            self.kind.depth.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Takes a place although all may be taken.
    pub(super) fn admit_always(&self) {
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.kind.depth.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a place in the inbox back.
    pub(super) fn release(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
        self.kind.depth.fetch_sub(1, Ordering::Relaxed);
    }

    /// What was ordered so far. `waker` is woken by the next order.
    pub(super) fn listen(&self, waker: &std::task::Waker) -> Orders {
        self.waker.register(waker);
        Orders(self.orders.load(Ordering::Acquire))
    }

    /// Whether its end was asked for.
    pub(super) fn is_told_to_stop(&self) -> bool {
        Orders(self.orders.load(Ordering::Acquire)).stop()
    }

    pub(super) fn order_stop(&self) {
        self.order(STOP);
    }

    pub(super) fn order_cut(&self) {
        self.order(CUT);
    }

    /// Several orders before the child sees the first are one restart, for the first reason.
    pub(super) fn order_restart(&self, order: RestartOrder) {
        if self.orders.fetch_or(RESTART, Ordering::AcqRel) & (RESTART | ENDED) == 0 {
            self.kind.leave_order(self.sequence, order);
            self.waker.wake();
            if self.has_ended() {
                self.kind.take_order(self.sequence);
            }
        }
    }

    /// The restart order, once. `None` also while the one who gave it is still writing it down; it wakes us then.
    pub(super) fn take_restart(&self) -> Option<RestartOrder> {
        let order = self.kind.take_order(self.sequence)?;
        self.orders.fetch_and(!RESTART, Ordering::AcqRel);
        Some(order)
    }

    /// Makes the supervisor look at its child.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    pub(super) fn set_ended(&self) {
        self.orders.fetch_or(ENDED, Ordering::AcqRel);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.orders.load(Ordering::Acquire) & ENDED != 0
    }

    fn order(&self, bit: u8) {
        self.orders.fetch_or(bit, Ordering::AcqRel);
        self.waker.wake();
    }
}

/// A handle on one child, whatever its type. Does not keep it alive. Cheap to clone.
#[derive(Clone)]
pub struct Child(pub(super) Arc<Core>);

impl Child {
    /// The row it belongs to.
    pub fn kind(&self) -> &'static str {
        self.0.kind.spec.kind
    }

    /// Its name within the kind.
    pub fn instance(&self) -> &Arc<str> {
        &self.0.instance
    }

    /// Tells it to stop for good: it handles what waits in its inbox, then runs `stopping` and `stopped`.
    /// A panic on the way ends it as well. Children in their back-off end at once.
    pub fn stop(&self) {
        self.0.order_stop();
    }

    /// Tells it to restart now, without back-off and without counting against its intensity.
    pub fn restart(&self, reason: impl Into<String>) {
        self.0.order_restart(RestartOrder { reason: reason.into(), escalated: false });
    }

    /// Whether it has come to its end.
    pub fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        self.0.kind.until(|| self.0.has_ended()).await;
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Child({} {})", self.kind(), self.0.instance)
    }
}
