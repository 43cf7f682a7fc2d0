//! One connection to the database, whichever it is. The statements of the domains are one text for both: parameters are
//! `?1`, `?2`, ..., and where the two must differ, [`Session::dialect`] says which one it is.

use std::ops::ControlFlow;

use rusqlite::Connection;

use super::value::{Row, Value};
use super::{StoreError, postgres, sqlite};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// One connection.
pub(super) enum Session {
    Sqlite(Connection),
    Postgres(Box<postgres::Session>),
}

impl Session {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Carries out a statement; how many rows it changed.
    pub(super) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, values),
            Self::Postgres(session) => session.execute(sql, values),
        }
    }

    /// Carries out statements without parameters.
    pub(super) fn execute_batch(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => session.execute_batch(sql),
        }
    }

    /// The same for a step of the schema, which may take its time.
    pub(super) fn execute_script(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => session.execute_script(sql),
        }
    }

    /// Hands each row of the answer to `take`, which must not ask this session anything: the answer is still on its way.
    pub(super) fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_until(sql, values, |row| take(row).map(ControlFlow::Continue))
    }

    /// The same until `take` breaks off.
    pub(super) fn each_until(
        &self,
        sql: &str,
        values: &[Value<'_>],
        take: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::each_until(connection, sql, values, take),
            Self::Postgres(session) => session.each_until(sql, values, take),
        }
    }

    /// All rows of the answer, each as `read` reads it.
    pub(super) fn query<T, C: FromIterator<T>>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<C, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, values, |row| {
            rows.push(read(row)?);
            Ok(())
        })?;
        Ok(rows.into_iter().collect())
    }

    /// The first row of the answer, if there is one.
    pub(super) fn optional<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.each_until(sql, values, |row| {
            found = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// The first row of an answer that has one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let found = self.optional(sql, values, read)?;
        found.ok_or_else(|| StoreError::Sql(format!("no row came back from {sql}")))
    }

    /// Begins a transaction that writes.
    pub(super) fn begin(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::run(connection, "BEGIN IMMEDIATE"),
            Self::Postgres(session) => session.begin(postgres::WRITE),
        }
    }

    /// Begins a transaction that reads: whatever is asked in it is of one moment.
    pub(super) fn begin_read(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::run(connection, "BEGIN"),
            Self::Postgres(session) => session.begin(postgres::READ),
        }
    }

    /// The place in the transaction that [`Session::undo`] goes back to.
    pub(super) fn savepoint(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::run(connection, "SAVEPOINT request"),
            Self::Postgres(session) => session.savepoint(),
        }
    }

    /// Undoes what was done since [`Session::savepoint`].
    pub(super) fn undo(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                sqlite::run(connection, "ROLLBACK TO request")?;
                sqlite::run(connection, "RELEASE request")
            }
            Self::Postgres(session) => session.undo(),
        }
    }

    /// What was done since [`Session::savepoint`] stays. An error: it cannot.
    pub(super) fn release(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::run(connection, "RELEASE request"),
            Self::Postgres(session) => session.release(),
        }
    }

    /// [`StoreError::WriterFailed`]: nobody knows whether it is committed.
    pub(super) fn commit(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::run(connection, "COMMIT"),
            Self::Postgres(session) => session.commit(),
        }
    }

    /// Undoes the transaction, if there is one.
    pub(super) fn rollback(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) if connection.is_autocommit() => Ok(()),
            Self::Sqlite(connection) => sqlite::run(connection, "ROLLBACK"),
            Self::Postgres(session) => session.rollback(),
        }
    }

    /// Whether a transaction is open: some failures (no room, no disk) undo the whole of it by themselves.
    pub(super) fn is_in_transaction(&self) -> bool {
        match self {
            Self::Sqlite(connection) => !connection.is_autocommit(),
            Self::Postgres(session) => session.is_in_transaction(),
        }
    }

    /// Before the end: what makes the next start quicker.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        match self {
            // The log stays valid without this.
            Self::Sqlite(connection) => {
                Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
            }
            Self::Postgres(_) => Ok(()),
        }
    }
}
