//! The Command Center's figures, and the metrics for Prometheus.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::health::Status;
use super::state::State;
use crate::clock::rfc3339;
use crate::telemetry::metrics::export;
use crate::telemetry::{Counter, Gauge};

/// Everything at one glance.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Overview {
    /// When this was so, RFC 3339.
    pub timestamp: String,
    /// The hub itself.
    pub hub: Hub,
    /// The worst of its health checks.
    pub health: Status,
    /// Nodes by state.
    pub nodes: Nodes,
    /// Open connections.
    pub connections: Connections,
    /// Rooms with members.
    pub rooms: usize,
    /// Topics that exist.
    pub topics: usize,
    /// Messages taken into topics a second.
    pub messages_per_second: f64,
    /// Messages handed to sockets a second.
    pub deliveries_per_second: f64,
    /// Samples taken a second.
    pub samples_per_second: f64,
    /// The tree in two figures.
    pub supervision: Supervision,
}

/// The hub itself.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Hub {
    /// Version of the program.
    pub version: &'static str,
    /// Name of its own node.
    pub node: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// How long it has been running.
    pub uptime_s: u64,
    /// Worker threads.
    pub workers: usize,
    /// Where durable state is.
    pub store: &'static str,
}

/// Nodes by state.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = NodeCounts)]
pub struct Nodes {
    /// All that are known.
    pub total: usize,
    /// Reporting as promised.
    pub online: usize,
    /// Two intervals without a word.
    pub late: usize,
    /// Silent.
    pub offline: usize,
}

/// Open connections.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionCounts)]
pub struct Connections {
    /// Now.
    pub active: usize,
    /// Most at once since the start.
    pub peak: usize,
}

/// The tree in two figures.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SupervisionCounts)]
pub struct Supervision {
    /// Actors alive.
    pub actors: usize,
    /// Restarts since the start.
    pub restarts: u64,
}

/// The Command Center's figures.
#[utoipa::path(get, path = "/api/v1/operations/overview", tag = "operations",
    responses((status = 200, body = Overview, description = "The figures"), super::openapi::Refused))]
pub async fn overview(state: web::Data<State>) -> web::Json<Overview> {
    let health = state.desk.health(&state).await.status;
    let services = &state.services;
    let now_ms = services.clock.unix_ms();
    let census = state.fleet.census();
    let count = |name: &str| census.get(name).copied().unwrap_or_default();
    let (active, peak, _reconnects) = services.clients.counts();
    let rates = state.desk.rates(services.clock.monotonic_ms());
    let totals = services.tree.totals();
    web::Json(Overview {
        timestamp: rfc3339(now_ms),
        hub: Hub {
            version: services.hub.version,
            node: services.hub.node.clone(),
            started_at: rfc3339(state.started_ms),
            uptime_s: now_ms.saturating_sub(state.started_ms) / 1_000,
            workers: state.workers,
            store: "sqlite",
        },
        health,
        nodes: Nodes {
            total: census.values().sum(),
            online: count("online"),
            late: count("late"),
            offline: count("offline"),
        },
        connections: Connections { active, peak },
        rooms: services.rooms.occupied(),
        topics: services.broker.topics(),
        messages_per_second: rates.messages,
        deliveries_per_second: rates.deliveries,
        samples_per_second: rates.samples,
        supervision: Supervision { actors: totals.actors, restarts: totals.restarts },
    })
}

/// All metrics in the Prometheus text format.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, description = "All metrics", content_type = "application/openmetrics-text")), security(()))]
pub async fn metrics(state: web::Data<State>) -> HttpResponse {
    refresh(&state);
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(export())
}

/// Brings what is counted elsewhere into the metrics.
fn refresh(state: &State) {
    for row in state.services.tree.snapshot() {
        Gauge::Actors.set_for(row.kind, row.instances as u64);
        Gauge::MailboxDepth.set_for(row.kind, row.mailbox_depth as u64);
        Counter::Restarts.set_for(row.kind, row.restarts);
        Counter::GivenUp.set_for(row.kind, row.given_up);
        Counter::InboxRefused.set_for(row.kind, row.refused);
    }
    let store = state.store.stats();
    Gauge::StoreQueueDepth.set(store.queue_requests as u64);
    Counter::StoreCommits.set(store.commits);
    Counter::StoreRefused.set(store.requests_refused);
    Counter::StoreFailures.set(store.writer_failures);
    Gauge::Rooms.set(state.services.rooms.occupied() as u64);
    Gauge::Topics.set(state.services.broker.topics() as u64);
    if let Some(memory) = crate::telemetry::system::memory() {
        Gauge::ResidentBytes.set(memory.resident_bytes);
    }
    if let Ok(disk) = crate::telemetry::system::disk(&state.data_dir) {
        Gauge::DataDirFreeBytes.set(disk.free_bytes);
    }
}
