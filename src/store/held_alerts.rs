//! Alerts that wait for their breaker to close.

use bytes::Bytes;
use rusqlite::params;

use super::connection::{to_sql, unsigned};
use super::request::Reply;
use super::{Store, StoreError};

/// One alert that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAlert {
    /// Order of arrival; never given twice.
    pub seq: u64,
    /// Where it is published.
    pub topic: String,
    /// What is published, JSON.
    pub message: Bytes,
    /// Correlation id of the request that posted it.
    pub cause: Option<String>,
}

impl Store {
    /// Keeps an alert until it is published; its place in the queue, or `None` when `held_max` wait.
    pub fn hold_alert(
        &self,
        topic: &str,
        message: Bytes,
        cause: Option<&str>,
        now_ms: u64,
        held_max: usize,
    ) -> Reply<Option<u64>> {
        let (topic, cause) = (topic.to_owned(), cause.map(str::to_owned));
        self.write(message.len() + 256, move |database| {
            let connection = &database.connection;
            let held: i64 = connection
                .prepare_cached("SELECT count(*) FROM held_alerts")?
                .query_row([], |row| row.get(0))?;
            let held = u64::try_from(held).unwrap_or(0);
            if held >= held_max as u64 {
                return Ok(None);
            }
            connection
                .prepare_cached(
                    "INSERT INTO held_alerts (topic, message, cause, held_at_ms) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![topic, &message[..], cause, to_sql(now_ms)])?;
            Ok(Some(held + 1))
        })
    }

    /// The alerts that wait longest, at most `limit`.
    pub async fn held_alerts(&self, limit: usize) -> Result<Vec<HeldAlert>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT seq, topic, message, cause FROM held_alerts ORDER BY seq LIMIT ?1")?;
            let rows = statement.query_map([limit as i64], |row| {
                Ok(HeldAlert {
                    seq: unsigned(row, 0)?,
                    topic: row.get(1)?,
                    message: Bytes::from(row.get::<_, Vec<u8>>(2)?),
                    cause: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many alerts wait.
    pub async fn held_alerts_count(&self) -> Result<usize, StoreError> {
        self.read(|connection| {
            let held: i64 = connection.query_row("SELECT count(*) FROM held_alerts", [], |row| row.get(0))?;
            Ok(usize::try_from(held).unwrap_or(0))
        })
        .await
    }

    /// Forgets the alerts up to this one: they are published.
    pub fn forget_held_alerts(&self, up_to_seq: u64) -> Reply<()> {
        self.write(0, move |database| {
            database
                .connection
                .prepare_cached("DELETE FROM held_alerts WHERE seq <= ?1")?
                .execute([to_sql(up_to_seq)])?;
            Ok(())
        })
    }
}
