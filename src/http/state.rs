//! What handlers work with. One value a hub, shared by all workers.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use super::desk::Desk;
use crate::alert::heartbeats::Heartbeats;
use crate::config::{AlertSection, HttpSection, SamplerSection, StoreSection};
use crate::connection::{Services, Shards};
use crate::lab::faults::Scenarios;
use crate::lab::runs::LoadTests;
use crate::node::Fleet;
use crate::ownership::Leasing;
use crate::store::Store;

/// Shared by all routes.
pub struct State {
    /// Broker, rooms, auth, clients, tree, settings, clock.
    pub services: Arc<Services>,
    /// The connections of all workers.
    pub shards: Shards,
    /// Load tests.
    pub load_tests: LoadTests,
    /// The nodes.
    pub fleet: Fleet,
    /// Durable state.
    pub store: Store,
    /// Its part among hub nodes on one store; `None` for a hub alone.
    pub leasing: Option<Leasing>,
    /// Doors.
    pub settings: HttpSection,
    /// The hub's own sampler.
    pub sampler: SamplerSection,
    /// How long samples are kept.
    pub store_settings: StoreSection,
    /// Whether everybody is admin (`--dev`).
    pub dev: bool,
    /// When the hub started, unix milliseconds.
    pub started_ms: u64,
    /// Worker threads.
    pub workers: usize,
    /// Where the hub listens.
    pub address: SocketAddr,
    /// Where the data directory is, for the check of free space.
    pub data_dir: std::path::PathBuf,
    /// Rules and alerts; who watches the hub.
    pub alert_settings: AlertSection,
    /// Dead man's switches.
    pub heartbeats: Heartbeats,
    /// Fault scenarios; `None` without `--lab`.
    pub scenarios: Option<Scenarios>,
    /// What the routes keep between requests.
    pub desk: Desk,
    /// True when the hub stops: new connections are refused, what waits is told.
    pub draining: watch::Sender<bool>,
}

impl State {
    /// Whether the hub is stopping.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}
