//! Durable state in one SQLite file, or in the database of a PostgreSQL server: samples, the log of kept topics, documents,
//! nodes, sessions, users, tokens, load tests, rules, alerts.
//!
//! - One writer thread behind a bounded queue. It takes everything that waits, applies it in one
//!   transaction (a savepoint for each request), commits once with `synchronous = FULL`, and then
//!   answers: what was acknowledged survives `kill -9` and a power failure.
//! - A full queue refuses at once with [`StoreError::Overloaded`].
//! - A failed writer answers everybody with an error, is counted, and opens the file again.
//! - Readers are a small pool of read-only connections on blocking threads.
//!
//! The methods of [`Store`] are grouped by domain, one file each: `samples`, `events`, `documents`, `nodes`,
//! `sessions`, `snapshots`, `users`, `tokens`, `load_tests`,
//! `rules`, `alerts`, `alert_search`, `policies`, `answers`, `heartbeats`, `past`; `leases` has a connection of its own.

mod alert_search;
mod alerts;
mod answers;
mod backup;
mod directory;
mod documents;
mod downsample;
mod error;
mod event_log;
mod events;
mod faults;
mod fences;
mod frames;
mod heartbeats;
mod leases;
mod load_tests;
mod migration;
mod nodes;
mod past;
mod place;
mod policies;
mod postgres;
mod reader;
mod request;
mod rules;
mod sample_days;
mod sample_encoding;
mod sample_sets;
mod samples;
mod session;
mod sessions;
mod snapshots;
mod sqlite;
mod stats;
#[cfg(test)]
mod tests;
mod tokens;
mod users;
mod value;
mod writer;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::breaker::Breakers;
use crate::fault::Faults;

pub use alert_search::{AlertCursor, AlertFilter, AlertHour, AlertSort, AlertStatistics};
pub use alerts::{AlertChange, AlertRecord, Resolver, TransitionRecord};
pub use answers::{Digest, KeptAnswer};
pub use backup::backup;
pub use directory::{DataDirectory, DirectoryLock};
pub use documents::{DocumentChange, DocumentHead, DocumentRow, DocumentWritten, EntryRecord, WholeDocument};
pub use downsample::{Downsampler, Series};
pub use error::StoreError;
pub use events::{Event, EventPage, ListedEvent, TopicHead};
pub use heartbeats::HeartbeatRecord;
pub use leases::{Beat, HubNodeRecord, LeaseRecord, Leases};
pub use load_tests::LoadTestRecord;
pub use migration::{MIGRATIONS, Migration, SchemaReport, check, migrate};
pub use nodes::NodeRecord;
pub use past::{PastQuery, PastSamples};
pub use place::Place;
pub use policies::{PolicyKind, PolicyRecord, PolicyWrite};
pub use request::Reply;
pub use rules::{RuleRecord, RuleState, RuleWrite, Written};
pub use sample_sets::Column;
pub use samples::{SampleFrame, SampleQuery};
pub use sessions::SessionRecord;
pub use snapshots::TopicRecord;
pub use stats::{Backlog, StoreStats};
pub use tokens::{RefreshRecord, RevocationRecords, Rotation, TokenHash};
pub use users::UserRecord;

use fences::Fence;
use reader::Readers;
use request::Pending;
use session::{Dialect, Session};
use stats::Counters;
use writer::{Command, Database, Writer};

/// The bounds of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Requests that may wait for the writer; more are refused.
    pub queue_requests_max: usize,
    /// Bytes that they may hold together; more are refused.
    pub queue_bytes_max: usize,
    /// Requests in one transaction.
    pub group_requests_max: usize,
    /// Connections that read.
    pub readers: usize,
    /// Reads that may wait for one of them; more are refused.
    pub reads_waiting_max: usize,
    /// What is to go wrong with its writer on purpose.
    pub faults: Option<Arc<Faults>>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue_requests_max: 4_096,
            queue_bytes_max: 32 << 20,
            group_requests_max: 1_024,
            readers: 2,
            reads_waiting_max: 256,
            faults: None,
        }
    }
}

/// The one way to durable state. Cheap to clone; all clones share the writer and the readers.
#[derive(Clone)]
pub struct Store {
    queue: SyncSender<Command>,
    queue_bytes_max: usize,
    queue_requests_max: usize,
    counters: Arc<Counters>,
    readers: Arc<Readers>,
    is_new: bool,
    /// What everything that is written through this handle belongs to.
    fence: Option<Fence>,
}

impl Store {
    /// Opens the database (makes the file when it is missing), brings its schema up to date and starts the writer.
    /// Blocks; for the start of the program.
    pub fn open(place: impl Into<Place>, options: &StoreOptions, now_ms: u64) -> Result<Self, StoreError> {
        let place = place.into().with_faults(options.faults.clone());
        let counters = Arc::new(Counters::default());
        let (queue, commands) = sync_channel(options.queue_requests_max.max(1));
        let (opened, is_open) = channel();
        let writer = Writer::new(place.clone(), commands, counters.clone(), options);
        let opening = place.clone();
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                let database = Database::open(&opening).and_then(|database| {
                    let applied =
                        migration::migrate_session(&database.session, &opening, MIGRATIONS, now_ms)?;
                    Ok((database, applied.len() == MIGRATIONS.len()))
                });
                match database {
                    Ok((database, is_new)) => {
                        // Whoever opens is waiting for it.
                        drop(opened.send(Ok(is_new)));
                        writer.run(database);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })
            .map_err(|error| StoreError::Unavailable(error.to_string()).at_open(&place))?;
        let failed = |_gone| Err(StoreError::WriterFailed("it ended while it opened the database".into()));
        let is_new = is_open.recv().unwrap_or_else(failed).map_err(|error| error.at_open(&place))?;
        let readers = Arc::new(Readers::new(place, options));
        Ok(Self {
            queue,
            queue_bytes_max: options.queue_bytes_max,
            queue_requests_max: options.queue_requests_max.max(1),
            counters,
            readers,
            is_new,
            fence: None,
        })
    }

    /// Whether the database is a server of its own, which can be gone while the hub and its disk are well.
    pub fn is_apart(&self) -> bool {
        self.readers.is_apart()
    }

    /// Whether there was no database before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The counters at this moment.
    pub fn stats(&self) -> StoreStats {
        self.counters.snapshot()
    }

    /// How far the writer is behind.
    pub fn backlog(&self) -> Backlog {
        self.counters.backlog(Instant::now(), self.queue_requests_max, self.queue_bytes_max)
    }

    /// From now on the breaker of the store is told how every request went.
    pub fn watched_by(&self, breakers: Breakers) {
        self.counters.watched_by(breakers);
    }

    /// Tells the breaker about requests that take longer than this; each once.
    pub fn count_late(&self, call_ms_max: u64) {
        self.counters.count_late(Instant::now(), Duration::from_millis(call_ms_max));
    }

    /// Writes and commits a row of no meaning: ready when the whole way to the disk works. For health checks.
    pub fn probe(&self, now_ms: u64) -> Reply<()> {
        self.write(0, move |database| {
            // A commit without a change would not touch the disk.
            let sql = match database.session.dialect() {
                Dialect::Sqlite => format!("PRAGMA user_version = {}", now_ms / 1_000 % (1 << 30)),
                Dialect::Postgres => format!("UPDATE probes SET at_ms = {now_ms}"),
            };
            database.session.execute_batch(&sql)
        })
    }

    /// Ready when everything that was sent before is committed, so that a read sees it.
    pub fn settled(&self) -> Reply<()> {
        self.write(0, |_database| Ok(()))
    }

    /// Commits what is queued and ends the writer. Requests that come later get [`StoreError::Closed`].
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        let mut command = Command::Close(reply);
        // The queue may be full of what must still be committed.
        while let Err(TrySendError::Full(back)) = self.queue.try_send(command) {
            command = back;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // An error means that the writer is gone already.
        drop(closed.await);
    }

    /// Sends `work` to the writer; its error undoes what it did and nothing else.
    fn write<T, F>(&self, weight_bytes: usize, work: F) -> Reply<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    {
        if !self.counters.admit(weight_bytes, self.queue_bytes_max) {
            self.counters.refused();
            return Reply::refused(StoreError::Overloaded);
        }
        let fence = self.fence;
        let (request, reply) = Pending::new(move |database: &mut Database| {
            fences::check(database, fence)?;
            work(database)
        });
        let refusal = match self.queue.try_send(Command::Apply(request, weight_bytes)) {
            Ok(()) => return reply,
            Err(TrySendError::Full(_)) => {
                self.counters.refused();
                StoreError::Overloaded
            }
            Err(TrySendError::Disconnected(_)) => StoreError::Closed,
        };
        self.counters.taken(weight_bytes);
        Reply::refused(refusal)
    }

    async fn read<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.read(query).await
    }
}
