//! The one writer: a thread that takes everything queued, applies it in one transaction, commits once,
//! and only then answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::faults;
use super::fences::Fence;
use super::frames::Frames;
use super::place::Place;
use super::request::Request;
use super::sample_sets::SampleSets;
use super::session::Session;
use super::stats::Counters;
use super::{StoreError, StoreOptions};
use crate::fault::Faults;
use crate::telemetry::Histogram;

/// First and longest pause before the file is opened again.
const BACKOFF_MIN_MS: u64 = 100;
const BACKOFF_MAX_MS: u64 = 5_000;

/// Requests that arrive during such a pause are answered after at most this long.
const REFUSE_EVERY_MS: u64 = 10;

/// What a request works on: the session and what is remembered beside it.
pub(super) struct Database {
    pub(super) session: Session,
    pub(super) sets: SampleSets,
    pub(super) frames: Frames,
    /// Known to be the newest of its unit for the rest of the transaction.
    pub(super) fence: Option<Fence>,
}

impl Database {
    pub(super) fn open(place: &Place) -> Result<Self, StoreError> {
        let (sets, frames) = (SampleSets::default(), Frames::default());
        Ok(Self { session: place.open_writable()?, sets, frames, fence: None })
    }

    /// What is remembered of a transaction that is undone must go with it.
    fn forget(&mut self) {
        self.sets.forget();
        self.frames.forget();
    }
}

/// What travels to the writer.
pub(super) enum Command {
    /// Apply, commit, answer. The number is its weight in bytes, given back when it was taken.
    Apply(Box<dyn Request>, usize),
    /// Commit what came before, fold the log into the file, answer, end.
    Close(oneshot::Sender<()>),
}

/// The state of the thread.
pub(super) struct Writer {
    place: Place,
    queue: Receiver<Command>,
    counters: Arc<Counters>,
    requests_max: usize,
    faults: Option<Arc<Faults>>,
    /// Taken and not yet answered. Outlives a panic, so that everybody gets an answer.
    group: Vec<Box<dyn Request>>,
    /// Outcome of `apply`, beside `group`.
    outcomes: Vec<Result<(), StoreError>>,
    closing: Option<oneshot::Sender<()>>,
    failures_in_a_row: u32,
}

impl Writer {
    pub(super) fn new(
        place: Place,
        queue: Receiver<Command>,
        counters: Arc<Counters>,
        options: &StoreOptions,
    ) -> Self {
        Self {
            place,
            queue,
            counters,
            requests_max: options.group_requests_max.max(1),
            faults: options.faults.clone(),
            group: Vec::new(),
            outcomes: Vec::new(),
            closing: None,
            failures_in_a_row: 0,
        }
    }

    /// Runs until the store is closed or its last handle is gone.
    pub(super) fn run(mut self, database: Database) {
        let mut database = Some(database);
        while let Some(open) = database.as_mut() {
            if !self.take_group() {
                self.finish(open);
                return;
            }
            if let Err(error) = self.commit_group(open) {
                self.counters.writer_failed(&error);
                drop(database.take());
                database = self.reopen(error);
            }
        }
        self.answer_close();
    }

    /// Waits for a request and takes all that wait behind it. False: no more will come.
    fn take_group(&mut self) -> bool {
        if self.closing.is_some() {
            return false;
        }
        match self.queue.recv() {
            Ok(command) => self.take(command),
            Err(_) => return false,
        }
        while self.closing.is_none() && self.group.len() < self.requests_max {
            match self.queue.try_recv() {
                Ok(command) => self.take(command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        true
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Apply(request, weight_bytes) => {
                self.counters.taken(weight_bytes);
                self.group.push(request);
            }
            Command::Close(reply) => self.closing = Some(reply),
        }
    }

    /// Applies and commits the group, then answers it. An error: the connection must be replaced.
    fn commit_group(&mut self, database: &mut Database) -> Result<(), StoreError> {
        if self.group.is_empty() {
            return Ok(());
        }
        self.outcomes.clear();
        let begun = Instant::now();
        self.counters.group_begun(self.group.len(), begun);
        let (group, outcomes, faults) = (&mut self.group, &mut self.outcomes, self.faults.as_deref());
        let committed = catch_unwind(AssertUnwindSafe(|| apply_group(database, group, outcomes, faults)))
            .unwrap_or_else(|panic| Err(StoreError::WriterFailed(panic_text(panic.as_ref()))));
        match committed {
            Ok(()) => {
                self.failures_in_a_row = 0;
                self.counters.committed(self.group.len());
                Histogram::StoreCommitSeconds.record_s(begun.elapsed().as_secs_f64());
                for (request, outcome) in self.group.drain(..).zip(self.outcomes.drain(..)) {
                    request.answer(outcome);
                }
                Ok(())
            }
            Err(error) => {
                database.forget();
                self.counters.group_failed(self.group.len());
                for request in self.group.drain(..) {
                    request.answer(Err(error.clone()));
                }
                if error.breaks_connection() {
                    return Err(error);
                }
                database.session.rollback()
            }
        }
    }

    /// Opens the file again, with pauses that grow; answers what arrives meanwhile. `None`: closed.
    fn reopen(&mut self, error: StoreError) -> Option<Database> {
        let mut reason = error;
        loop {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            // One failure may be a fluke: the second in a row is where waiting starts.
            if self.failures_in_a_row > 1 && !self.pause(&reason) {
                return None;
            }
            match faults::before_open(self.faults.as_deref()).and_then(|()| Database::open(&self.place)) {
                Ok(database) => {
                    self.counters.writer_back();
                    return Some(database);
                }
                Err(error) => {
                    self.counters.writer_failed(&error);
                    reason = error;
                }
            }
        }
    }

    /// Waits out the back-off and refuses what arrives. False: the store was closed.
    fn pause(&mut self, reason: &StoreError) -> bool {
        let doublings = (self.failures_in_a_row - 2).min(10);
        let pause_ms = (BACKOFF_MIN_MS << doublings).min(BACKOFF_MAX_MS);
        for _ in 0..pause_ms / REFUSE_EVERY_MS {
            loop {
                match self.queue.try_recv() {
                    Ok(Command::Apply(request, weight_bytes)) => {
                        self.counters.taken(weight_bytes);
                        self.counters.group_failed(1);
                        request.answer(Err(StoreError::Unavailable(reason.to_string())));
                    }
                    Ok(Command::Close(reply)) => self.closing = Some(reply),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return false,
                }
            }
            if self.closing.is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(REFUSE_EVERY_MS));
        }
        true
    }

    fn finish(&mut self, database: &Database) {
        if let Err(error) = database.session.finish() {
            tracing::warn!(%error, "the write-ahead log was not folded into the database");
        }
        self.answer_close();
    }

    fn answer_close(&mut self) {
        if let Some(reply) = self.closing.take() {
            // Whoever asked may have stopped waiting.
            let _unheard = reply.send(());
        }
    }
}

/// One transaction with a savepoint for each request, so that one bad request fails alone.
fn apply_group(
    database: &mut Database,
    group: &mut [Box<dyn Request>],
    outcomes: &mut Vec<Result<(), StoreError>>,
    faults: Option<&Faults>,
) -> Result<(), StoreError> {
    faults::before_group(faults)?;
    database.session.begin()?;
    database.fence = None;
    for request in group {
        database.session.savepoint()?;
        let kept = database.frames.waiting();
        let outcome = request.apply(database).and_then(|()| database.session.release());
        if let Err(error) = &outcome {
            if error.breaks_connection() || !database.session.is_in_transaction() {
                return Err(error.clone());
            }
            database.sets.forget();
            database.frames.keep(kept);
            database.session.undo()?;
            // If the lease was looked at since, it is free again.
            database.fence = None;
        }
        outcomes.push(outcome);
    }
    database.frames.flush(&database.session)?;
    faults::before_commit(faults)?;
    database.session.commit()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("(no text)"))
}
