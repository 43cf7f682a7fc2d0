//! The thread that owns the journal's files.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::Figures;
use super::record::{self, Kept};
use crate::spool::{Spool, SpoolError};
use crate::telemetry::Counter;

/// Commands that are carried out before the disk is synced.
const GROUP_MAX: usize = 1_024;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Append { payload: Vec<u8>, samples: u64, done: oneshot::Sender<()> },
    Take { limit: usize, found: oneshot::Sender<Taken> },
    Settle(u64),
    Rewind,
}

/// What was read, with the numbers to settle it by.
pub(super) type Taken = Vec<(u64, Kept)>;

/// The state of the thread.
pub(super) struct Writer {
    spool: Spool,
    queue: Receiver<Command>,
    figures: Arc<Figures>,
    /// Appended, and not synced.
    unsynced: Vec<(u64, oneshot::Sender<()>)>,
    /// Handed out as soon as the figures say so.
    handed_out: Vec<(oneshot::Sender<Taken>, Taken)>,
    /// When the oldest that waits was journaled, or one before it; 0 when nothing waits.
    oldest_ms: u64,
    /// A problem that was told; the same again is not.
    told: Option<String>,
}

impl Writer {
    pub(super) fn new(spool: Spool, queue: Receiver<Command>, figures: Arc<Figures>) -> Self {
        let (unsynced, handed_out) = Default::default();
        let mut writer = Self { spool, queue, figures, unsynced, handed_out, oldest_ms: 0, told: None };
        // Read once, for its age.
        drop(writer.take(1));
        writer.spool.rewind();
        writer.tell();
        writer
    }

    pub(super) fn run(mut self) {
        while let Ok(command) = self.queue.recv() {
            self.carry_out(command);
            for _ in 1..GROUP_MAX {
                let Ok(command) = self.queue.try_recv() else { break };
                self.carry_out(command);
            }
            self.sync();
            self.tell();
            for (asked, found) in std::mem::take(&mut self.handed_out) {
                if asked.send(found).is_err() {
                    // Whoever asked has gone: it comes again.
                    self.spool.rewind();
                }
            }
        }
        if let Err(error) = self.spool.close() {
            tracing::warn!(%error, "what is settled of the journal comes again");
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Append { payload, samples, done } => self.append(&payload, samples, done),
            Command::Take { limit, found } => {
                let part = self.take(limit);
                self.handed_out.push((found, part));
            }
            Command::Settle(seq) => self.spool.acknowledge(seq),
            Command::Rewind => self.spool.rewind(),
        }
    }

    fn append(&mut self, payload: &[u8], samples: u64, done: oneshot::Sender<()>) {
        self.figures.waiting_bytes.fetch_sub(payload.len(), Relaxed);
        match self.spool.append(payload) {
            Ok(_seq) => {
                if self.oldest_ms == 0 {
                    self.oldest_ms = record::decode(payload).map_or(0, |kept| kept.since_ms);
                }
                self.unsynced.push((samples, done));
            }
            Err(error) => {
                self.figures.refused(samples);
                self.complain(&error);
            }
        }
    }

    fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        match self.spool.sync() {
            Ok(()) => {
                self.told = None;
                for (samples, done) in self.unsynced.drain(..) {
                    Counter::SamplesSpilled.add_for("journaled", samples);
                    // Its sender may be gone.
                    let _unheard = done.send(());
                }
            }
            Err(error) => {
                let samples = self.unsynced.drain(..).map(|(samples, _done)| samples).sum();
                self.figures.refused(samples);
                self.complain(&error);
            }
        }
    }

    /// The oldest that are not out. What is no batch is passed over and counted.
    fn take(&mut self, limit: usize) -> Vec<(u64, Kept)> {
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(record) = self.spool.take()
        {
            match record::decode(&record.payload) {
                Some(kept) => found.push((record.seq, kept)),
                None => {
                    tracing::error!(record.seq, "a record of the journal is no batch of samples");
                    self.figures.dropped.fetch_add(1, Relaxed);
                    self.spool.acknowledge(record.seq);
                }
            }
        }
        if let Some((_, first)) = found.first() {
            self.oldest_ms = first.since_ms;
        }
        found
    }

    fn tell(&mut self) {
        let batches = self.spool.unsettled();
        if batches == 0 {
            self.oldest_ms = 0;
        }
        let figures = &self.figures;
        figures.batches.store(batches, Relaxed);
        figures.bytes.store(if batches == 0 { 0 } else { self.spool.bytes() }, Relaxed);
        figures.oldest_ms.store(self.oldest_ms, Relaxed);
        let damaged = self.spool.damaged();
        let fresh = damaged.saturating_sub(figures.damaged.swap(damaged, Relaxed));
        if fresh > 0 {
            tracing::error!(records = fresh, "records of the journal are damaged");
            figures.dropped.fetch_add(fresh, Relaxed);
        }
    }

    /// Tells of a problem when it is new.
    fn complain(&mut self, error: &SpoolError) {
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            tracing::error!(%error, "samples that the store cannot take are refused");
            self.told = Some(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::spool::WhenFull;

    #[test]
    fn nothing_is_answered_before_it_is_synced_nor_what_could_not_be() {
        let directory = tempfile::tempdir().unwrap();
        let (_commands, queue) = sync_channel(1);
        let spool = Spool::open(directory.path(), 1 << 20, WhenFull::Refuse).unwrap();
        let mut writer = Writer::new(spool, queue, Arc::default());
        let append = |writer: &mut Writer| {
            let (done, is_done) = oneshot::channel();
            writer.figures.waiting_bytes.fetch_add(1, Relaxed);
            writer.carry_out(Command::Append { payload: vec![7], samples: 1, done });
            is_done
        };
        let mut first = append(&mut writer);
        // The name of its file cannot be synced.
        std::fs::remove_dir_all(directory.path()).unwrap();
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
        writer.sync();
        assert_eq!(first.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(writer.figures.overflowed.load(Relaxed), 1);
        std::fs::create_dir(directory.path()).unwrap();
        let mut second = append(&mut writer);
        assert_eq!(second.try_recv(), Err(TryRecvError::Empty));
        writer.sync();
        assert_eq!(second.try_recv(), Ok(()));
    }
}
