//! Who keeps a frame until the hub has it for good: memory while it is on its way, the spool otherwise.
//!
//! The spool holds samples in the order they were taken: before one is spooled, all older ones that are on
//! their way are (they stay on their way; their acknowledgement then frees the spooled copy).

use std::collections::VecDeque;

use tracing::{info, warn};

use crate::spool::{Record, Spool, SpoolError};

/// Frames by what became of them, since the start.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) sent: u64,
    pub(super) replayed: u64,
    pub(super) acknowledged: u64,
    pub(super) spooled: u64,
    /// Given up: refused by the hub, larger than it takes, or the spool could not write.
    pub(super) lost: u64,
    pub(super) samples_rejected: u64,
}

struct InFlight {
    frame: u64,
    sent_ms: u64,
    kept: Kept,
}

/// Where a frame in flight is kept until it is acknowledged.
pub(super) enum Kept {
    Here(String),
    Spooled(u64),
    /// The spool could not take it.
    Nowhere,
}

/// Frames on their way and the spool behind them. See the module.
pub(super) struct Custody {
    spool: Spool,
    in_flight: VecDeque<InFlight>,
    last_frame: u64,
    pub(super) counts: Counts,
}

impl Custody {
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool, in_flight: VecDeque::new(), last_frame: 0, counts: Counts::default() }
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// How many frames are on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// When the oldest frame on its way was sent.
    pub(super) fn oldest_sent_ms(&self) -> Option<u64> {
        self.in_flight.front().map(|oldest| oldest.sent_ms)
    }

    /// The number of the next frame.
    pub(super) fn next_frame(&self) -> u64 {
        self.last_frame + 1
    }

    /// The frame with the next number is on its way.
    pub(super) fn sent(&mut self, now_ms: u64, kept: Kept) {
        self.last_frame += 1;
        self.counts.sent += 1;
        self.in_flight.push_back(InFlight { frame: self.last_frame, sent_ms: now_ms, kept });
    }

    /// The frame that was to be sent cannot be, ever.
    pub(super) fn give_up(&mut self, kept: &Kept) {
        self.counts.lost += 1;
        if let Kept::Spooled(seq) = kept {
            self.spool.acknowledge(*seq);
        }
    }

    /// The next spooled payload.
    pub(super) fn take_spooled(&mut self) -> Option<Record> {
        self.spool.take()
    }

    /// Spools a payload that is not sent, after all that are on their way.
    pub(super) fn spool_unsent(&mut self, payload: &str) {
        self.spool_in_flight();
        self.spool_one(payload, false);
    }

    /// The frame needs no keeping any more. False for one that is not on its way (any more).
    pub(super) fn settle(&mut self, frame: u64) -> bool {
        let Some(index) = self.in_flight.iter().position(|sent| sent.frame == frame) else {
            return false;
        };
        if let Some(InFlight { kept: Kept::Spooled(seq), .. }) = self.in_flight.remove(index) {
            self.spool.acknowledge(seq);
            if self.spool.bytes() == 0 {
                let (dropped, damaged) = (self.spool.dropped(), self.spool.damaged());
                info!(dropped, damaged, "everything spooled reached the hub");
            }
        }
        true
    }

    /// The frame did not arrive for good: it goes (back) to the spool.
    pub(super) fn return_to_spool(&mut self, frame: u64) {
        self.spool_in_flight();
        let Some(index) = self.in_flight.iter().position(|sent| sent.frame == frame) else {
            return;
        };
        if let Some(InFlight { kept: Kept::Spooled(seq), .. }) = self.in_flight.remove(index) {
            self.spool.give_back(seq);
        }
    }

    /// The connection is gone: everything on its way goes (back) to the spool.
    pub(super) fn return_all(&mut self) {
        self.spool_in_flight();
        self.in_flight.clear();
        self.spool.rewind();
    }

    /// Returns all and closes the spool.
    pub(super) fn close(mut self) -> Result<Counts, SpoolError> {
        self.return_all();
        self.spool.close()?;
        Ok(self.counts)
    }

    /// Spools what is in flight and not spooled yet, oldest first.
    fn spool_in_flight(&mut self) {
        let mut in_flight = std::mem::take(&mut self.in_flight);
        for sent in &mut in_flight {
            if let Kept::Here(payload) = &sent.kept {
                sent.kept = self.spool_one(payload, true).map_or(Kept::Nowhere, Kept::Spooled);
            }
        }
        self.in_flight = in_flight;
    }

    fn spool_one(&mut self, payload: &str, taken: bool) -> Option<u64> {
        let dropped = self.spool.dropped();
        let spooled = match taken {
            true => self.spool.append_taken(payload.as_bytes()),
            false => self.spool.append(payload.as_bytes()),
        };
        if self.spool.dropped() > dropped {
            warn!(dropped = self.spool.dropped(), "the spool is full and drops its oldest samples");
        }
        match spooled {
            Ok(seq) => {
                self.counts.spooled += 1;
                Some(seq)
            }
            Err(error) => {
                self.counts.lost += 1;
                warn!(%error, lost = self.counts.lost, "a sample is lost");
                None
            }
        }
    }
}
