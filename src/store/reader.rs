//! A few read-only connections, used off the runtime's own threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::place::{Kind, Place};
use super::session::Session;
use super::{StoreError, StoreOptions};

/// The pool. A connection is opened when it is first needed, and dropped when a query on it failed.
pub(super) struct Readers {
    place: Place,
    idle: Mutex<Vec<Session>>,
    permits: Arc<Semaphore>,
    asked: AtomicUsize,
    asked_max: usize,
}

impl Readers {
    pub(super) fn new(place: Place, options: &StoreOptions) -> Self {
        let readers = options.readers.max(1);
        Self {
            place,
            idle: Mutex::new(Vec::with_capacity(readers)),
            permits: Arc::new(Semaphore::new(readers)),
            asked: AtomicUsize::new(0),
            asked_max: readers + options.reads_waiting_max,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn is_apart(&self) -> bool {
        matches!(self.place.kind(), Kind::Postgres(..))
    }

    /// Runs `query` on a blocking thread, in one read transaction. Refused at once when too many wait already.
    pub(super) async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, StoreError> + Send + 'static,
    {
        let _counted = Counted::enter(self)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
        let readers = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            readers.run(query)
        });
        task.await.unwrap_or_else(|error| Err(StoreError::Sql(format!("a query failed: {error}"))))
    }

    fn run<T>(&self, query: impl FnOnce(&Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().pop();
        // One that lay idle may have lost its server meanwhile.
        let session = match idle.filter(|session| session.begin_read().is_ok()) {
            Some(session) => session,
            None => {
                let session = self.place.open_read_only()?;
                session.begin_read()?;
                session
            }
        };
        let result = query(&session).and_then(|found| session.rollback().map(|()| found));
        if result.is_ok() {
            self.idle.lock().push(session);
        }
        result
    }
}

/// Counts one reader in, and out when it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn enter(readers: &'a Readers) -> Result<Self, StoreError> {
        if readers.asked.fetch_add(1, Relaxed) >= readers.asked_max {
            readers.asked.fetch_sub(1, Relaxed);
            return Err(StoreError::Overloaded);
        }
        Ok(Self(&readers.asked))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
