//! Keeps what a hub node owns: beats, takes what is free, gives back at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::tenure::{Tenures, peer, tenure};
use super::{Ownership, Peer, Unit};
use crate::config::EngineSection;
use crate::store::{HubNodeRecord, Leases, Store, StoreError};
use crate::telemetry::{Counter, Gauge};

/// Longest wait for giving back, milliseconds: when it is over the leases run out by themselves.
const LEAVE_MS_MAX: u64 = 2_000;

/// The part of one hub node among those that share its store. Cheap to clone.
#[derive(Clone)]
pub struct Leasing(Arc<Shared>);

struct Shared {
    leases: Leases,
    hub: HubNodeRecord,
    settings: EngineSection,
    ownership: Ownership,
    tenures: Mutex<Tenures>,
    /// One beat at a time, and none after it left.
    turn: tokio::sync::Mutex<()>,
    /// It goes: it takes nothing more.
    is_going: AtomicBool,
    has_left: AtomicBool,
    is_failing: AtomicBool,
}

impl Leasing {
    /// That of this hub node. It owns nothing before its first beat.
    pub fn new(store: &Store, hub: HubNodeRecord, settings: EngineSection) -> Self {
        let instance = hub.instance.clone();
        let ownership = Ownership::shared(peer(&hub));
        Self(Arc::new(Shared {
            leases: store.leases(),
            hub,
            settings,
            ownership,
            tenures: Mutex::new(Tenures::new(instance)),
            turn: tokio::sync::Mutex::default(),
            is_going: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
        }))
    }

    /// What it owns, for those who do the work.
    pub fn ownership(&self) -> Ownership {
        self.0.ownership.clone()
    }

    /// Time between two beats, milliseconds.
    pub fn beat_ms(&self) -> u64 {
        self.0.settings.beat_ms
    }

    /// Tells the database that it lives, learns who owns what, and takes what it should.
    pub async fn beat(&self) {
        let _turn = self.0.turn.lock().await;
        if self.0.has_left.load(Relaxed) {
            return;
        }
        match self.try_beat().await {
            Ok(()) => {
                if self.0.is_failing.swap(false, Relaxed) {
                    tracing::info!("the database answers again which hub node owns what");
                }
            }
            Err(error) => {
                Counter::OwnershipBeatsFailed.add(1);
                if !self.0.is_failing.swap(true, Relaxed) {
                    tracing::warn!(%error, "the database does not answer which hub node owns what; it stays as it was");
                }
            }
        }
    }

    async fn try_beat(&self) -> Result<(), StoreError> {
        let Shared { leases, hub, settings, ownership, tenures, .. } = &*self.0;
        let beat = leases.beat(hub.clone(), settings.lease_ms).await?;
        let wanted = tenures.lock().answered(&beat);
        ownership.seen(beat.live.iter().map(peer).collect(), Unit::ALL.map(|unit| tenure(unit, &beat)));
        self.publish();
        if self.0.is_going.load(Relaxed) {
            return Ok(());
        }
        for unit in wanted {
            let fence = leases.take(unit.as_str(), &hub.instance, settings.lease_ms).await?;
            tenures.lock().took(unit, fence);
            self.publish();
        }
        Ok(())
    }

    /// Tells those who do the work.
    fn publish(&self) {
        let tenures = self.0.tenures.lock();
        for unit in Unit::ALL {
            let held = tenures.held(unit);
            Gauge::OwnedUnits.set_for(unit.as_str(), u64::from(held.is_some()));
            if self.0.ownership.hold(unit, held) {
                Counter::OwnershipChanges.add_for(unit.as_str(), 1);
                tracing::info!(unit = unit.as_str(), fence = ?held, "what this hub node owns changed");
            }
        }
    }

    /// Whether the database did not answer the newest beat.
    pub fn is_failing(&self) -> bool {
        self.0.is_failing.load(Relaxed)
    }

    /// From now on it takes nothing more: it is about to leave.
    pub fn go(&self) {
        self.0.is_going.store(true, Relaxed);
    }

    /// Gives back what it owns, when all of that is done with; others take it at once. It does not beat again.
    pub async fn leave(&self) {
        self.0.has_left.store(true, Relaxed);
        let leaving = async {
            let _turn = self.0.turn.lock().await;
            self.0.tenures.lock().left();
            self.publish();
            self.0.leases.leave(&self.0.hub.instance).await
        };
        match tokio::time::timeout(Duration::from_millis(LEAVE_MS_MAX), leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "not given back: others wait until it runs out"),
            Err(_elapsed) => tracing::warn!("not given back in time: others wait until it runs out"),
        }
    }

    /// This hub node, as others see it.
    pub fn hub(&self) -> Peer {
        peer(&self.0.hub)
    }
}
