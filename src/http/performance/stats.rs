//! Uptime, clients, and what has been counted since the start.

use std::collections::BTreeMap;

use actix_web::web;
use serde::Serialize;

use crate::clock::rfc3339;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::telemetry::Counter;

/// The counts.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PerformanceStats)]
pub struct Stats {
    /// When this was so, RFC 3339.
    pub timestamp: String,
    /// Version of the program.
    pub version: &'static str,
    /// When the hub started, RFC 3339.
    pub started_at: String,
    /// How long it has been running.
    pub uptime_s: u64,
    /// Worker threads.
    pub workers: usize,
    /// Connections.
    pub connections: Connections,
    /// Rooms with members.
    pub rooms: usize,
    /// Topics that exist.
    pub topics: usize,
    /// Nodes by state.
    pub nodes: BTreeMap<&'static str, usize>,
    /// Subscriptions of open connections.
    pub subscriptions: usize,
    /// Data frames received since the start.
    pub frames_in: u64,
    /// Messages taken into topics a second.
    pub messages_per_second: f64,
    /// Messages handed to sockets a second.
    pub deliveries_per_second: f64,
    /// Samples taken a second.
    pub samples_per_second: f64,
    /// Requests since the start.
    pub http: Http,
}

/// Connections.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionTotals)]
pub struct Connections {
    /// Open now.
    pub active: usize,
    /// Most at once since the start.
    pub peak: usize,
    /// Opened since the start.
    pub opened: u64,
    /// Closed since the start, by cause.
    pub closed: BTreeMap<&'static str, u64>,
    /// How often a client came back.
    pub reconnects: u64,
}

/// Requests since the start.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = HttpTotals)]
pub struct Http {
    /// By class of the status.
    pub requests: BTreeMap<&'static str, u64>,
    /// Refusals by code.
    pub problems: BTreeMap<&'static str, u64>,
}

/// Uptime, clients, and what has been counted since the start.
#[utoipa::path(get, path = "/api/v1/performance/stats", tag = "performance",
    responses((status = 200, body = Stats, description = "The counts"), crate::http::openapi::Refused))]
pub async fn stats(state: web::Data<State>, asked: Asked) -> web::Json<Stats> {
    let services = &state.services;
    let depths = state.shards.depths(&asked.0).await;
    let (active, peak, reconnects) = services.clients.counts();
    let rates = state.desk.rates(services.clock.monotonic_ms());
    let now_ms = services.clock.unix_ms();
    web::Json(Stats {
        timestamp: rfc3339(now_ms),
        version: services.hub.version,
        started_at: rfc3339(state.started_ms),
        uptime_s: now_ms.saturating_sub(state.started_ms) / 1_000,
        workers: state.workers,
        connections: Connections {
            active,
            peak,
            opened: Counter::ConnectionsOpened.total(),
            closed: Counter::ConnectionsClosed.by_label(),
            reconnects,
        },
        rooms: services.rooms.occupied(),
        topics: services.broker.topics(),
        nodes: state.fleet.census(),
        subscriptions: depths.iter().map(|depths| depths.subscriptions).sum(),
        frames_in: Counter::FramesIn.total(),
        messages_per_second: rates.messages,
        deliveries_per_second: rates.deliveries,
        samples_per_second: rates.samples,
        http: Http { requests: Counter::HttpRequests.by_label(), problems: Counter::Problems.by_label() },
    })
}
