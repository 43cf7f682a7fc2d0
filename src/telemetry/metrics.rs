//! Every metric of the hub, one row each; exported in the Prometheus text format.
//!
//! Counting is one relaxed atomic addition. Metrics with a label take its value from a closed set
//! (codes, kinds, states), never from what a client sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{self, ConstCounter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{self, ConstGauge};
use prometheus_client::metrics::histogram;
use prometheus_client::registry::Registry;

macro_rules! rows {
    ($(#[$enum_doc:meta])* $enum:ident { $($variant:ident = $name:literal, $label:expr, $help:literal;)* }) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum { $(#[doc = $help] $variant),* }

        impl $enum {
            /// All rows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name, label key (if it has one) and help text.
            pub const fn row(self) -> (&'static str, Option<&'static str>, &'static str) {
                match self { $(Self::$variant => ($name, $label, $help)),* }
            }
        }
    };
}

rows! {
    /// What only grows. `_total` is appended on export.
    Counter {
        ConnectionsOpened = "connections_opened", None, "WebSocket connections accepted";
        ConnectionsClosed = "connections_closed", Some("cause"), "WebSocket connections closed, by cause";
        UpgradesRefused = "upgrades_refused", Some("code"), "WebSocket upgrades refused, by error code";
        FramesIn = "frames_in", None, "Data frames received from clients";
        BytesIn = "bytes_in", None, "Bytes received on WebSockets";
        BytesOut = "bytes_out", None, "Bytes written to WebSockets";
        BytesSaved = "bytes_saved", Some("how"), "Bytes that subscribers did not have to be sent, by how they were spared";
        DeflateFrames = "deflate_frames", None, "Frames compressed, once each however many sockets they went to";
        DeflateBytesIn = "deflate_bytes_in", None, "Bytes of payload before they were compressed";
        DeflateBytesOut = "deflate_bytes_out", None, "Bytes of payload after they were compressed";
        Published = "messages_published", None, "Messages taken into a topic";
        Delivered = "messages_delivered", None, "Messages handed to a subscriber's socket or outbox";
        Dropped = "messages_dropped", Some("cause"), "Messages dropped for a slow client, by cause";
        Batches = "batches", None, "Frames that carry several messages, encoded once each";
        BatchedMessages = "batched_messages", None, "Messages that left a topic together with others";
        Conflated = "messages_conflated", Some("place"), "Messages that a newer value of their key replaced, by where they waited";
        FlowsSent = "flows_sent", None, "Publishers told to slow down";
        ErrorsSent = "errors_sent", Some("code"), "Error frames sent, by code";
        Problems = "http_problems", Some("code"), "HTTP problem answers, by code";
        HttpRequests = "http_requests", Some("class"), "HTTP requests answered, by status class";
        PingsSent = "pings_sent", None, "WebSocket pings sent";
        SamplesAccepted = "samples_accepted", None, "Samples taken from agents and the sampler";
        SamplesRejected = "samples_rejected", Some("reason"), "Samples refused, by reason";
        SamplesSpilled = "samples_spilled", Some("outcome"), "Samples that met an open breaker of the store: spilled, written later, refused";
        NodeTransitions = "node_transitions", Some("state"), "Node state changes, by new state";
        SyncPuts = "sync_puts", Some("outcome"), "Writes to shared state, by outcome";
        LoginFailures = "login_failures", None, "Logins refused for wrong credentials";
        StoreCommits = "store_commits", None, "Transactions committed by the store's writer";
        StoreRefused = "store_refused", None, "Requests refused because the store's queue was full";
        StoreFailures = "store_failures", None, "Store transactions that failed";
        BreakerOpened = "breaker_opened", Some("subsystem"), "Breakers opened, by subsystem";
        BreakerRefused = "breaker_refused", Some("subsystem"), "Calls that a breaker did not let through, by subsystem";
        AlertTransitions = "alert_transitions", Some("state"), "Steps of alerts, by the state that they led to";
        AlertsTurnedAway = "alerts_turned_away", None, "Alerts that were not opened, because as many were open as may be";
        RuleSamplesDropped = "rule_samples_dropped", None, "Samples that a rule did not see, because its mailbox was full";
        RuleMomentsDropped = "rule_moments_dropped", None, "Samples of a node at one moment that did not reach the hub node that evaluates rules, because Redis was gone for too long";
        AlertsQueued = "alerts_queued", Some("outcome"), "Alerts from outside that met an open breaker: queued, refused";
        HeartbeatsSent = "heartbeats_sent", Some("outcome"), "Signs of life of the hub to whoever watches it: sent, failed, withheld because it was not well";
        Webhooks = "webhooks", Some("outcome"), "Events for webhooks: delivered, retried, given up as dead letters, dropped because too many waited for their mailbox";
        EngineOutages = "engine_outages", None, "Times that Redis was gone";
        EngineReconnects = "engine_reconnects", None, "Times that the connection on which Redis pushes broke";
        EngineGaps = "engine_gaps", Some("outcome"), "Messages of other nodes that did not come by themselves: read in Redis, or lost";
        RequestsForwarded = "requests_forwarded", Some("outcome"), "Requests that concern what another hub node owns: answered there, unreachable, moved meanwhile, owned by nobody";
        OwnershipBeatsFailed = "ownership_beats_failed", None, "Times that the database did not say which hub node owns what";
        OwnershipChanges = "ownership_changes", Some("unit"), "Times that this hub node began or ceased to own a unit, by unit";
        LoadTests = "load_tests", Some("status"), "Load tests that are over, by how they ended";
        MailboxRefused = "mailbox_refused", Some("mailbox"), "Items that a full mailbox refused, by mailbox";
        MailboxDead = "mailbox_dead", Some("mailbox"), "Items that became dead letters, by mailbox";
        MailboxExpired = "mailbox_expired", Some("mailbox"), "Items that nobody took in time, by mailbox";
        InboxRefused = "supervision_inbox_refused", Some("kind"), "Messages refused because an actor's mailbox was full, by kind";
        Restarts = "supervision_restarts", Some("kind"), "Actor restarts after a crash, by kind";
        FaultScenarios = "fault_scenarios", Some("scenario"), "Fault scenarios of the Reliability Lab that were enabled, by name";
        FaultsInjected = "faults_injected", Some("scenario"), "Times that a fault scenario took effect: a frame dropped, a write refused";
        GivenUp = "supervision_given_up", Some("kind"), "Actors given up after too many crashes, by kind";
    }
}

rows! {
    /// What goes up and down.
    Gauge {
        ConnectionsActive = "connections_active", None, "Open WebSocket connections";
        ConnectionsByFormat = "connections_by_format", Some("format"), "Open WebSocket connections, by encoding and compression";
        PollsWaiting = "polls_waiting", None, "Long polls that wait for messages";
        SseStreams = "sse_streams", None, "Open streams of Server-Sent Events";
        Topics = "topics", None, "Topics that exist";
        AlertsOpen = "alerts_open", None, "Alerts that are not resolved, pending ones included";
        Rules = "rules", None, "Rules that are evaluated";
        Rooms = "rooms", None, "Rooms with members";
        Nodes = "nodes", Some("state"), "Known nodes, by state";
        Actors = "supervision_actors", Some("kind"), "Running actors, by kind";
        MailboxDepth = "supervision_mailbox_depth", Some("kind"), "Messages waiting in actor mailboxes, by kind";
        MailboxWaiting = "mailbox_waiting", Some("lane"), "Items that wait in mailboxes for a worker, by mailbox and priority";
        MailboxDeadLetters = "mailbox_dead_letters", Some("mailbox"), "Dead letters that are kept, by mailbox";
        StoreQueueDepth = "store_queue_depth", None, "Requests waiting for the store's writer";
        EngineUp = "engine_up", None, "Whether the way through Redis and back is good, of a hub that has one: 0 or 1";
        OwnedUnits = "owned_units", Some("unit"), "Whether this hub node owns the unit, of one that shares a store: 0 or 1";
        BreakerState = "breaker_state", Some("subsystem"), "State of a breaker: 0 closed, 1 half open, 2 open";
        EventLoopLagMs = "event_loop_lag_ms", None, "Lag of the worst event loop, milliseconds";
        ResidentBytes = "process_resident_memory_bytes", None, "Resident memory of the hub";
        FaultsActive = "fault_scenarios_active", None, "Fault scenarios of the Reliability Lab that are active";
        DataDirFreeBytes = "data_dir_free_bytes", None, "Free space in the data directory";
    }
}

rows! {
    /// Distributions of durations in seconds.
    Histogram {
        DeliverySeconds = "delivery_seconds", None, "Time from the hub's acceptance of a message to its hand-over to the sockets of a worker";
        AlertSeconds = "alert_seconds", None, "Time from the arrival of a sample to the hand-over of the alert that it caused, committed, to the sockets of its subscribers";
        HttpSeconds = "http_request_seconds", None, "Time to answer an HTTP request";
        StoreCommitSeconds = "store_commit_seconds", None, "Time of one group commit";
    }
}

/// Bounds of the duration buckets, in seconds.
const BUCKETS_S: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Default)]
struct Cell {
    plain: AtomicU64,
    labelled: RwLock<BTreeMap<&'static str, Arc<AtomicU64>>>,
}

struct Cells {
    counters: Vec<Cell>,
    gauges: Vec<Cell>,
    histograms: Vec<histogram::Histogram>,
}

fn cells() -> &'static Cells {
    static CELLS: OnceLock<Cells> = OnceLock::new();
    CELLS.get_or_init(|| Cells {
        counters: Counter::ALL.iter().map(|_| Cell::default()).collect(),
        gauges: Gauge::ALL.iter().map(|_| Cell::default()).collect(),
        histograms: Histogram::ALL.iter().map(|_| histogram::Histogram::new(BUCKETS_S)).collect(),
    })
}

impl Cell {
    fn labelled(&self, value: &'static str) -> Arc<AtomicU64> {
        if let Some(cell) = self.labelled.read().get(value) {
            return cell.clone();
        }
        self.labelled.write().entry(value).or_default().clone()
    }
}

impl Counter {
    /// Adds to a counter without a label.
    pub fn add(self, n: u64) {
        if let Some(cell) = cells().counters.get(self as usize) {
            cell.plain.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Adds to one label value.
    pub fn add_for(self, label: &'static str, n: u64) {
        if let Some(cell) = cells().counters.get(self as usize) {
            cell.labelled(label).fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Sets a counter without a label that is counted elsewhere (the store keeps its own counts).
    pub fn set(self, n: u64) {
        if let Some(cell) = cells().counters.get(self as usize) {
            cell.plain.store(n, Ordering::Relaxed);
        }
    }

    /// Sets one label value that is counted elsewhere (supervision keeps its own counts).
    pub fn set_for(self, label: &'static str, n: u64) {
        if let Some(cell) = cells().counters.get(self as usize) {
            cell.labelled(label).store(n, Ordering::Relaxed);
        }
    }

    /// The sum over all labels.
    pub fn total(self) -> u64 {
        let Some(cell) = cells().counters.get(self as usize) else { return 0 };
        let labelled: u64 = cell.labelled.read().values().map(|c| c.load(Ordering::Relaxed)).sum();
        cell.plain.load(Ordering::Relaxed) + labelled
    }

    /// The count of each label value.
    pub fn by_label(self) -> BTreeMap<&'static str, u64> {
        let Some(cell) = cells().counters.get(self as usize) else { return BTreeMap::new() };
        cell.labelled.read().iter().map(|(k, v)| (*k, v.load(Ordering::Relaxed))).collect()
    }
}

impl Gauge {
    /// Sets a gauge without a label.
    pub fn set(self, n: u64) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.plain.store(n, Ordering::Relaxed);
        }
    }

    /// Raises a gauge by one.
    pub fn up(self) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.plain.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lowers a gauge by one.
    pub fn down(self) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.plain.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Sets one label value.
    pub fn set_for(self, label: &'static str, n: u64) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.labelled(label).store(n, Ordering::Relaxed);
        }
    }

    /// Raises one label value by one.
    pub fn up_for(self, label: &'static str) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.labelled(label).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lowers one label value by one.
    pub fn down_for(self, label: &'static str) {
        if let Some(cell) = cells().gauges.get(self as usize) {
            cell.labelled(label).fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The value of one label value; 0 when it was never set.
    pub fn get_for(self, label: &str) -> u64 {
        let Some(cell) = cells().gauges.get(self as usize) else { return 0 };
        cell.labelled.read().get(label).map_or(0, |c| c.load(Ordering::Relaxed))
    }

    /// The value of a gauge without a label.
    pub fn get(self) -> u64 {
        cells().gauges.get(self as usize).map_or(0, |c| c.plain.load(Ordering::Relaxed))
    }
}

impl Histogram {
    /// Records a duration in seconds.
    pub fn record_s(self, seconds: f64) {
        if let Some(histogram) = cells().histograms.get(self as usize) {
            histogram.observe(seconds);
        }
    }
}

/// All metrics in the Prometheus text format.
pub fn export() -> String {
    let mut registry = Registry::with_prefix("infrawatch");
    for (row, cell) in Counter::ALL.iter().zip(&cells().counters) {
        let (name, label, help) = row.row();
        match label {
            None => registry.register(name, help, ConstCounter::new(cell.plain.load(Ordering::Relaxed))),
            Some(label) => {
                let family = Family::<LabelSet, counter::Counter>::default();
                for (value, n) in labelled_values(cell) {
                    family.get_or_create(&vec![(label, value)]).inc_by(n);
                }
                registry.register(name, help, family);
            }
        }
    }
    for (row, cell) in Gauge::ALL.iter().zip(&cells().gauges) {
        let (name, label, help) = row.row();
        match label {
            None => {
                registry.register(name, help, ConstGauge::new(signed(cell.plain.load(Ordering::Relaxed))));
            }
            Some(label) => {
                let family = Family::<LabelSet, gauge::Gauge>::default();
                for (value, n) in labelled_values(cell) {
                    family.get_or_create(&vec![(label, value)]).set(signed(n));
                }
                registry.register(name, help, family);
            }
        }
    }
    for (row, histogram) in Histogram::ALL.iter().zip(&cells().histograms) {
        let (name, _, help) = row.row();
        registry.register(name, help, histogram.clone());
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

type LabelSet = Vec<(&'static str, &'static str)>;

fn labelled_values(cell: &Cell) -> Vec<(&'static str, u64)> {
    cell.labelled.read().iter().map(|(k, v)| (*k, v.load(Ordering::Relaxed))).collect()
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_units_are_last() {
        let counters = Counter::ALL.iter().map(|c| c.row().0);
        let gauges = Gauge::ALL.iter().map(|g| g.row().0);
        let mut names: Vec<_> =
            counters.chain(gauges).chain(Histogram::ALL.iter().map(|h| h.row().0)).collect();
        let n = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n);
        assert!(Histogram::ALL.iter().all(|h| h.row().0.ends_with("_seconds")));
    }

    #[test]
    fn the_export_has_plain_and_labelled_values() {
        Counter::Problems.add_for("not_found", 2);
        Counter::Problems.add_for("overloaded", 1);
        Counter::PingsSent.add(1);
        let text = export();
        assert_eq!(
            text.matches("# TYPE infrawatch_http_problems counter").count(),
            1,
            "one family, one head"
        );
        assert!(text.contains("infrawatch_http_problems_total{code=\"not_found\"}"), "{text}");
        assert!(text.contains("# HELP infrawatch_pings_sent WebSocket pings sent"), "{text}");
    }
}
