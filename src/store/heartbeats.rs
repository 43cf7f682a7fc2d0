//! Whoever is to give a sign of life again and again, and the newest one.

use super::request::Reply;
use super::value::{Row, params};
use super::{Store, StoreError};

/// One heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRecord {
    /// Whose.
    pub name: String,
    /// Time between beats, milliseconds.
    pub interval_ms: u64,
    /// How much later is still fine, milliseconds.
    pub grace_ms: u64,
    /// The newest one, Unix milliseconds.
    pub beaten_at_ms: u64,
    /// How many there were.
    pub beats: u64,
    /// Of the alert when it stays away: 0 info to 3 critical.
    pub severity: u8,
    /// That alert, while it does.
    pub alert_id: Option<String>,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Who made it.
    pub created_by: String,
}

const COLUMNS: &str =
    "name, interval_ms, grace_ms, beaten_at_ms, beats, severity, alert_id, created_at_ms, created_by";

impl Store {
    /// Keeps a heartbeat as it stands.
    pub fn put_heartbeat(&self, heartbeat: HeartbeatRecord) -> Reply<()> {
        self.write(256, move |database| {
            database.session.execute(&format!(
                    "INSERT INTO heartbeats ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (name) DO UPDATE SET interval_ms = ?2, grace_ms = ?3, beaten_at_ms = ?4, beats = ?5,
                         severity = ?6, alert_id = ?7, created_at_ms = ?8, created_by = ?9"
                ), params![
                    heartbeat.name,
                    heartbeat.interval_ms,
                    heartbeat.grace_ms,
                    heartbeat.beaten_at_ms,
                    heartbeat.beats,
                    heartbeat.severity,
                    heartbeat.alert_id,
                    heartbeat.created_at_ms,
                    heartbeat.created_by,
                ])?;
            Ok(())
        })
    }

    /// Forgets a heartbeat.
    pub fn delete_heartbeat(&self, name: &str) -> Reply<()> {
        let name = name.to_owned();
        self.write(name.len(), move |database| {
            database.session.execute("DELETE FROM heartbeats WHERE name = ?1", params![name])?;
            Ok(())
        })
    }

    /// All of them: there are few.
    pub async fn heartbeats(&self) -> Result<Vec<HeartbeatRecord>, StoreError> {
        self.read(|session| {
            let sql = format!("SELECT {COLUMNS} FROM heartbeats ORDER BY name");
            session.query(&sql, params![], read)
        })
        .await
    }
}

fn read(row: Row<'_>) -> Result<HeartbeatRecord, StoreError> {
    Ok(HeartbeatRecord {
        name: row.get(0)?,
        interval_ms: row.get(1)?,
        grace_ms: row.get(2)?,
        beaten_at_ms: row.get(3)?,
        beats: row.get(4)?,
        severity: row.get(5)?,
        alert_id: row.get(6)?,
        created_at_ms: row.get(7)?,
        created_by: row.get(8)?,
    })
}
