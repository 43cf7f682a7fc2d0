//! Samples as they were taken, series by series: for whoever looks at the past with other eyes than a chart.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use super::connection::{to_sql, unsigned};
use super::sample_encoding::decode_one;
use super::sample_sets::Column;
use super::{Store, StoreError};

/// Frames that are looked at, at most: they cost time also where nothing of them is wanted.
const FRAMES_MAX: usize = 1_000_000;

/// Which samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastQuery {
    /// Of this node; of all when left out.
    pub node: Option<String>,
    /// First moment, Unix milliseconds.
    pub since_ms: u64,
    /// Last moment, Unix milliseconds.
    pub until_ms: u64,
    /// Series, at most.
    pub series_max: usize,
    /// Samples of all of them, at most; the newest.
    pub samples_max: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct PastSamples<T> {
    /// What was made of each series, with its samples (Unix milliseconds, value), oldest first.
    pub series: Vec<(T, Vec<(u64, f64)>)>,
    /// Whether series or samples were left out.
    pub truncated: bool,
}

impl Store {
    /// The samples of the series that `wanted` makes something of: by node, labels of the node, and column.
    pub async fn past_samples<T, F>(&self, query: PastQuery, wanted: F) -> Result<PastSamples<T>, StoreError>
    where
        T: Send + 'static,
        F: Fn(&str, &BTreeMap<String, String>, &Column) -> Option<T> + Send + 'static,
    {
        self.read(move |connection| {
            let mut past = PastSamples { series: Vec::new(), truncated: false };
            let mut frames = 0;
            for (id, name) in nodes(connection, query.node.as_deref())? {
                let sets = wanted_sets(connection, (id, &name), &query, &wanted, &mut past)?;
                if !sets.is_empty() {
                    read(connection, id, &query, &sets, &mut past.series, &mut frames)?;
                }
                let taken: usize = past.series.iter().map(|(_, samples)| samples.len()).sum();
                if taken >= query.samples_max || frames >= FRAMES_MAX {
                    past.truncated = true;
                    break;
                }
            }
            past.series.retain(|(_, samples)| !samples.is_empty());
            past.series.iter_mut().for_each(|(_, samples)| samples.reverse());
            Ok(past)
        })
        .await
    }
}

fn nodes(connection: &Connection, only: Option<&str>) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, name FROM sample_nodes WHERE ?1 IS NULL OR name = ?1 ORDER BY name")?;
    let rows = statement.query_map([only], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// By set: how many columns it has, and which of them belong to which series of the answer.
type Sets = HashMap<i64, (usize, Vec<(usize, usize)>)>;

fn wanted_sets<T>(
    connection: &Connection,
    (node, name): (i64, &str),
    query: &PastQuery,
    wanted: &impl Fn(&str, &BTreeMap<String, String>, &Column) -> Option<T>,
    past: &mut PastSamples<T>,
) -> Result<Sets, StoreError> {
    let labels = connection
        .prepare_cached("SELECT labels FROM nodes WHERE name = ?1")?
        .query_row([name], |row| row.get::<_, String>(0))
        .optional()?;
    // A node may have been forgotten before its samples are.
    let labels = labels.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut statement = connection
        .prepare_cached("SELECT id, columns FROM sample_sets WHERE node_id = ?1 AND used_until_ms >= ?2")?;
    let mut rows = statement.query(params![node, to_sql(query.since_ms)])?;
    let (mut sets, mut known) = (Sets::new(), HashMap::<Column, usize>::new());
    while let Some(row) = rows.next()? {
        let columns: Vec<Column> = serde_json::from_str(&row.get::<_, String>(1)?)?;
        let (count, mut places) = (columns.len(), Vec::new());
        for (position, column) in columns.into_iter().enumerate() {
            if let Some(series) = known.get(&column) {
                places.push((position, *series));
            } else if let Some(made) = wanted(name, &labels, &column) {
                if past.series.len() >= query.series_max {
                    past.truncated = true;
                    continue;
                }
                places.push((position, past.series.len()));
                known.insert(column, past.series.len());
                past.series.push((made, Vec::new()));
            }
        }
        if !places.is_empty() {
            sets.insert(row.get(0)?, (count, places));
        }
    }
    Ok(sets)
}

/// The newest first, as many as there is room for.
fn read<T>(
    connection: &Connection,
    node: i64,
    query: &PastQuery,
    sets: &Sets,
    series: &mut [(T, Vec<(u64, f64)>)],
    frames: &mut usize,
) -> Result<(), StoreError> {
    let taken: usize = series.iter().map(|(_, samples)| samples.len()).sum();
    let mut room = query.samples_max.saturating_sub(taken);
    let mut statement = connection.prepare_cached(
        "SELECT ts_ms, set_id, data FROM samples WHERE node_id = ?1 AND ts_ms BETWEEN ?2 AND ?3 ORDER BY ts_ms DESC",
    )?;
    let mut rows = statement.query(params![node, to_sql(query.since_ms), to_sql(query.until_ms)])?;
    while let Some(row) = rows.next()? {
        *frames += 1;
        if room == 0 || *frames >= FRAMES_MAX {
            break;
        }
        let Some((count, places)) = sets.get(&row.get::<_, i64>(1)?) else { continue };
        let ts_ms = unsigned(row, 0)?;
        let data = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
        for (position, index) in places {
            let value = decode_one(data, *count, *position)
                .ok_or_else(|| StoreError::Corrupt(format!("the samples of {ts_ms} cannot be decoded")))?;
            if let Some((_, samples)) = series.get_mut(*index).filter(|_| !value.is_nan()) {
                samples.push((ts_ms, value));
                room = room.saturating_sub(1);
            }
        }
    }
    Ok(())
}
