//! Samples: frames in, series out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::connection::{to_sql, unsigned};
use super::downsample::{Downsampler, Series};
use super::request::Reply;
use super::sample_encoding::{decode, decode_one, encode};
use super::sample_sets::Column;
use super::{Store, StoreError};

/// Rows that one request deletes at most: other requests get their turn in between.
const PRUNE_ROWS_MAX: usize = 5_000;

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
        let weight_bytes = node.len() + data.len();
        self.write(weight_bytes, move |database| {
            let id = database.sets.find_or_make(&database.connection, &node, &columns, ts_ms)?;
            database
                .connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO samples (node_id, ts_ms, set_id, data) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![id.node, to_sql(ts_ms), id.set, data])?;
            Ok(())
        })
    }

    /// One metric of one node over a span, averaged to at most `points` points. An unknown node or metric
    /// has none.
    pub async fn query_samples(&self, query: SampleQuery) -> Result<Series, StoreError> {
        self.read(move |connection| read_series(connection, &query)).await
    }

    /// The newest frame of `node`.
    pub async fn latest_frame(&self, node: &str) -> Result<Option<SampleFrame>, StoreError> {
        let node = node.to_owned();
        self.read(move |connection| read_latest(connection, &node)).await
    }

    /// Deletes samples older than `before_ms` in bounded steps; returns how many frames went.
    pub async fn prune_samples(&self, before_ms: u64) -> Result<u64, StoreError> {
        let nodes = self
            .read(|connection| {
                let mut statement = connection.prepare_cached("SELECT id FROM sample_nodes ORDER BY id")?;
                Ok(statement.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?)
            })
            .await?;
        let mut total = 0;
        for node in nodes {
            loop {
                let pruned =
                    self.write(0, move |database| prune_step(&database.connection, node, before_ms)).await?;
                total += pruned as u64;
                if pruned < PRUNE_ROWS_MAX {
                    break;
                }
            }
        }
        self.write(0, move |database| {
            database.sets.forget();
            let connection = &database.connection;
            connection.execute("DELETE FROM sample_sets WHERE used_until_ms < ?1", [to_sql(before_ms)])?;
            connection.execute(
                "DELETE FROM sample_nodes WHERE NOT EXISTS
                 (SELECT 1 FROM sample_sets WHERE sample_sets.node_id = sample_nodes.id)",
                [],
            )?;
            Ok(())
        })
        .await?;
        Ok(total)
    }
}

fn prune_step(connection: &Connection, node: i64, before_ms: u64) -> Result<usize, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM samples WHERE (node_id, ts_ms, set_id) IN
             (SELECT node_id, ts_ms, set_id FROM samples WHERE node_id = ?1 AND ts_ms < ?2
              ORDER BY ts_ms LIMIT ?3)",
        )?
        .execute(params![node, to_sql(before_ms), PRUNE_ROWS_MAX as i64])?;
    Ok(deleted)
}

/// Where the asked series are in the frames of one set.
struct Positions {
    count: usize,
    matching: Vec<usize>,
}

fn read_series(connection: &Connection, query: &SampleQuery) -> Result<Series, StoreError> {
    let mut downsampler = Downsampler::new(query.since_ms, query.until_ms, query.points);
    let Some(node) = node_id(connection, &query.node)? else {
        return Ok(downsampler.finish());
    };
    let sets = matching_sets(connection, node, query)?;
    let mut statement = connection.prepare_cached(
        "SELECT ts_ms, set_id, data FROM samples WHERE node_id = ?1 AND ts_ms BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![node, to_sql(query.since_ms), to_sql(query.until_ms)])?;
    while let Some(row) = rows.next()? {
        let Some(positions) = sets.get(&row.get::<_, i64>(1)?) else { continue };
        let ts_ms = unsigned(row, 0)?;
        let data = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        for position in &positions.matching {
            let value = decode_one(data, positions.count, *position).ok_or_else(|| damaged(ts_ms))?;
            downsampler.add(ts_ms, value);
        }
    }
    Ok(downsampler.finish())
}

fn matching_sets(
    connection: &Connection,
    node: i64,
    query: &SampleQuery,
) -> Result<HashMap<i64, Positions>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, columns FROM sample_sets WHERE node_id = ?1 AND used_until_ms >= ?2")?;
    let mut rows = statement.query(params![node, to_sql(query.since_ms)])?;
    let mut sets = HashMap::new();
    while let Some(row) = rows.next()? {
        let columns: Vec<Column> = serde_json::from_str(&row.get::<_, String>(1)?)?;
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
    }
    Ok(sets)
}

fn read_latest(connection: &Connection, node: &str) -> Result<Option<SampleFrame>, StoreError> {
    let Some(node) = node_id(connection, node)? else { return Ok(None) };
    let newest = connection
        .prepare_cached(
            "SELECT ts_ms, data, columns FROM samples JOIN sample_sets ON sample_sets.id = samples.set_id
             WHERE samples.node_id = ?1 ORDER BY ts_ms DESC LIMIT 1",
        )?
        .query_row([node], |row| Ok((unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, String>(2)?)))
        .optional()?;
    let Some((ts_ms, data, columns)) = newest else { return Ok(None) };
    let columns: Vec<Column> = serde_json::from_str(&columns)?;
    let values = decode(&data, columns.len()).ok_or_else(|| damaged(ts_ms))?;
    Ok(Some(SampleFrame { ts_ms, columns, values }))
}

fn node_id(connection: &Connection, node: &str) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id FROM sample_nodes WHERE name = ?1")?
        .query_row([node], |row| row.get(0))
        .optional()?)
}

fn damaged(ts_ms: u64) -> StoreError {
    StoreError::Corrupt(format!("the samples of {ts_ms} cannot be decoded"))
}
