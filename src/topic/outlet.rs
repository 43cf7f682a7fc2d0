//! Where deliveries go up: one bounded queue a worker, filled by topics, emptied by the worker's connections.
//!
//! The queue is bounded by construction: a message holds a [`Permit`] of the broker's admission while it is
//! here, and a connection has a bounded number of requests under way. The hard bound behind that is
//! [`DELIVERIES_MAX`]; what exceeds it is refused and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde_json::value::RawValue;

use super::TopicError;
use super::bundle::Bundle;
use super::handle::TopicId;
use super::kind::Class;
use super::log::Stored;
use super::position::Position;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::telemetry::Counter;

/// Deliveries that may wait in one outlet.
pub const DELIVERIES_MAX: usize = 262_144;

/// The request of a subscription that the client did not ask for by name: a wildcard named the topic, or it is the
/// client's own.
pub const UNASKED: u32 = 0;

/// One connection of a worker: its place, and which of the place's tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Member {
    /// Index in the worker's table.
    pub slot: u32,
    /// Tells later connections in the same slot apart.
    pub generation: u32,
}

/// What a topic tells a worker.
#[derive(Debug)]
pub enum Delivery {
    /// Messages for every member of the topic on this worker.
    Bundle(Arc<Bundle>),
    /// A frame for the members of this moment; it has no offset and no history.
    Push {
        /// Which topic.
        topic: TopicId,
        /// The whole frame.
        frame: SharedFrame,
        /// Its urgency.
        priority: Priority,
    },
    /// A member was added; messages of the topic follow.
    Subscribed(Box<Joined>),
    /// A member could not be added.
    SubscribeFailed {
        /// Who.
        member: Member,
        /// Number of the request on that connection.
        request: u32,
        /// Why.
        error: TopicError,
    },
    /// An answer for one connection.
    Reply {
        /// Who asked.
        member: Member,
        /// The whole frame.
        frame: SharedFrame,
    },
}

/// A member that was added to a topic.
#[derive(Debug)]
pub struct Joined {
    /// Who.
    pub member: Member,
    /// Number of the request on that connection.
    pub request: u32,
    /// To what.
    pub topic: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// How its messages relate to each other.
    pub class: Class,
    /// Where the topic stands at this point of the order.
    pub position: Position,
    /// Whether `missed` is everything since the place that was asked for.
    pub recovered: bool,
    /// Messages that the member gets first, oldest first: what it missed, or the newest values.
    pub missed: Vec<Stored>,
    /// Past messages that the answer shows, oldest first.
    pub history: Vec<Stored>,
    /// What came with the request.
    pub attachment: Option<Box<RawValue>>,
}

/// Room for one message on its way to sockets; given back on drop.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    bytes: usize,
    priority: Priority,
    admitted_us: u64,
}

impl Permit {
    /// When it was given, monotonic microseconds.
    pub fn admitted_us(&self) -> u64 {
        self.admitted_us
    }
}

/// Counts what is on its way to sockets in the whole hub.
#[derive(Debug)]
pub struct Admission {
    messages: AtomicUsize,
    by_priority: [AtomicUsize; 3],
    bytes: AtomicUsize,
    messages_max: usize,
    bytes_max: usize,
}

impl Admission {
    /// Nothing under way yet.
    pub fn new(messages_max: usize, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            messages: 0.into(),
            by_priority: Default::default(),
            bytes: 0.into(),
            messages_max,
            bytes_max,
        })
    }

    /// Room for a message of `bytes`, or `None` when the hub has enough under way.
    pub fn admit(self: &Arc<Self>, bytes: usize, priority: Priority, now_us: u64) -> Option<Permit> {
        let messages = self.messages.fetch_add(1, Ordering::Relaxed);
        let under_way = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.by_priority[priority.index()].fetch_add(1, Ordering::Relaxed);
        let permit = Permit { admission: self.clone(), bytes, priority, admitted_us: now_us };
        (messages < self.messages_max && under_way < self.bytes_max).then_some(permit)
    }

    /// Over three quarters of a bound are reached.
    pub fn is_nearly_full(&self) -> bool {
        self.under_way() > self.messages_max / 4 * 3
            || self.bytes.load(Ordering::Relaxed) > self.bytes_max / 4 * 3
    }

    /// Messages under way.
    pub fn under_way(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// The same by urgency, most urgent first.
    pub fn by_priority(&self) -> [usize; 3] {
        [0, 1, 2].map(|index: usize| self.by_priority[index].load(Ordering::Relaxed))
    }

    /// How many may be under way.
    pub fn messages_max(&self) -> usize {
        self.messages_max
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.messages.fetch_sub(1, Ordering::Relaxed);
        self.admission.by_priority[self.priority.index()].fetch_sub(1, Ordering::Relaxed);
        self.admission.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The sending side; cheap to clone.
#[derive(Clone)]
pub struct Outlet(Arc<Queue>);

struct Queue {
    index: usize,
    waiting: Mutex<Vec<Delivery>>,
    woken: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Outlet {
    /// The outlet of worker `index`; `wake` is called once when something begins to wait.
    pub fn new(index: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self(Arc::new(Queue { index, waiting: Mutex::default(), woken: AtomicBool::new(false), wake }))
    }

    /// Which worker.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// Queues a delivery; `Err` gives it back when the outlet is full.
    pub fn push(&self, delivery: Delivery) -> Result<(), Box<Delivery>> {
        {
            let mut waiting = self.0.waiting.lock();
            if waiting.len() >= DELIVERIES_MAX {
                return Err(Box::new(delivery));
            }
            waiting.push(delivery);
        }
        self.wake();
        Ok(())
    }

    /// Queues a delivery; what a full outlet refuses is counted.
    pub fn offer(&self, delivery: Delivery) {
        if self.push(delivery).is_err() {
            Counter::Dropped.add_for("outlet_full", 1);
        }
    }

    /// Wakes the worker although nothing waits: it has set itself something to do.
    pub fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::AcqRel) {
            (self.0.wake)();
        }
    }

    /// Takes all that waits into `into`, which is empty; the two buffers change places.
    pub fn take(&self, into: &mut Vec<Delivery>) {
        self.0.woken.store(false, Ordering::Release);
        std::mem::swap(&mut *self.0.waiting.lock(), into);
    }

    /// Deliveries waiting.
    pub fn depth(&self) -> usize {
        self.0.waiting.lock().len()
    }

    /// Whether both are the same worker's.
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outlet({})", self.0.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Delivery {
        Delivery::Reply {
            member: Member { slot: 0, generation: 0 },
            frame: SharedFrame::json(bytes::Bytes::new()),
        }
    }

    #[test]
    fn many_deliveries_are_one_wake_up() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = wakes.clone();
        let outlet = Outlet::new(
            0,
            Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        );
        let mut taken = Vec::new();
        for round in 1..=3 {
            for _ in 0..10 {
                outlet.push(reply()).unwrap();
            }
            assert_eq!(wakes.load(Ordering::Relaxed), round);
            outlet.take(&mut taken);
            assert_eq!(taken.drain(..).count(), 10);
        }
    }

    #[test]
    fn admission_counts_messages_and_bytes_and_takes_them_back() {
        let admission = Admission::new(2, 100);
        let first = admission.admit(60, Priority::Normal, 7).unwrap();
        let second = admission.admit(60, Priority::Normal, 7).unwrap();
        assert!(admission.admit(1, Priority::Normal, 7).is_none(), "two under way is the bound");
        assert_eq!((admission.by_priority(), first.admitted_us()), ([0, 2, 0], 7));
        drop(first);
        let third = admission.admit(60, Priority::Normal, 7).unwrap();
        drop((second, third));
        assert_eq!(admission.under_way(), 0);
        let _big = admission.admit(1_000, Priority::Normal, 7).unwrap();
        assert!(admission.admit(1, Priority::Normal, 7).is_none(), "bytes are bounded too");
    }
}
