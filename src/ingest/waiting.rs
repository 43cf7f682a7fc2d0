//! Where samples wait that the store cannot take, and how they get there afterwards: in memory while a hub's own file is
//! given a rest, in the journal on disk while the server of a hub on PostgreSQL is gone.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::journal::Journal;
use super::spill::{Full, Held, Spill, Spilled};
use super::{Shared, Write};
use crate::breaker::Subsystem;
use crate::ids::NodeName;
use crate::node::Batch;
use crate::store::{Reply, StoreError};
use crate::telemetry::Counter;

/// Batches that are written at once.
const PART_MAX: usize = 256;

/// Time between two parts of the journal, in milliseconds, where they are no larger than [`PART_MAX`].
const PART_MS: u64 = 100;

/// Where samples wait for the store.
#[derive(Debug)]
pub(super) enum Waiting {
    /// Not acknowledged before they are committed, and gone with the hub.
    Memory(Spill),
    /// Acknowledged when they are on disk.
    Disk(std::sync::Arc<Journal>),
}

impl Waiting {
    /// Lets a batch wait.
    pub(super) fn push(&self, node: &NodeName, batch: &Batch) -> Write {
        match self {
            Self::Memory(spill) => match spill.push(node.clone(), batch.clone()) {
                Ok(committed) => {
                    Counter::SamplesSpilled.add_for("spilled", batch.values.len() as u64);
                    Write::Waits(committed)
                }
                Err(Full) => {
                    Counter::SamplesSpilled.add_for("refused", batch.values.len() as u64);
                    Write::Refused
                }
            },
            Self::Disk(journal) => journal.push(node, batch).map_or(Write::Refused, Write::Waits),
        }
    }

    /// How much waits.
    pub(super) fn depth(&self) -> Spilled {
        match self {
            Self::Memory(spill) => spill.depth(),
            Self::Disk(journal) => journal.depth(),
        }
    }

    /// How long something has waited for which its sender waits, in milliseconds.
    pub(super) fn age_ms(&self) -> u64 {
        match self {
            Self::Memory(spill) => spill.age_ms(),
            // It is acknowledged: how full the disk is counts alone.
            Self::Disk(_) => 0,
        }
    }

    /// Whether so many bytes more may wait.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        match self {
            Self::Memory(spill) => spill.fits(bytes),
            Self::Disk(journal) => journal.fits(bytes),
        }
    }

    /// Writes the depth into the metrics.
    pub(super) fn gauge(&self) {
        match self {
            Self::Memory(spill) => spill.gauge(),
            Self::Disk(journal) => journal.gauge(),
        }
    }
}

impl Shared {
    /// Writes out what waits, oldest first, as far as the store's breaker lets it.
    pub(super) async fn release(&self) {
        match &self.waiting {
            Waiting::Memory(spill) => self.release_spilled(spill).await,
            Waiting::Disk(journal) => self.replay(journal).await,
        }
    }

    async fn release_spilled(&self, spill: &Spill) {
        loop {
            let part = self.take_spilled(spill);
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
                        spill.committed(&held.lease);
                    }
                    Err(_counted_by_the_store) => left.push(held.lease),
                }
            }
            if !left.is_empty() {
                return spill.put_back(&left);
            }
        }
    }

    /// As many of the oldest as may be written at once: what the breaker lets through.
    fn take_spilled(&self, spill: &Spill) -> Vec<Held> {
        let mut room = 0;
        let waiting = spill.waiting().min(PART_MAX);
        while room < waiting {
            let Ok(call) = self.breakers.enter(Subsystem::Store) else { break };
            call.sent();
            room += 1;
        }
        spill.take(room)
    }

    /// Writes the journal out, at most so many batches a second, until nothing is left of it or the store is gone again.
    async fn replay(&self, journal: &Journal) {
        if journal.depth().batches == 0 || !self.store.stats().writer_running {
            return;
        }
        // What a former try had taken.
        journal.rewind();
        let begun = Instant::now();
        let (mut replayed, mut room) = (0, 1);
        let hz = self.replay_hz.max(1);
        let room_max = usize::try_from(hz * PART_MS / 1_000).unwrap_or(PART_MAX).clamp(1, PART_MAX);
        loop {
            let probe = match self.breakers.is_closed(Subsystem::Store) {
                true => None,
                false => match self.breakers.enter(Subsystem::Store) {
                    Ok(call) => Some(call),
                    Err(_open) => return,
                },
            };
            let part = journal.take(if probe.is_some() { 1 } else { room }).await;
            if part.is_empty() {
                return;
            }
            if let Some(call) = probe {
                call.sent();
            }
            let replies: Vec<Reply<()>> =
                part.iter().map(|replayed| self.append(&replayed.node, &replayed.batch)).collect();
            let mut is_gone = false;
            for (batch, reply) in part.iter().zip(replies) {
                match reply.await {
                    Ok(()) => journal.written(batch),
                    Err(error) if is_for_good(&error) => {
                        tracing::error!(node = %batch.node, %error, "a journaled batch is lost: the store does not take it");
                        journal.give_up(batch);
                    }
                    Err(_counted_by_the_store) => is_gone = true,
                }
            }
            if is_gone {
                return journal.rewind();
            }
            replayed += part.len() as u64;
            // The first tells whether the store is really there.
            room = room_max;
            sleep_until(begun + Duration::from_millis(replayed * 1_000 / hz)).await;
        }
    }

    pub(super) fn append(&self, node: &NodeName, batch: &Batch) -> Reply<()> {
        self.store.append_frame(node.as_str(), batch.unix_ms, batch.columns.clone(), &batch.values)
    }
}

/// Whether the server was not there, or nobody knows.
pub(super) fn is_outage(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::WriterFailed(_))
}

/// Whether the store would say the same the next time.
fn is_for_good(error: &StoreError) -> bool {
    matches!(error, StoreError::Invalid(_) | StoreError::Sql(_) | StoreError::Conflict(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_doubt_is_journaled_and_only_what_is_never_taken_is_given_up() {
        let text = || "x".to_owned();
        for gone in [StoreError::Unavailable(text()), StoreError::WriterFailed(text())] {
            assert!(is_outage(&gone) && !is_for_good(&gone), "{gone}");
        }
        for passing in [StoreError::Busy, StoreError::DiskFull, StoreError::ReadOnly, StoreError::Io(text())]
        {
            assert!(!is_for_good(&passing), "{passing}");
        }
        assert!(is_for_good(&StoreError::Invalid(text())) && !is_outage(&StoreError::Overloaded));
    }
}
