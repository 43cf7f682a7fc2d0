//! Samples in: every door's samples are checked here, written to the store, and handed to their node.
//!
//! - [`frame`]: the `metrics` frame of agents (pure)
//! - [`sample`]: what makes a sample acceptable (pure)
//! - [`spill`]: what waits while the store is given a rest
//! - [`pressure`]: when senders are to slow down (pure)
//! - [`sampler`]: the actor that samples the hub's own host

pub mod frame;
pub mod pressure;
pub mod sample;
pub mod sampler;
pub mod spill;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::breaker::{Breakers, Subsystem};
use crate::clock::Clock;
use crate::config::IngestSection;
use crate::ids::NodeName;
use crate::node::{Batch, Fleet, FleetError, Report};
use crate::protocol::codes::Code;
use crate::store::{Reply, Store};
use crate::telemetry::{Cause, Counter};

pub use frame::{MetricsFrame, Parsed};
pub use sample::Reason;
pub use sampler::SamplerActor;
pub use spill::Spilled;

use pressure::{Level, Pressure};
use spill::{Full, Held, Spill, weight};

/// Spilled batches that are written at once.
const RELEASE_PART_MAX: usize = 256;

/// Why a whole report was refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IngestError {
    /// The node's name breaks the rules.
    #[error(transparent)]
    Name(#[from] crate::ids::IdError),
    /// A part of the frame is not as it must be.
    #[error("{0}")]
    Invalid(String),
    /// The node could not take it.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

impl IngestError {
    /// Row of the table of codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Name(_) => Code::InvalidName,
            Self::Invalid(_) => Code::InvalidField,
            Self::Fleet(error) => error.code(),
        }
    }
}

/// What became of a report, before the store has answered.
#[must_use]
pub struct Receipt {
    /// Samples taken.
    pub accepted: u64,
    /// Samples refused, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    writes: Vec<Write>,
}

/// A batch on its way to the store.
enum Write {
    Sent(Reply<()>),
    /// Waits for the store's breaker to close; told when it is committed.
    Spilled(oneshot::Receiver<()>),
    /// There was no room for it to wait.
    Refused,
}

impl Receipt {
    /// Waits for the store: true when every accepted sample is committed.
    pub async fn durable(&mut self) -> bool {
        let mut durable = true;
        for write in self.writes.drain(..) {
            durable &= match write {
                Write::Sent(reply) => reply.await.is_ok(),
                Write::Spilled(committed) => committed.await.is_ok(),
                Write::Refused => false,
            };
        }
        durable
    }
}

/// The door that all samples go through. Cheap to clone.
#[derive(Clone)]
pub struct Ingest(Arc<Shared>);

struct Shared {
    fleet: Fleet,
    store: Store,
    breakers: Breakers,
    spill: Spill,
    pressure: Mutex<Pressure>,
    /// Whether senders are to be slow.
    slow: watch::Sender<bool>,
    /// Held by whoever writes out what was spilled.
    releasing: tokio::sync::Mutex<()>,
    settings: IngestSection,
    clock: Clock,
}

impl Ingest {
    /// A door to this fleet.
    pub fn new(
        fleet: Fleet,
        store: Store,
        breakers: Breakers,
        settings: IngestSection,
        clock: Clock,
    ) -> Self {
        let spill = Spill::new(breakers.settings().spill_bytes_max, clock.clone());
        let (pressure, slow, releasing) = Default::default();
        let shared = Shared { fleet, store, breakers, spill, pressure, slow, releasing, settings, clock };
        Self(Arc::new(shared))
    }

    /// The bounds that frames are checked against.
    pub fn settings(&self) -> &IngestSection {
        &self.0.settings
    }

    /// Takes a checked report: to the store and to its node.
    pub fn submit(&self, node: &NodeName, parsed: Parsed, cause: &Cause) -> Result<Receipt, IngestError> {
        let Parsed { report, accepted, rejected } = parsed;
        for (reason, count) in &rejected {
            Counter::SamplesRejected.add_for(reason.as_str(), *count);
        }
        let writes = self.write(node, &report);
        self.0.fleet.report(node, report, cause)?;
        Counter::SamplesAccepted.add(accepted);
        Ok(Receipt { accepted, rejected, writes })
    }

    fn write(&self, node: &NodeName, report: &Report) -> Vec<Write> {
        report.batches.iter().map(|batch| self.write_or_spill(node, batch)).collect()
    }

    fn write_or_spill(&self, node: &NodeName, batch: &Batch) -> Write {
        if let Ok(call) = self.0.breakers.enter(Subsystem::Store) {
            call.sent();
            return Write::Sent(self.append(node, batch));
        }
        match self.0.spill.push(node.clone(), batch.clone()) {
            Ok(committed) => {
                Counter::SamplesSpilled.add_for("spilled", batch.values.len() as u64);
                Write::Spilled(committed)
            }
            Err(Full) => {
                Counter::SamplesSpilled.add_for("refused", batch.values.len() as u64);
                Write::Refused
            }
        }
    }

    fn append(&self, node: &NodeName, batch: &Batch) -> Reply<()> {
        self.0.store.append_frame(node.as_str(), batch.unix_ms, batch.columns.clone(), &batch.values)
    }

    /// Writes out what was spilled, oldest first, as far as the store's breaker lets it. Does nothing when
    /// somebody is at it.
    pub async fn release(&self) {
        let Ok(_releasing) = self.0.releasing.try_lock() else { return };
        loop {
            let part = self.take_part();
            if part.is_empty() {
                return;
            }
            let replies: Vec<_> =
                part.iter().map(|held| self.append(&held.payload.node, &held.payload.batch)).collect();
            let mut left = Vec::new();
            for (held, reply) in part.into_iter().zip(replies) {
                match reply.await {
                    Ok(()) => {
                        let samples = held.payload.batch.values.len() as u64;
                        Counter::SamplesSpilled.add_for("written", samples);
                        self.0.spill.committed(&held.lease);
                    }
                    Err(_counted_by_the_store) => left.push(held.lease),
                }
            }
            if !left.is_empty() {
                return self.0.spill.put_back(&left);
            }
        }
    }

    /// As many of the oldest as may be written at once: what the breaker lets through.
    fn take_part(&self) -> Vec<Held> {
        let (spill, mut room) = (&self.0.spill, 0);
        let waiting = spill.waiting().min(RELEASE_PART_MAX);
        while room < waiting {
            let Ok(call) = self.0.breakers.enter(Subsystem::Store) else { break };
            call.sent();
            room += 1;
        }
        spill.take(room)
    }

    /// Looks at how much waits for the store, and for how long. Whoever follows [`Ingest::slow`] is told.
    pub fn look_at_pressure(&self) {
        let (spilled, backlog) = (self.0.spill.depth(), self.0.store.backlog());
        let filled = 100 * spilled.bytes as u64 / spilled.bytes_max.max(1) as u64;
        let level = Level {
            age_ms: self.0.spill.age_ms().max(backlog.group_ms),
            fill_percent: filled.max(backlog.fill_percent),
        };
        let slow = self.0.pressure.lock().observe(level);
        if self.0.slow.send_if_modified(|was_slow| std::mem::replace(was_slow, slow) != slow) {
            tracing::warn!(slow, level.age_ms, level.fill_percent, "senders of samples are told their pace");
        }
        self.0.spill.gauge();
    }

    /// Whether senders are to be slow, and when that changes.
    pub fn slow(&self) -> watch::Receiver<bool> {
        self.0.slow.subscribe()
    }

    /// Whether these find a place: in the store, or where they wait for it.
    pub fn has_room<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> bool {
        self.0.breakers.is_closed(Subsystem::Store) || self.0.spill.fits(batches.map(weight).sum())
    }

    /// What waits for the store's breaker to close.
    pub fn spilled(&self) -> Spilled {
        self.0.spill.depth()
    }

    /// Wall time, unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.0.clock.unix_ms()
    }
}
