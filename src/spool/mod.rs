//! The bounded spool on disk: records in order, until each is settled. An agent spools what its hub has not acknowledged; a
//! hub keeps its journal in one, of samples that its server cannot take.
//!
//! Append-only segment files of at most 1 MiB. [`Spool::append`] gives a record a sequence number,
//! [`Spool::take`] hands records out in that order, [`Spool::acknowledge`] settles one, [`Spool::rewind`]
//! takes back all that was handed out and not settled. A segment whose records are all settled is deleted;
//! when the bound is reached the oldest segment is, and its unsettled records are counted as dropped; or
//! ([`WhenFull::Refuse`]) the new record is refused.
//!
//! **What survives.** A record is in the page cache when `append` returns: `kill -9` of the process at any
//! moment loses nothing. Segments are synced when they are full, on close and by [`Spool::sync`], so a power
//! cut may lose what came after that; a torn tail is cut off at the next start and the rest is kept. The
//! settled position is saved now and then: after a crash some settled records are handed out once more.

mod segment;
mod segments;

use std::collections::BTreeSet;
use std::path::Path;

use segments::Segments;

/// After how many settled records their position is saved.
const SETTLED_SAVE_EVERY: u64 = 256;

/// Why the spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has it open.
    #[error("the spool {directory} is in use by another process")]
    InUse {
        /// The spool's directory.
        directory: String,
    },
    /// The payload can never fit.
    #[error("a record of {bytes} bytes is larger than the {bytes_max} that the spool takes")]
    TooLarge {
        /// Size of the payload.
        bytes: usize,
        /// Largest payload.
        bytes_max: usize,
    },
    /// The bound is reached, and what is there stays.
    #[error("the spool is full: {bytes_max} bytes wait")]
    Full {
        /// The bound.
        bytes_max: u64,
    },
    /// The file system refused.
    #[error("the spool cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// What becomes of a record for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest records make room.
    DropOldest,
    /// It is refused.
    Refuse,
}

/// One spooled record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order; never reused.
    pub seq: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// A bounded, ordered queue on disk. Blocking calls, each one small write or read.
pub struct Spool {
    segments: Segments,
    when_full: WhenFull,
    /// The next record to hand out: everything below is settled or taken.
    cursor_seq: u64,
    /// Handed out (or sent before it was appended) and not settled.
    taken: BTreeSet<u64>,
    /// Settled although the cursor has not passed them yet.
    settled_ahead: BTreeSet<u64>,
    settled_unsaved: u64,
    dropped: u64,
    damaged: u64,
}

impl Spool {
    /// Opens or creates the spool in `directory` and takes its lock. Cuts off what a crash tore.
    pub fn open(directory: &Path, bytes_max: u64, when_full: WhenFull) -> Result<Self, SpoolError> {
        let segments = Segments::open(directory, bytes_max)?;
        let mut spool = Self {
            cursor_seq: segments.settled_seq(),
            segments,
            when_full,
            taken: BTreeSet::new(),
            settled_ahead: BTreeSet::new(),
            settled_unsaved: 0,
            dropped: 0,
            damaged: 0,
        };
        if when_full == WhenFull::DropOldest {
            spool.make_room(0);
        }
        spool.free_settled();
        Ok(spool)
    }

    /// Adds a record at the end. When the bound is reached the oldest segments go first, or it is refused.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, SpoolError> {
        if payload.len() > segment::PAYLOAD_BYTES_MAX {
            return Err(SpoolError::TooLarge { bytes: payload.len(), bytes_max: segment::PAYLOAD_BYTES_MAX });
        }
        match self.when_full {
            WhenFull::DropOldest => self.make_room(payload.len()),
            WhenFull::Refuse if self.segments.oldest_in_the_way(payload.len()).is_some() => {
                return Err(SpoolError::Full { bytes_max: self.segments.bytes_max() });
            }
            WhenFull::Refuse => {}
        }
        self.segments.append(payload)
    }

    /// As [`Spool::append`], for a record that was already sent: it counts as taken.
    pub fn append_taken(&mut self, payload: &[u8]) -> Result<u64, SpoolError> {
        let seq = self.append(payload)?;
        self.taken.insert(seq);
        Ok(seq)
    }

    /// Hands out the oldest record that is neither settled nor taken.
    pub fn take(&mut self) -> Option<Record> {
        while let Some(record) = self.segments.read(self.cursor_seq) {
            self.pass_gap(record.seq);
            self.cursor_seq = record.seq + 1;
            if self.settled_ahead.remove(&record.seq) || self.taken.contains(&record.seq) {
                continue;
            }
            self.taken.insert(record.seq);
            return Some(record);
        }
        self.pass_gap(self.segments.next_seq());
        self.free_settled();
        None
    }

    /// Settles a record that was taken; it is not handed out again and its space becomes free.
    pub fn acknowledge(&mut self, seq: u64) {
        if !self.taken.remove(&seq) {
            return;
        }
        if seq >= self.cursor_seq {
            self.settled_ahead.insert(seq);
            while self.settled_ahead.remove(&self.cursor_seq) {
                self.cursor_seq += 1;
            }
        }
        self.settled_unsaved += 1;
        self.free_settled();
        if self.settled_unsaved >= SETTLED_SAVE_EVERY {
            self.save_settled();
        }
    }

    /// Takes one record back: it is handed out again, before those that follow it.
    pub fn give_back(&mut self, seq: u64) {
        if self.taken.remove(&seq) && seq < self.cursor_seq {
            self.return_cursor_to(seq);
        }
    }

    /// Takes back all that was handed out and not settled.
    pub fn rewind(&mut self) {
        if let Some(first) = self.taken.first().copied().filter(|first| *first < self.cursor_seq) {
            self.return_cursor_to(first);
        }
        self.taken.clear();
    }

    /// Whether there may be something to take.
    pub fn has_more(&self) -> bool {
        self.cursor_seq < self.segments.next_seq()
    }

    /// Records that are not settled, about: damaged ones count until they are passed.
    pub fn unsettled(&self) -> u64 {
        let ahead = self.segments.next_seq().saturating_sub(self.cursor_seq);
        let behind = self.taken.range(..self.cursor_seq).count() as u64;
        (ahead + behind).saturating_sub(self.settled_ahead.len() as u64)
    }

    /// What was appended before survives a power cut when this returns.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        self.segments.sync()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// Records that were dropped unsettled because the spool was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Records that were found damaged or could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Syncs and saves the position.
    pub fn close(mut self) -> Result<(), SpoolError> {
        self.free_settled();
        self.save_settled();
        self.segments.seal()
    }

    /// Everything below is settled or gone.
    fn settled_seq(&self) -> u64 {
        self.taken.first().map_or(self.cursor_seq, |first| self.cursor_seq.min(*first))
    }

    /// Moves the cursor over numbers that have no readable record; those not settled are lost.
    fn pass_gap(&mut self, to_seq: u64) {
        let passed = self.settled_ahead.range(self.cursor_seq..to_seq).count() as u64;
        self.damaged += to_seq.saturating_sub(self.cursor_seq + passed);
        self.settled_ahead = self.settled_ahead.split_off(&to_seq);
        self.cursor_seq = to_seq;
    }

    fn return_cursor_to(&mut self, seq: u64) {
        let settled = (seq + 1..self.cursor_seq).filter(|seq| !self.taken.contains(seq));
        self.settled_ahead.extend(settled);
        self.cursor_seq = seq;
        self.segments.restart_reading();
    }

    /// The position is saved first: when all segments are gone nothing else tells which numbers were given.
    fn free_settled(&mut self) {
        let seq = self.settled_seq();
        if self.segments.are_below(seq) {
            self.save_settled();
            self.segments.delete_below(seq);
        }
    }

    fn save_settled(&mut self) {
        self.settled_unsaved = 0;
        self.segments.save_settled(self.settled_seq());
    }

    fn make_room(&mut self, payload_bytes: usize) {
        while let Some((first, last)) = self.segments.oldest_in_the_way(payload_bytes) {
            let unsettled = |seq: &u64| {
                self.taken.contains(seq) || (*seq >= self.cursor_seq && !self.settled_ahead.contains(seq))
            };
            self.dropped += (first..=last).filter(unsettled).count() as u64;
            self.segments.delete_oldest();
            self.cursor_seq = self.cursor_seq.max(last + 1);
            self.taken = self.taken.split_off(&(last + 1));
            self.settled_ahead = self.settled_ahead.split_off(&(last + 1));
        }
    }
}

#[cfg(test)]
mod tests;
