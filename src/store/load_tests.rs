//! Load tests: what each was, and what was measured.

use super::request::Reply;
use super::value::{Row, params};
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
            let session = &database.session;
            session.execute(
                &format!(
                    "INSERT INTO load_test_runs ({HEAD_COLUMNS}, detail)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT (id) DO UPDATE SET name = ?2, scenario = ?3, status = ?4, started_by = ?5,
                         started_at_ms = ?6, ended_at_ms = ?7, failure = ?8, figures = ?9, detail = ?10"
                ),
                params![
                    run.id,
                    run.name,
                    run.scenario,
                    run.status,
                    run.started_by,
                    run.started_at_ms,
                    run.ended_at_ms,
                    run.failure,
                    run.figures,
                    run.detail,
                ],
            )?;
            session.execute(
                "DELETE FROM load_test_runs WHERE id <=
                         (SELECT id FROM load_test_runs ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                params![runs_max],
            )?;
            Ok(())
        })
    }

    /// Marks every run that is still running as failed: for the start of a hub, when none can be. Returns how many.
    pub fn fail_load_tests(&self, why: &str, now_ms: u64) -> Reply<u64> {
        let why = why.to_owned();
        self.write(why.len(), move |database| {
            database.session.execute(
                "UPDATE load_test_runs SET status = 'failed', failure = ?1, ended_at_ms = ?2
                 WHERE status = 'running'",
                params![why, now_ms],
            )
        })
    }

    /// One run.
    pub async fn load_test(&self, id: &str) -> Result<Option<LoadTestRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {HEAD_COLUMNS}, detail FROM load_test_runs WHERE id = ?1");
            let read = |row: Row<'_>| Ok(LoadTestRecord { detail: row.get(9)?, ..read_head(row)? });
            session.optional(&sql, params![id], read)
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
        self.read(move |session| {
            let sql = format!(
                "SELECT {HEAD_COLUMNS} FROM load_test_runs WHERE CAST(?1 AS TEXT) IS NULL OR id < ?1
                 ORDER BY id DESC LIMIT ?2"
            );
            session.query(&sql, params![before, limit], read_head)
        })
        .await
    }
}

fn read_head(row: Row<'_>) -> Result<LoadTestRecord, StoreError> {
    Ok(LoadTestRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        scenario: row.get(2)?,
        status: row.get(3)?,
        started_by: row.get(4)?,
        started_at_ms: row.get(5)?,
        ended_at_ms: row.get(6)?,
        failure: row.get(7)?,
        figures: row.get(8)?,
        detail: String::new(),
    })
}
