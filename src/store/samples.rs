//! Samples: frames in, series out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::downsample::{Downsampler, Series};
use super::request::Reply;
use super::sample_days::DAY_MS;
use super::sample_encoding::{decode, decode_one, encode};
use super::sample_sets::Column;
use super::session::{Dialect, Session};
use super::value::params;
use super::{Store, StoreError};

/// Rows that one request deletes at most: other requests get their turn in between.
const PRUNE_ROWS_MAX: u64 = 5_000;

/// What to read of one node's history.
#[derive(Debug, Clone)]
pub struct SampleQuery {
    /// Name of the node.
    pub node: String,
    /// Name of the metric.
    pub metric: String,
    /// Labels that a series must have; it may have others too. All series that match are averaged together.
    pub labels: BTreeMap<String, String>,
    /// First moment, Unix milliseconds.
    pub since_ms: u64,
    /// Last moment, Unix milliseconds.
    pub until_ms: u64,
    /// Points in the answer, at most.
    pub points: usize,
}

/// One stored frame.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleFrame {
    /// When it was sampled, Unix milliseconds.
    pub ts_ms: u64,
    /// What each position is.
    pub columns: Vec<Column>,
    /// The values, as many as `columns`; NaN is *missing*.
    pub values: Vec<f64>,
}

impl Store {
    /// Keeps one frame of `node`: `values` as many as `columns`, NaN for *missing*. A frame that is there
    /// already (same node, time and columns) stays as it is, so an agent may replay its spool.
    pub fn append_frame(&self, node: &str, ts_ms: u64, columns: Arc<[Column]>, values: &[f64]) -> Reply<()> {
        if values.len() != columns.len() {
            return Reply::refused(StoreError::Invalid(format!(
                "a frame has {} columns and {} values",
                columns.len(),
                values.len()
            )));
        }
        let (node, data) = (node.to_owned(), encode(values));
        // An agent's columns are shared with nobody, and most of what a frame holds while it waits.
        let columns_bytes = columns.iter().map(Column::weight_bytes).sum::<usize>();
        let weight_bytes = node.len() + data.len() + columns_bytes;
        self.write(weight_bytes, move |database| {
            let id = database.sets.find_or_make(&database.session, &node, &columns, ts_ms)?;
            database.frames.put(&database.session, id, ts_ms, data)
        })
    }

    /// One metric of one node over a span, averaged to at most `points` points. An unknown node or metric
    /// has none.
    pub async fn query_samples(&self, query: SampleQuery) -> Result<Series, StoreError> {
        self.read(move |session| read_series(session, &query)).await
    }

    /// The newest frame of `node`.
    pub async fn latest_frame(&self, node: &str) -> Result<Option<SampleFrame>, StoreError> {
        let node = node.to_owned();
        self.read(move |session| read_latest(session, &node)).await
    }

    /// Deletes samples older than `before_ms` in bounded steps; returns how many frames went. PostgreSQL drops whole days, and
    /// tells about how many there were.
    pub async fn prune_samples(&self, before_ms: u64) -> Result<u64, StoreError> {
        let dropped = self.write(0, move |database| match database.session.dialect() {
            Dialect::Sqlite => Ok(None),
            Dialect::Postgres => database.frames.drop_before(&database.session, before_ms).map(Some),
        });
        if let Some(frames) = dropped.await? {
            // A set is kept as long as the day of its last sample.
            self.prune_sets(before_ms - before_ms % DAY_MS).await?;
            return Ok(frames);
        }
        let nodes = self
            .read(|session| {
                let sql = "SELECT id FROM sample_nodes ORDER BY id";
                session.query::<i64, Vec<_>>(sql, params![], |row| row.get(0))
            })
            .await?;
        let mut total = 0;
        for node in nodes {
            loop {
                let pruned =
                    self.write(0, move |database| prune_step(&database.session, node, before_ms)).await?;
                total += pruned;
                if pruned < PRUNE_ROWS_MAX {
                    break;
                }
            }
        }
        self.prune_sets(before_ms).await?;
        Ok(total)
    }

    /// Forgets what no sample has any more.
    async fn prune_sets(&self, before_ms: u64) -> Result<(), StoreError> {
        self.write(0, move |database| {
            database.sets.forget();
            let session = &database.session;
            session.execute("DELETE FROM sample_sets WHERE used_until_ms < ?1", params![before_ms])?;
            session.execute(
                "DELETE FROM sample_nodes WHERE NOT EXISTS
                 (SELECT 1 FROM sample_sets WHERE sample_sets.node_id = sample_nodes.id)",
                params![],
            )?;
            Ok(())
        })
        .await
    }
}

fn prune_step(session: &Session, node: i64, before_ms: u64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM samples WHERE (node_id, ts_ms, set_id) IN
               (SELECT node_id, ts_ms, set_id FROM samples WHERE node_id = ?1 AND ts_ms < ?2
                ORDER BY ts_ms LIMIT ?3)";
    session.execute(sql, params![node, before_ms, PRUNE_ROWS_MAX])
}

/// Where the asked series are in the frames of one set.
struct Positions {
    count: usize,
    matching: Vec<usize>,
}

fn read_series(session: &Session, query: &SampleQuery) -> Result<Series, StoreError> {
    let mut downsampler = Downsampler::new(query.since_ms, query.until_ms, query.points);
    let Some(node) = node_id(session, &query.node)? else {
        return Ok(downsampler.finish());
    };
    let sets = matching_sets(session, node, query)?;
    let sql = "SELECT ts_ms, set_id, data FROM samples WHERE node_id = ?1 AND ts_ms BETWEEN ?2 AND ?3";
    session.each(sql, params![node, query.since_ms, query.until_ms], |row| {
        let Some(positions) = sets.get(&row.get::<i64>(1)?) else { return Ok(()) };
        let (ts_ms, data) = (row.get(0)?, row.get(2)?);
        for position in &positions.matching {
            let value = decode_one(data, positions.count, *position).ok_or_else(|| damaged(ts_ms))?;
            downsampler.add(ts_ms, value);
        }
        Ok(())
    })?;
    Ok(downsampler.finish())
}

fn matching_sets(
    session: &Session,
    node: i64,
    query: &SampleQuery,
) -> Result<HashMap<i64, Positions>, StoreError> {
    let sql = "SELECT id, columns FROM sample_sets WHERE node_id = ?1 AND used_until_ms >= ?2";
    let mut sets = HashMap::new();
    session.each(sql, params![node, query.since_ms], |row| {
        let columns: Vec<Column> = serde_json::from_str(row.get(1)?)?;
        let matching: Vec<usize> = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| {
                column.name == query.metric
                    && query.labels.iter().all(|(name, value)| column.labels.get(name) == Some(value))
            })
            .map(|(position, _)| position)
            .collect();
        if !matching.is_empty() {
            sets.insert(row.get(0)?, Positions { count: columns.len(), matching });
        }
        Ok(())
    })?;
    Ok(sets)
}

fn read_latest(session: &Session, node: &str) -> Result<Option<SampleFrame>, StoreError> {
    let Some(node) = node_id(session, node)? else { return Ok(None) };
    let sql = "SELECT ts_ms, data, columns FROM samples JOIN sample_sets ON sample_sets.id = samples.set_id
               WHERE samples.node_id = ?1 ORDER BY ts_ms DESC LIMIT 1";
    session.optional(sql, params![node], |row| {
        let (ts_ms, data) = (row.get(0)?, row.get(1)?);
        let columns: Vec<Column> = serde_json::from_str(row.get(2)?)?;
        let values = decode(data, columns.len()).ok_or_else(|| damaged(ts_ms))?;
        Ok(SampleFrame { ts_ms, columns, values })
    })
}

fn node_id(session: &Session, node: &str) -> Result<Option<i64>, StoreError> {
    session.optional("SELECT id FROM sample_nodes WHERE name = ?1", params![node], |row| row.get(0))
}

fn damaged(ts_ms: u64) -> StoreError {
    StoreError::Corrupt(format!("the samples of {ts_ms} cannot be decoded"))
}
