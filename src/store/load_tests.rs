//! Load tests: what each was, and what was measured.

use rusqlite::{OptionalExtension, Row, params};

use super::connection::{to_sql, unsigned, unsigned_or_null};
use super::request::Reply;
use super::{Store, StoreError};

/// One run of a load test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTestRecord {
    /// UUID version 7: ids are in order of their starts.
    pub id: String,
    /// What its starter calls it.
    pub name: String,
    /// What the load does.
    pub scenario: String,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Whose token started it.
    pub started_by: String,
    /// When, Unix milliseconds.
    pub started_at_ms: u64,
    /// When it was over; `None` while it runs.
    pub ended_at_ms: Option<u64>,
    /// Why it is not completed.
    pub failure: Option<String>,
    /// What was measured, as its owner writes it (JSON).
    pub figures: String,
    /// The same by phase and by bucket (JSON); empty in lists.
    pub detail: String,
}

const HEAD_COLUMNS: &str =
    "id, name, scenario, status, started_by, started_at_ms, ended_at_ms, failure, figures";

impl Store {
    /// Keeps a run, replacing what was there, and forgets the oldest beyond `runs_max`.
    pub fn put_load_test(&self, run: LoadTestRecord, runs_max: usize) -> Reply<()> {
        self.write(run.figures.len() + run.detail.len() + 256, move |database| {
            let connection = &database.connection;
            connection
                .prepare_cached(&format!(
                    "INSERT OR REPLACE INTO load_test_runs ({HEAD_COLUMNS}, detail)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                ))?
                .execute(params![
                    run.id,
                    run.name,
                    run.scenario,
                    run.status,
                    run.started_by,
                    to_sql(run.started_at_ms),
                    run.ended_at_ms.map(to_sql),
                    run.failure,
                    run.figures,
                    run.detail,
                ])?;
            connection
                .prepare_cached(
                    "DELETE FROM load_test_runs WHERE id <=
                         (SELECT id FROM load_test_runs ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                )?
                .execute([runs_max as i64])?;
            Ok(())
        })
    }

    /// Marks every run that is still running as failed: for the start of a hub, when none can be. Returns how many.
    pub fn fail_load_tests(&self, why: &str, now_ms: u64) -> Reply<u64> {
        let why = why.to_owned();
        self.write(why.len(), move |database| {
            let failed = database.connection.execute(
                "UPDATE load_test_runs SET status = 'failed', failure = ?1, ended_at_ms = ?2
                 WHERE status = 'running'",
                params![why, to_sql(now_ms)],
            )?;
            Ok(failed as u64)
        })
    }

    /// One run.
    pub async fn load_test(&self, id: &str) -> Result<Option<LoadTestRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let sql = format!("SELECT {HEAD_COLUMNS}, detail FROM load_test_runs WHERE id = ?1");
            let read = |row: &Row<'_>| Ok(LoadTestRecord { detail: row.get(9)?, ..read_head(row)? });
            Ok(connection.prepare_cached(&sql)?.query_row([id], read).optional()?)
        })
        .await
    }

    /// Runs without their detail, the newest first, at most `limit`, those before `before` when it is given.
    pub async fn load_tests(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<LoadTestRecord>, StoreError> {
        let before = before.map(str::to_owned);
        self.read(move |connection| {
            let sql = format!(
                "SELECT {HEAD_COLUMNS} FROM load_test_runs WHERE ?1 IS NULL OR id < ?1
                 ORDER BY id DESC LIMIT ?2"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![before, limit as i64], read_head)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<LoadTestRecord> {
    Ok(LoadTestRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        scenario: row.get(2)?,
        status: row.get(3)?,
        started_by: row.get(4)?,
        started_at_ms: unsigned(row, 5)?,
        ended_at_ms: unsigned_or_null(row, 6)?,
        failure: row.get(7)?,
        figures: row.get(8)?,
        detail: String::new(),
    })
}
