//! One client: its socket, its outbox, its session.
//!
//! - [`outbox`]: what waits for the client, by urgency and in bytes; what a slow one loses (pure)
//! - [`feed`]: one subscriber's way to one topic: what it missed, its filter, its rate (pure; [`throttle`])
//! - [`roster`]: who subscribes to what on a worker (pure)
//! - [`wheel`]: when to ping whom (pure)
//! - [`stream`]: what the hub needs of the TCP stream
//! - [`socket`]: the bytes of one connection: direct writes, the task that reads and flushes
//! - [`shard`]: the connections of one worker: fan-out, heartbeat, deadlines; [`Shards`] are all workers'
//! - [`actor`]: one actor a connection: what the client asks for
//! - [`session`]: what stays of a client between connections (pure)
//! - [`sharing`]: sessions of clients that were at another hub node
//! - [`clients`]: who is here: client ids across workers, for take-over and lists
//!
//! The actor never awaits the socket. A message goes from a topic to a worker once, and from the worker
//! straight into the sockets that have no backlog; the rest waits in outboxes.

pub mod actor;
pub mod clients;
mod deadlines;
mod fanout;
pub mod feed;
mod feeding;
mod handover;
pub mod history;
pub mod hold;
mod lagging;
pub mod outbox;
mod outgoing;
pub mod parcel;
pub mod requests;
pub mod roster;
pub mod seat;
pub mod session;
pub mod shard;
pub mod shard_actor;
mod shards;
pub mod sharing;
pub mod socket;
pub mod socket_task;
pub mod stream;
mod tampering;
mod telling;
pub mod throttle;
pub mod wheel;

use std::net::IpAddr;
use std::sync::Arc;

use crate::alert::Alerts;
use crate::auth::{Auth, Claims};
use crate::breaker::Breakers;
use crate::broker::Broker;
use crate::clock::Clock;
use crate::config::ConnectionSection;
use crate::engine::Carrier;
use crate::fault::Faults;
use crate::ids::ClientId;
use crate::ingest::Ingest;
use crate::ownership::Ownership;
use crate::room::Rooms;
use crate::rule::Rules;
use crate::store::Store;
use crate::supervision::Tree;
use crate::sync::Documents;
use crate::telemetry::Latency;
use crate::webhook::Webhooks;

pub use actor::ConnectionActor;
pub use clients::Clients;
pub use lagging::client_stream;
pub use shard::{Arrival, Shard};
pub use shard_actor::{ShardActor, ShardSnapshot};
pub use shards::{ShardHandle, Shards};

/// What connections work with. One value a hub, shared.
pub struct Services {
    /// Publishes and opens topics.
    pub broker: Broker,
    /// Subsystems that fail are given a rest.
    pub breakers: Breakers,
    /// How long messages take to the sockets.
    pub latency: Latency,
    /// Who is in which room.
    pub rooms: Rooms,
    /// Shared state.
    pub documents: Documents,
    /// Other programs that are told what happens.
    pub webhooks: Webhooks,
    /// Owns alerts.
    pub alerts: Alerts,
    /// What makes them.
    pub rules: Rules,
    /// Takes samples.
    pub ingest: Ingest,
    /// Checks tokens.
    pub auth: Arc<Auth>,
    /// Client ids across workers.
    pub clients: Clients,
    /// Keeps sessions.
    pub store: Store,
    /// The way to other hub nodes; `None` for a hub alone.
    pub carrier: Option<Carrier>,
    /// Starts connection actors.
    pub tree: Tree,
    /// Bounds and times.
    pub settings: ConnectionSection,
    /// Whether rate limits hold (`--limits off` ends them, never size limits).
    pub rate_limits: bool,
    /// What only one hub node may do: whether this one does.
    pub ownership: Ownership,
    /// Version and node of the hub, told in `connected`.
    pub hub: HubInfo,
    /// Time.
    pub clock: Clock,
    /// What is to go wrong on purpose; `None` without `--lab`.
    pub faults: Option<Arc<Faults>>,
}

/// Who the hub is.
#[derive(Debug, Clone, serde::Serialize)]
pub struct HubInfo {
    /// Version of the program.
    pub version: &'static str,
    /// Name of the hub's own node.
    pub node: String,
}

/// Who is on a connection; known before the upgrade.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The session's name.
    pub client_id: ClientId,
    /// What the token says.
    pub claims: Arc<Claims>,
    /// Where the connection comes from.
    pub address: IpAddr,
}
