//! PostgreSQL: a connection that is driven by the thread that uses it. Statements are prepared once; what only moves a
//! transaction along travels ahead of the next statement, in the same round trip.

mod statements;
mod values;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::{SinkExt, StreamExt, TryFutureExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error, NoTls, Statement};

use super::StoreError;
use super::value::{Row, Value};
use statements::Statements;
pub(super) use values::column;

/// What begins a transaction of the writer, and one of a reader.
pub(super) const WRITE: &str = "BEGIN";
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Taken before the head of a topic moves: hubs that write to the same topics in different orders would wait for each
/// other's rows until the server finds the deadlock, a second later.
const TOPICS: &str = "SELECT pg_advisory_xact_lock(hashtext('infrawatch topics'))";

/// How long the server may take to be connected to, and to answer one statement. Longer: it is taken for gone.
const ANSWER_MS_MAX: u64 = 5_000;

/// The same for a step of the schema.
const MIGRATION_MS_MAX: u64 = 600_000;

/// Rows that are fetched before they are looked at.
const ROWS_AT_A_TIME: usize = 256;

/// Acknowledged means durable, whatever the server is set to. Whoever waits for a lock is told before it takes the server
/// for gone, and a hub that is cut off or stopped does not keep its locks: others wait for them to take what it owns.
const SETTINGS: &str =
    "SET synchronous_commit = on; SET lock_timeout = '4s'; SET client_min_messages = warning;
    SET idle_in_transaction_session_timeout = '5s'";

/// How far a transaction, or its savepoint, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Not,
    /// It goes ahead of the next statement.
    Next(&'static str),
    Sent,
}

/// One connection.
pub(super) struct Session {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    statements: RefCell<Statements>,
    transaction: Cell<Begun>,
    savepoint: Cell<Begun>,
    topics: Cell<Begun>,
    /// A statement failed: the server takes no other before the savepoint is gone back to.
    failed: Cell<bool>,
    /// The server is gone, or did not answer in time.
    lost: Cell<bool>,
}

impl Session {
    /// Connects. Not to be called where a runtime is entered.
    pub(super) fn open(config: &Config) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let mut config = config.clone();
        if config.get_application_name().is_none() {
            config.application_name("infrawatch");
        }
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let connecting = async {
            let (client, connection) = config.connect(NoTls).await?;
            // How it ends is told to whoever asks it something.
            tokio::spawn(connection.unwrap_or_else(drop));
            client.batch_execute(SETTINGS).await?;
            Ok::<_, Error>(client)
        };
        match runtime.block_on(async { timeout(limit, connecting).await }) {
            Ok(Ok(client)) => Ok(Self {
                runtime: Some(runtime),
                client,
                statements: RefCell::default(),
                transaction: Cell::new(Begun::Not),
                savepoint: Cell::new(Begun::Not),
                topics: Cell::new(Begun::Not),
                failed: Cell::new(false),
                lost: Cell::new(false),
            }),
            Ok(Err(error)) => Err(match StoreError::from(error) {
                gone @ StoreError::Unavailable(_) => gone,
                refused => StoreError::Unavailable(refused.to_string()),
            }),
            Err(_elapsed) => Err(StoreError::Unavailable(format!("no answer within {ANSWER_MS_MAX} ms"))),
        }
    }

    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepared(sql)?;
        self.ask(self.client.execute_raw(&statement, values.iter().copied()))
    }

    pub(super) fn execute_batch(&self, sql: &str) -> Result<(), StoreError> {
        self.ask(self.client.batch_execute(sql))
    }

    /// The same for a step of the schema, which may take its time.
    pub(super) fn execute_script(&self, sql: &str) -> Result<(), StoreError> {
        self.ask_within(MIGRATION_MS_MAX, self.client.batch_execute(sql))
    }

    pub(super) fn each_until(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepared(sql)?;
        let mut rows = Box::pin(self.ask(self.client.query_raw(&statement, values.iter().copied()))?);
        let (mut chunk, mut is_end) = (Vec::new(), false);
        while !is_end {
            // To the end, if it is near: some failures come after the last row.
            self.ask(async {
                while chunk.len() < ROWS_AT_A_TIME && !is_end {
                    match rows.next().await {
                        Some(row) => chunk.push(row?),
                        None => is_end = true,
                    }
                }
                Ok(())
            })?;
            for row in chunk.drain(..) {
                if take(Row::Postgres(&row))?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Sends rows in the binary form of COPY; how many were taken.
    pub(super) fn copy_in(&self, sql: &str, rows: &Bytes) -> Result<u64, StoreError> {
        let statement = self.prepared(sql)?;
        self.ask(async {
            let mut sink = Box::pin(self.client.copy_in::<_, Bytes>(&statement).await?);
            sink.feed(rows.clone()).await?;
            sink.as_mut().finish().await
        })
    }

    pub(super) fn begin(&self, sql: &'static str) -> Result<(), StoreError> {
        self.transaction.set(Begun::Next(sql));
        if sql == READ {
            // At once: a connection that has gone stale while nobody read is told from one that works.
            return self.ask(async { Ok(()) });
        }
        Ok(())
    }

    pub(super) fn savepoint(&self) -> Result<(), StoreError> {
        self.savepoint.set(Begun::Next(match self.savepoint.get() {
            Begun::Sent => "RELEASE SAVEPOINT request; SAVEPOINT request",
            Begun::Next(sql) => sql,
            Begun::Not => "SAVEPOINT request",
        }));
        Ok(())
    }

    /// From the next statement on until the commit no other hub moves the head of a topic.
    pub(super) fn lock_topics(&self) {
        if self.topics.get() == Begun::Not {
            self.topics.set(Begun::Next(TOPICS));
        }
    }

    pub(super) fn undo(&self) -> Result<(), StoreError> {
        if self.savepoint.get() == Begun::Sent {
            self.ask(self.client.batch_execute("ROLLBACK TO SAVEPOINT request"))?;
        }
        // What was locked since is free again.
        self.topics.set(Begun::Not);
        self.failed.set(false);
        Ok(())
    }

    /// Nothing is sent: the next savepoint, or the commit, does it. Refuses when a statement failed and whoever asked it
    /// went on: the server would undo everything and call it a commit.
    pub(super) fn release(&self) -> Result<(), StoreError> {
        if self.failed.get() {
            return Err(StoreError::Sql("a request went on after a statement of it had failed".into()));
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        self.release()?;
        let begun = self.transaction.get() == Begun::Sent;
        self.savepoint.set(Begun::Not);
        self.topics.set(Begun::Not);
        if begun {
            self.ask(self.client.batch_execute("COMMIT")).map_err(|error| match error {
                StoreError::Unavailable(why) => {
                    StoreError::WriterFailed(format!("while it committed: {why}"))
                }
                error => error,
            })?;
        }
        self.transaction.set(Begun::Not);
        Ok(())
    }

    pub(super) fn rollback(&self) -> Result<(), StoreError> {
        let begun = self.transaction.get() == Begun::Sent;
        self.savepoint.set(Begun::Not);
        self.topics.set(Begun::Not);
        if begun {
            self.ask(self.client.batch_execute("ROLLBACK"))?;
        }
        self.transaction.set(Begun::Not);
        self.failed.set(false);
        Ok(())
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.transaction.get() != Begun::Not && !self.lost.get()
    }

    fn prepared(&self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.borrow().find(sql) {
            return Ok(statement);
        }
        let text = statements::numbered(sql);
        let statement = self.ask(self.client.prepare(&text))?;
        self.statements.borrow_mut().keep(sql, statement.clone());
        Ok(statement)
    }

    fn ask<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, StoreError> {
        self.ask_within(ANSWER_MS_MAX, question)
    }

    /// One round trip, with what is to go ahead.
    fn ask_within<T>(
        &self,
        limit_ms: u64,
        question: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StoreError> {
        let Some(runtime) = self.runtime.as_ref().filter(|_| !self.lost.get()) else {
            return Err(StoreError::Unavailable("the connection was lost".into()));
        };
        let ahead = self.ahead();
        let both = async {
            let Some(ahead) = ahead else { return question.await };
            // Polled in this order, so that they are sent in it.
            let (begun, answer) = join(self.client.batch_execute(&ahead), question).await;
            begun?;
            answer
        };
        let limit = Duration::from_millis(limit_ms);
        let error = match runtime.block_on(async { timeout(limit, both).await }) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => StoreError::from(error),
            Err(_elapsed) => StoreError::Unavailable(format!("no answer within {limit_ms} ms")),
        };
        self.failed.set(true);
        self.lost.set(matches!(error, StoreError::Unavailable(_)));
        Err(error)
    }

    /// What goes ahead of the next statement.
    fn ahead(&self) -> Option<String> {
        let mut ahead = None;
        for begun in [&self.transaction, &self.savepoint, &self.topics] {
            if let Begun::Next(sql) = begun.get() {
                begun.set(Begun::Sent);
                ahead =
                    Some(ahead.map_or_else(|| sql.to_owned(), |before: String| format!("{before}; {sql}")));
            }
        }
        ahead
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The last handle of a store may be dropped where a runtime is entered, which must not wait for another's end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs `work` on a thread of its own, where no runtime is entered.
pub(super) fn aside<T: Send>(work: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_panic| Err(StoreError::WriterFailed("it panicked".into())))
}

/// The URL without its password.
pub(super) fn name(config: &Config) -> String {
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = config.get_ports().first().unwrap_or(&5432);
    format!("postgres://{user}{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

/// An error with its causes.
pub(super) fn text(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// By the class of the SQLSTATE.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = text(&error);
        let Some(code) = error.code().map(|code| code.code()) else {
            let is_value =
                std::error::Error::source(&error).is_some_and(|cause| cause.is::<values::Misfit>());
            return if is_value { Self::Sql(text) } else { Self::Unavailable(text) };
        };
        match (code, code.get(..2).unwrap_or_default()) {
            ("25006", _) => Self::ReadOnly,
            ("53100", _) => Self::DiskFull,
            // A lock that somebody else keeps, a deadlock, two that cannot both be.
            ("55P03" | "57014" | "40P01" | "40001", _) => Self::Busy,
            ("22021" | "22P05", _) => Self::Invalid(format!("the database keeps no NUL in a text: {text}")),
            ("25P03", _) | (_, "08" | "53" | "57" | "28" | "3D") => Self::Unavailable(text),
            (_, "23") => Self::Conflict(text),
            (_, "58") => Self::Io(text),
            (_, "XX") => Self::Corrupt(text),
            _ => Self::Sql(text),
        }
    }
}
