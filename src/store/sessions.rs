//! Sessions of clients: who a client id belongs to, and since when.

use super::request::Reply;
use super::value::{Row, params};
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
    /// The life of the hub node with the newest connection; empty for a hub alone.
    pub hub: String,
}

const SESSION_COLUMNS: &str =
    "client_id, subject, role, remote_address, connected_at_ms, disconnected_at_ms, reconnects, state, hub";

impl Store {
    /// Keeps sessions, replacing what was there, all or none. What another hub node wrote of a newer connection stays.
    pub fn put_sessions(&self, sessions: Vec<SessionRecord>) -> Reply<()> {
        self.write(sessions.len() * 256, move |database| {
            let sql = &format!(
                "INSERT INTO sessions ({SESSION_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (client_id) DO UPDATE SET subject = ?2, role = ?3, remote_address = ?4,
                     connected_at_ms = ?5, disconnected_at_ms = ?6, reconnects = ?7, state = ?8, hub = ?9
                 WHERE sessions.hub = ?9 OR sessions.connected_at_ms < ?5"
            );
            for session in sessions {
                database.session.execute(
                    sql,
                    params![
                        session.client_id,
                        session.subject,
                        session.role,
                        session.remote_address,
                        session.connected_at_ms,
                        session.disconnected_at_ms,
                        session.reconnects,
                        session.state,
                        session.hub,
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// Ends every session that is still open: for the start of a hub, after which none is. Returns how many.
    pub fn end_sessions(&self, now_ms: u64) -> Reply<u64> {
        self.write(0, move |database| {
            database.session.execute(
                "UPDATE sessions SET disconnected_at_ms = ?1 WHERE disconnected_at_ms IS NULL",
                params![now_ms],
            )
        })
    }

    /// Ends the open sessions of hub nodes that are not there any more. Returns how many.
    pub fn end_sessions_without(&self, hubs: Vec<String>, now_ms: u64) -> Reply<u64> {
        self.write(hubs.len() * 32, move |database| {
            let sql = "SELECT DISTINCT hub FROM sessions WHERE disconnected_at_ms IS NULL";
            let open: Vec<String> = database.session.query(sql, params![], |row| row.get(0))?;
            let mut ended = 0;
            for hub in open.iter().filter(|hub| !hubs.contains(hub)) {
                ended += database.session.execute(
                    "UPDATE sessions SET disconnected_at_ms = ?1 WHERE disconnected_at_ms IS NULL AND hub = ?2",
                    params![now_ms, hub],
                )?;
            }
            Ok(ended)
        })
    }

    /// Forgets sessions that ended before `before_ms`; returns whose.
    pub fn prune_sessions(&self, before_ms: u64) -> Reply<Vec<String>> {
        self.write(0, move |database| {
            let sql = "DELETE FROM sessions WHERE disconnected_at_ms < ?1 RETURNING client_id";
            database.session.query(sql, params![before_ms], |row| row.get(0))
        })
    }

    /// One session.
    pub async fn session(&self, client_id: &str) -> Result<Option<SessionRecord>, StoreError> {
        let client_id = client_id.to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE client_id = ?1");
            session.optional(&sql, params![client_id], read_session)
        })
        .await
    }

    /// Sessions of a subject, the newest first, at most `limit`.
    pub async fn sessions_of(&self, subject: &str, limit: usize) -> Result<Vec<SessionRecord>, StoreError> {
        let subject = subject.to_owned();
        self.read(move |session| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS} FROM sessions WHERE subject = ?1 ORDER BY connected_at_ms DESC LIMIT ?2"
            );
            session.query(&sql, params![subject, limit], read_session)
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
        self.read(move |session| {
            let sql = format!(
                "SELECT {SESSION_COLUMNS} FROM sessions WHERE client_id > ?1 ORDER BY client_id LIMIT ?2"
            );
            session.query(&sql, params![after, limit], read_session)
        })
        .await
    }
}

fn read_session(row: Row<'_>) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        client_id: row.get(0)?,
        subject: row.get(1)?,
        role: row.get(2)?,
        remote_address: row.get(3)?,
        connected_at_ms: row.get(4)?,
        disconnected_at_ms: row.get(5)?,
        reconnects: row.get(6)?,
        state: row.get(7)?,
        hub: row.get(8)?,
    })
}
