//! How the hub performs: queues, memory, pools, breakers, delivery, bandwidth, latency, at one glance.

pub mod cache;
pub mod stats;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::breakers::{self, Breaker};
use super::operations;
use super::state::State;
use super::trace::Asked;
use crate::clock::rfc3339;
use crate::connection::shard_actor::ShardDepths;
use crate::protocol::priority::Priority;
use crate::telemetry::Counter;
use crate::telemetry::latency::{Percentiles, WINDOW_S};
use crate::topic::outlet::DELIVERIES_MAX;

/// Everything at one moment.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = PerformanceSnapshot)]
pub struct Snapshot {
    /// When this was so, RFC 3339.
    pub timestamp: String,
    /// How long the hub has been running.
    pub uptime_s: u64,
    /// What waits.
    pub queues: Queues,
    /// Memory; null where the system does not tell.
    pub memory: Option<Memory>,
    /// What is shared by all.
    pub pools: Pools,
    /// Breakers, in the order of their table.
    pub breakers: Vec<Breaker>,
    /// What was delivered, and what was not.
    pub delivery: Delivery,
    /// Bytes, and those that were spared.
    pub bandwidth: Bandwidth,
    /// From the hub's acceptance of a message to the sockets.
    pub latency: Latency,
}

/// What waits.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Queues {
    /// For clients, in the outboxes of connections.
    pub outboxes: Outboxes,
    /// In topics: for a flush, a commit, or a worker to take it.
    pub topics: Pending,
    /// All that is under way to sockets, and its bound.
    pub in_flight: InFlight,
}

/// Outboxes of all connections.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Outboxes {
    /// Open connections.
    pub connections: usize,
    /// Those for which something waits.
    pub waiting_connections: usize,
    /// Bytes that wait.
    pub bytes: usize,
    /// The same by urgency.
    pub by_priority: ByPriority<Lane>,
    /// Pings, closes, `lagged`.
    pub control: Lane,
}

/// One value an urgency.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ByPriority<T> {
    /// Leaves at once.
    pub critical: T,
    /// Held back for a moment.
    pub normal: T,
    /// Held back longest, and first to go.
    pub low: T,
}

/// What waits in one lane.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
pub struct Lane {
    /// Frames.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// Messages that topics have taken and workers have not.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Pending {
    /// By urgency.
    pub by_priority: ByPriority<usize>,
    /// All.
    pub pending: usize,
}

/// What is under way.
#[derive(Serialize, utoipa::ToSchema)]
pub struct InFlight {
    /// Messages.
    pub messages: usize,
    /// How many may be.
    pub messages_max: usize,
}

/// Memory, in bytes.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Memory {
    /// What the hub holds.
    pub resident_bytes: u64,
    /// What the machine could still give.
    pub available_bytes: u64,
    /// What the machine has.
    pub total_bytes: u64,
}

/// What is shared by all.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Pools {
    /// Worker threads.
    pub workers: Vec<Worker>,
    /// The store's writer and its queue.
    pub store: StorePool,
    /// Mailboxes by kind of actor.
    pub mailboxes: Vec<Mailbox>,
}

/// One worker thread.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Worker {
    /// Its number.
    pub worker: usize,
    /// Deliveries that it has not taken yet.
    pub outlet_depth: usize,
    /// How many may wait.
    pub outlet_depth_max: usize,
    /// How late its event loop is; null before the first measurement.
    pub lag_ms: Option<u64>,
}

/// The store's writer and its queue.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StorePool {
    /// Requests that wait.
    pub queue_requests: usize,
    /// How many may wait.
    pub queue_requests_max: usize,
    /// Their weight.
    pub queue_bytes: usize,
    /// Transactions since the start.
    pub commits: u64,
    /// Requests that found the queue full.
    pub requests_refused: u64,
    /// Requests that failed.
    pub requests_failed: u64,
    /// Whether the writer has its file open.
    pub writer_running: bool,
}

/// The mailboxes of a kind of actor.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Mailbox {
    /// The kind.
    pub kind: &'static str,
    /// How many there are.
    pub instances: usize,
    /// Messages that wait in all of them.
    pub depth: usize,
    /// How many may wait in all of them.
    pub depth_max: usize,
    /// Messages refused since the start.
    pub refused: u64,
}

/// What was delivered since the start, and what was not.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// Messages taken into topics.
    pub published: u64,
    /// Messages handed to sockets.
    pub delivered: u64,
    /// Messages taken into topics a second.
    pub messages_per_second: f64,
    /// Messages handed to sockets a second.
    pub deliveries_per_second: f64,
    /// Messages dropped, by cause.
    pub dropped: BTreeMap<&'static str, u64>,
    /// All of them.
    pub dropped_total: u64,
    /// Messages that a newer value of their key replaced.
    pub conflated: u64,
    /// Frames with several messages, encoded once each.
    pub batches: u64,
    /// Messages in them.
    pub batched_messages: u64,
}

/// Bytes on WebSockets since the start.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Bandwidth {
    /// Received.
    pub bytes_in: u64,
    /// Written.
    pub bytes_out: u64,
    /// What subscribers did not have to be sent.
    pub saved_bytes: u64,
    /// The same by how it was spared.
    pub saved_by: BTreeMap<&'static str, u64>,
    /// Of what would have been written without.
    pub saved_percent: f64,
}

/// From the hub's acceptance of a message to the sockets, once a bundle and worker.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Latency {
    /// Over the last so many seconds.
    pub window_s: u64,
    /// Of the figures.
    pub unit: &'static str,
    /// By urgency; null where nothing was delivered.
    pub by_priority: ByPriority<Option<Percentiles>>,
}

/// Everything at one moment.
#[utoipa::path(get, path = "/api/v1/performance/snapshot", tag = "performance",
    responses((status = 200, body = Snapshot, description = "The figures"), super::openapi::Refused))]
pub async fn snapshot(state: web::Data<State>, asked: Asked) -> web::Json<Snapshot> {
    let services = &state.services;
    let depths = state.shards.depths(&asked.0).await;
    let now_ms = services.clock.unix_ms();
    web::Json(Snapshot {
        timestamp: rfc3339(now_ms),
        uptime_s: now_ms.saturating_sub(state.started_ms) / 1_000,
        queues: queues(&state, &depths),
        memory: crate::telemetry::system::memory().map(|memory| Memory {
            resident_bytes: memory.resident_bytes,
            available_bytes: memory.available_bytes,
            total_bytes: memory.total_bytes,
        }),
        pools: pools(&state, &depths),
        breakers: breakers::all(&state),
        delivery: delivery(&state),
        bandwidth: bandwidth(),
        latency: latency(&state),
    })
}

/// All metrics in the Prometheus text format, as `/metrics` has them.
#[utoipa::path(get, path = "/api/v1/performance/prometheus", tag = "performance",
    responses((status = 200, body = String, description = "All metrics", content_type = "application/openmetrics-text"), super::openapi::Refused))]
pub async fn prometheus(state: web::Data<State>) -> HttpResponse {
    operations::metrics(state).await
}

fn by_priority<T>(of: impl Fn(Priority) -> T) -> ByPriority<T> {
    ByPriority { critical: of(Priority::Critical), normal: of(Priority::Normal), low: of(Priority::Low) }
}

fn queues(state: &State, depths: &[ShardDepths]) -> Queues {
    let lane = |index: usize| {
        let lanes = depths.iter().filter_map(|depths| depths.lanes.get(index));
        let (messages, bytes) = lanes.fold((0, 0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1));
        Lane { messages, bytes }
    };
    let control = lane(3);
    let lanes = by_priority(|priority| lane(priority.index()));
    let bytes = [lanes.critical, lanes.normal, lanes.low, control].iter().map(|lane| lane.bytes).sum();
    let admission = state.services.broker.admission();
    let pending = admission.by_priority();
    Queues {
        outboxes: Outboxes {
            connections: depths.iter().map(|depths| depths.connections).sum(),
            waiting_connections: depths.iter().map(|depths| depths.waiting).sum(),
            bytes,
            by_priority: lanes,
            control,
        },
        topics: Pending {
            by_priority: by_priority(|priority| pending[priority.index()]),
            pending: pending.iter().sum(),
        },
        in_flight: InFlight { messages: admission.under_way(), messages_max: admission.messages_max() },
    }
}

fn pools(state: &State, depths: &[ShardDepths]) -> Pools {
    let lag = state.desk.lag.each(state.services.clock.monotonic_ms());
    let mut workers: Vec<Worker> = depths
        .iter()
        .map(|depths| Worker {
            worker: depths.worker,
            outlet_depth: depths.outlet,
            outlet_depth_max: DELIVERIES_MAX,
            lag_ms: lag.get(format!("worker-{}", depths.worker).as_str()).copied(),
        })
        .collect();
    workers.sort_by_key(|worker| worker.worker);
    let store = state.store.stats();
    let rows = state.services.tree.snapshot().into_iter();
    Pools {
        workers,
        store: StorePool {
            queue_requests: store.queue_requests,
            queue_requests_max: state.store_settings.queue_max,
            queue_bytes: store.queue_bytes,
            commits: store.commits,
            requests_refused: store.requests_refused,
            requests_failed: store.requests_failed,
            writer_running: store.writer_running,
        },
        mailboxes: rows
            .map(|row| Mailbox {
                kind: row.kind,
                instances: row.instances,
                depth: row.mailbox_depth,
                depth_max: row.queue_bound * row.instances,
                refused: row.refused,
            })
            .collect(),
    }
}

fn delivery(state: &State) -> Delivery {
    let rates = state.desk.rates(state.services.clock.monotonic_ms());
    Delivery {
        published: Counter::Published.total(),
        delivered: Counter::Delivered.total(),
        messages_per_second: rates.messages,
        deliveries_per_second: rates.deliveries,
        dropped: Counter::Dropped.by_label(),
        dropped_total: Counter::Dropped.total(),
        conflated: Counter::Conflated.total(),
        batches: Counter::Batches.total(),
        batched_messages: Counter::BatchedMessages.total(),
    }
}

fn bandwidth() -> Bandwidth {
    let (bytes_out, saved_bytes) = (Counter::BytesOut.total(), Counter::BytesSaved.total());
    let without = (bytes_out + saved_bytes).max(1);
    Bandwidth {
        bytes_in: Counter::BytesIn.total(),
        bytes_out,
        saved_bytes,
        saved_by: Counter::BytesSaved.by_label(),
        saved_percent: (saved_bytes as f64 / without as f64 * 1_000.0).round() / 10.0,
    }
}

fn latency(state: &State) -> Latency {
    let now_ms = state.services.clock.monotonic_ms();
    let of = |priority| state.services.latency.percentiles(priority, now_ms);
    Latency { window_s: WINDOW_S, unit: "ms", by_priority: by_priority(of) }
}
