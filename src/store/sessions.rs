//! Sessions of clients: who a client id belongs to, and since when.

use rusqlite::{OptionalExtension, Row, params};

use super::connection::{to_sql, unsigned, unsigned_or_null};
use super::request::Reply;
use super::{Store, StoreError};

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Names the session across reconnects.
    pub client_id: String,
    /// Whose token opened it.
    pub subject: String,
    /// Role in that token.
    pub role: String,
    /// Address of the newest connection, if it is known.
    pub remote_address: Option<String>,
    /// Start of the newest connection, Unix milliseconds.
    pub connected_at_ms: u64,
    /// Its end; `None` while it is connected.
    pub disconnected_at_ms: Option<u64>,
    /// How often the client came back.
    pub reconnects: u64,
    /// What it remembers, as its owner writes it (JSON).
    pub state: String,
}

const SESSION_COLUMNS: &str =
    "client_id, subject, role, remote_address, connected_at_ms, disconnected_at_ms, reconnects, state";

impl Store {
    /// Keeps sessions, replacing what was there, all or none.
    pub fn put_sessions(&self, sessions: Vec<SessionRecord>) -> Reply<()> {
        self.write(sessions.len() * 256, move |database| {
            let mut statement = database.connection.prepare_cached(&format!(
                "INSERT OR REPLACE INTO sessions ({SESSION_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?;
            for session in sessions {
                statement.execute(params![
                    session.client_id,
                    session.subject,
                    session.role,
                    session.remote_address,
                    to_sql(session.connected_at_ms),
                    session.disconnected_at_ms.map(to_sql),
                    to_sql(session.reconnects),
                    session.state,
                ])?;
            }
            Ok(())
        })
    }

    /// Ends every session that is still open: for the start of a hub, after which none is. Returns how many.
    pub fn end_sessions(&self, now_ms: u64) -> Reply<u64> {
        self.write(0, move |database| {
            let ended = database.connection.execute(
                "UPDATE sessions SET disconnected_at_ms = ?1 WHERE disconnected_at_ms IS NULL",
                [to_sql(now_ms)],
            )?;
            Ok(ended as u64)
        })
    }

    /// Forgets sessions that ended before `before_ms`; returns how many.
    pub fn prune_sessions(&self, before_ms: u64) -> Reply<u64> {
        self.write(0, move |database| {
            let pruned = database
                .connection
                .execute("DELETE FROM sessions WHERE disconnected_at_ms < ?1", [to_sql(before_ms)])?;
            Ok(pruned as u64)
        })
    }

    /// One session.
    pub async fn session(&self, client_id: &str) -> Result<Option<SessionRecord>, StoreError> {
        let client_id = client_id.to_owned();
        self.read(move |connection| {
            let sql = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE client_id = ?1");
            Ok(connection.prepare_cached(&sql)?.query_row([client_id], read_session).optional()?)
        })
        .await
    }

    /// Sessions by client id, at most `limit`, those behind `after` when it is given.
    pub async fn sessions(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |connection| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS} FROM sessions WHERE client_id > ?1 ORDER BY client_id LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, limit as i64], read_session)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    Ok(SessionRecord {
        client_id: row.get(0)?,
        subject: row.get(1)?,
        role: row.get(2)?,
        remote_address: row.get(3)?,
        connected_at_ms: unsigned(row, 4)?,
        disconnected_at_ms: unsigned_or_null(row, 5)?,
        reconnects: unsigned(row, 6)?,
        state: row.get(7)?,
    })
}
