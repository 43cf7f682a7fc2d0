//! Which hub node does what only one may do.
//!
//! Hub nodes on one store agree through it: a unit belongs to the node that holds its lease, and every change of owner
//! raises its fence, which the store checks in the transactions of the unit. A hub alone owns everything.

mod unit;

use std::sync::Arc;

use tokio::sync::watch;

pub use unit::Unit;

/// The number of a tenure: what is written under an older one than the store knows is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// There is nobody else: nothing is checked.
    Alone,
    /// Checked with each transaction.
    Number(u64),
}

/// A hub node as others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub node: String,
    /// Tells this life of it from others.
    pub instance: String,
    /// Where it answers HTTP: `host:port`.
    pub address: String,
}

/// Who owns what. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// By unit, in the order of [`Unit::ALL`].
    held: [watch::Sender<Option<Fence>>; Unit::ALL.len()],
}

impl Ownership {
    /// That of a hub alone: all is its own from the start.
    pub fn alone() -> Self {
        Self(Arc::new(Shared { held: Unit::ALL.map(|_| watch::Sender::new(Some(Fence::Alone))) }))
    }

    /// Whether there can be no other hub node.
    pub fn is_alone(&self) -> bool {
        true
    }

    /// Takes note that this hub owns the unit from now on, or does not any more.
    pub fn hold(&self, unit: Unit, fence: Option<Fence>) {
        self.0.held[unit as usize].send_if_modified(|held| std::mem::replace(held, fence) != fence);
    }

    /// The fence under which this hub owns the unit; `None` while another does, or nobody.
    pub fn held(&self, unit: Unit) -> Option<Fence> {
        *self.0.held[unit as usize].borrow()
    }

    /// Changes with [`Ownership::held`].
    pub fn changes(&self, unit: Unit) -> watch::Receiver<Option<Fence>> {
        self.0.held[unit as usize].subscribe()
    }

    /// Which other hub owns the unit, as far as it is known here.
    pub fn owner(&self, _unit: Unit) -> Option<Peer> {
        None
    }
}
