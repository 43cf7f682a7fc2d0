//! Which hub node does what only one may do.
//!
//! Hub nodes on one store agree through it: a unit belongs to the node that holds its lease, and every change of owner
//! raises its fence, which the store checks in the transactions of the unit. A hub alone owns everything.
//!
//! - [`unit`]: what has one owner
//! - [`rendezvous`]: which hub node a unit is for (pure)
//! - [`tenure`]: what a hub node is to do after a beat (pure)
//! - [`leasing`]: beats, takes, gives back
//! - [`actor`]: when

pub mod actor;
pub mod leasing;
pub mod rendezvous;
pub mod tenure;
pub mod unit;

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::store::Store;

pub use actor::OwnershipActor;
pub use leasing::Leasing;
pub use unit::Unit;

/// The number of a tenure: what is written under an older one than the store knows is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// There is nobody else: nothing is checked.
    Alone,
    /// Checked with each transaction.
    Number(u64),
}

impl Fence {
    /// The store for what belongs to the unit: what is written through it is refused with
    /// [`StoreError::Fenced`](crate::store::StoreError::Fenced) once another hub node owns the unit.
    #[must_use]
    pub fn guard(self, store: &Store, unit: Unit) -> Store {
        match self {
            Self::Alone => store.clone(),
            Self::Number(number) => store.fenced(unit.as_str(), number),
        }
    }
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

/// Who owns a unit, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Whose it is.
    pub owner: Peer,
    /// Its number.
    pub fence: u64,
    /// When it began by the clock of the database, Unix milliseconds.
    pub since_ms: u64,
}

/// Who owns what. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// By unit, in the order of [`Unit::ALL`].
    held: [watch::Sender<Option<Fence>>; Unit::ALL.len()],
    /// This hub node; `None`: it is alone.
    hub: Option<Peer>,
    /// By the newest answer of the database.
    seen: RwLock<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    live: Vec<Peer>,
    tenures: [Option<Tenure>; Unit::ALL.len()],
}

impl Ownership {
    /// That of a hub alone: all is its own from the start.
    pub fn alone() -> Self {
        Self::with(None, Some(Fence::Alone))
    }

    /// That of one hub node of several: nothing is its own before it took it.
    fn shared(hub: Peer) -> Self {
        Self::with(Some(hub), None)
    }

    fn with(hub: Option<Peer>, held: Option<Fence>) -> Self {
        let held = Unit::ALL.map(|_| watch::Sender::new(held));
        Self(Arc::new(Shared { held, hub, seen: RwLock::default() }))
    }

    /// Whether there can be no other hub node.
    pub fn is_alone(&self) -> bool {
        self.0.hub.is_none()
    }

    /// The fence under which this hub owns the unit; `None` while another does, or nobody. One number after another
    /// without a `None` between: it was lost and taken again meanwhile.
    pub fn held(&self, unit: Unit) -> Option<Fence> {
        *self.0.held[unit as usize].borrow()
    }

    /// Changes with [`Ownership::held`].
    pub fn changes(&self, unit: Unit) -> watch::Receiver<Option<Fence>> {
        self.0.held[unit as usize].subscribe()
    }

    /// Which other hub owns the unit, as far as it is known here.
    pub fn owner(&self, unit: Unit) -> Option<Peer> {
        let tenure = self.tenure(unit)?;
        (Some(&tenure.owner) != self.0.hub.as_ref()).then_some(tenure.owner)
    }

    /// Who owns the unit, this hub included, by the newest beat; `None` where there is nobody else, or nobody.
    pub fn tenure(&self, unit: Unit) -> Option<Tenure> {
        self.0.seen.read().tenures[unit as usize].clone()
    }

    /// The hub nodes that live, this one included, by the newest beat; none of a hub alone.
    pub fn live(&self) -> Vec<Peer> {
        self.0.seen.read().live.clone()
    }

    /// What a beat was answered with.
    fn seen(&self, live: Vec<Peer>, tenures: [Option<Tenure>; Unit::ALL.len()]) {
        *self.0.seen.write() = Seen { live, tenures };
    }

    /// Takes note that this hub owns the unit from now on, or does not any more. Returns whether that is new.
    pub fn hold(&self, unit: Unit, fence: Option<Fence>) -> bool {
        self.0.held[unit as usize].send_if_modified(|held| std::mem::replace(held, fence) != fence)
    }
}
