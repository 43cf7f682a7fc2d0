//! Samples in: every door's samples are checked here, written to the store, and handed to their node.
//!
//! - [`frame`]: the `metrics` frame of agents (pure)
//! - [`sample`]: what makes a sample acceptable (pure)
//! - [`sampler`]: the actor that samples the hub's own host

pub mod frame;
pub mod sample;
pub mod sampler;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::IngestSection;
use crate::ids::NodeName;
use crate::node::{Fleet, FleetError, Report};
use crate::protocol::codes::Code;
use crate::store::{Reply, Store};
use crate::telemetry::{Cause, Counter};

pub use frame::{MetricsFrame, Parsed};
pub use sample::Reason;
pub use sampler::SamplerActor;

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
    writes: Vec<Reply<()>>,
}

impl Receipt {
    /// Waits for the store: true when every accepted sample is committed.
    pub async fn durable(&mut self) -> bool {
        let mut durable = true;
        for write in self.writes.drain(..) {
            durable &= write.await.is_ok();
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
    settings: IngestSection,
    clock: Clock,
}

impl Ingest {
    /// A door to this fleet.
    pub fn new(fleet: Fleet, store: Store, settings: IngestSection, clock: Clock) -> Self {
        Self(Arc::new(Shared { fleet, store, settings, clock }))
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

    fn write(&self, node: &NodeName, report: &Report) -> Vec<Reply<()>> {
        let frames = report.batches.iter();
        frames
            .map(|b| self.0.store.append_frame(node.as_str(), b.unix_ms, b.columns.clone(), &b.values))
            .collect()
    }

    /// Wall time, unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.0.clock.unix_ms()
    }
}
