//! Samples in: every door's samples are checked here, written to the store, and handed to their node.
//!
//! - [`frame`]: the `metrics` frame of agents (pure)
//! - [`sample`]: what makes a sample acceptable (pure)
//! - [`spill`]: what waits in memory while the store is given a rest
//! - [`journal`]: what waits on disk while the server of a hub on PostgreSQL is gone
//! - [`pressure`]: when senders are to slow down (pure)
//! - [`sampler`]: the actor that samples the hub's own host

pub mod frame;
pub mod journal;
pub mod pressure;
pub mod sample;
pub mod sampler;
pub mod spill;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::breaker::{Breakers, Subsystem};
use crate::clock::Clock;
use crate::config::IngestSection;
use crate::ids::NodeName;
use crate::node::{Batch, Fleet, FleetError};
use crate::protocol::codes::Code;
use crate::store::{Reply, Store};
use crate::telemetry::{Cause, Counter};

pub use frame::{MetricsFrame, Parsed};
pub use journal::Journal;
pub use sample::Reason;
pub use sampler::SamplerActor;
pub use spill::Spilled;

use pressure::{Level, Pressure};
use spill::{Spill, weight};
use waiting::{Waiting, is_outage};

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
    found_room: bool,
    ingest: Ingest,
}

/// A batch on its way to the store.
enum Write {
    Sent(Reply<()>),
    /// Goes to the journal when the server is gone.
    Guarded(Reply<()>, NodeName, Batch),
    /// Waits for the store; told when it may be acknowledged.
    Waits(oneshot::Receiver<()>),
    /// There was no room for it to wait.
    Refused,
}

impl Receipt {
    /// Waits for the store: true when every accepted sample is committed, or in the journal.
    pub async fn durable(&mut self) -> bool {
        let mut durable = true;
        for write in self.writes.drain(..) {
            let write = match write {
                Write::Guarded(reply, node, batch) => match reply.await {
                    Err(error) if is_outage(&error) => self.ingest.0.waiting.push(&node, &batch),
                    written => {
                        durable &= written.is_ok();
                        continue;
                    }
                },
                write => write,
            };
            let waits = matches!(write, Write::Waits(_) | Write::Refused);
            let is_kept = write.told().await;
            self.found_room &= is_kept || !waits;
            durable &= is_kept;
        }
        durable
    }

    /// Whether what was to wait for the store found room, when [`Receipt::durable`] has answered.
    pub fn found_room(&self) -> bool {
        self.found_room
    }
}

impl Write {
    async fn told(self) -> bool {
        match self {
            Self::Sent(reply) | Self::Guarded(reply, ..) => reply.await.is_ok(),
            Self::Waits(done) => done.await.is_ok(),
            Self::Refused => false,
        }
    }
}

/// The door that all samples go through. Cheap to clone.
#[derive(Clone)]
pub struct Ingest(Arc<Shared>);

struct Shared {
    fleet: Fleet,
    store: Store,
    breakers: Breakers,
    waiting: Waiting,
    /// Journaled batches that are replayed a second.
    replay_hz: u64,
    pressure: Mutex<Pressure>,
    /// Whether senders are to be slow.
    slow: watch::Sender<bool>,
    /// Held by whoever writes out what waits.
    releasing: tokio::sync::Mutex<()>,
    settings: IngestSection,
    clock: Clock,
}

impl Ingest {
    /// A door to this fleet. `journal` of a hub whose store is a server, with the batches of it that are replayed a second.
    pub fn new(
        fleet: Fleet,
        store: Store,
        breakers: Breakers,
        settings: IngestSection,
        clock: Clock,
        journal: Option<(Journal, u64)>,
    ) -> Self {
        let spill = || Waiting::Memory(Spill::new(breakers.settings().spill_bytes_max, clock.clone()));
        let (waiting, replay_hz) =
            journal.map_or_else(|| (spill(), 0), |(journal, hz)| (Waiting::Disk(journal.into()), hz));
        let (pressure, slow, releasing) = Default::default();
        let shared =
            Shared { fleet, store, breakers, waiting, replay_hz, pressure, slow, releasing, settings, clock };
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
        let batches = report.batches.clone();
        // Its node first: what that has no room for is refused, and must not take a place of the store's for nothing.
        self.0.fleet.report(node, report, cause)?;
        let writes = batches.into_iter().map(|batch| self.write_or_wait(node, batch)).collect();
        Counter::SamplesAccepted.add(accepted);
        Ok(Receipt { accepted, rejected, writes, found_room: true, ingest: self.clone() })
    }

    fn write_or_wait(&self, node: &NodeName, batch: Batch) -> Write {
        let Ok(call) = self.0.breakers.enter(Subsystem::Store) else {
            return self.0.waiting.push(node, &batch);
        };
        call.sent();
        let reply = self.0.append(node, &batch);
        match self.0.waiting {
            Waiting::Memory(_) => Write::Sent(reply),
            Waiting::Disk(_) => Write::Guarded(reply, node.clone(), batch),
        }
    }

    /// Writes out what waits, oldest first, as far as the store's breaker lets it. Does nothing when
    /// somebody is at it.
    pub async fn release(&self) {
        let Ok(_releasing) = self.0.releasing.try_lock() else { return };
        self.0.release().await;
    }

    /// Looks at how much waits for the store, and for how long. Whoever follows [`Ingest::slow`] is told.
    pub fn look_at_pressure(&self) {
        let (spilled, backlog) = (self.0.waiting.depth(), self.0.store.backlog());
        let filled = 100 * spilled.bytes as u64 / spilled.bytes_max.max(1) as u64;
        let level = Level {
            age_ms: self.0.waiting.age_ms().max(backlog.group_ms),
            fill_percent: filled.max(backlog.fill_percent),
        };
        let slow = self.0.pressure.lock().observe(level);
        if self.0.slow.send_if_modified(|was_slow| std::mem::replace(was_slow, slow) != slow) {
            tracing::warn!(slow, level.age_ms, level.fill_percent, "senders of samples are told their pace");
        }
        self.0.waiting.gauge();
    }

    /// Whether senders are to be slow.
    pub fn is_slow(&self) -> bool {
        *self.0.slow.borrow()
    }

    /// Whether senders are to be slow, and when that changes.
    pub fn slow(&self) -> watch::Receiver<bool> {
        self.0.slow.subscribe()
    }

    /// Whether these find a place: in the store, or where they wait for it.
    pub fn has_room<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> bool {
        self.0.breakers.is_closed(Subsystem::Store) || self.0.waiting.fits(batches.map(weight).sum())
    }

    /// What waits for the store.
    pub fn spilled(&self) -> Spilled {
        self.0.waiting.depth()
    }

    /// Wall time, unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.0.clock.unix_ms()
    }
}
