//! Samples as they were taken, series by series: for whoever looks at the past with other eyes than a chart.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use super::sample_encoding::decode_one;
use super::sample_sets::Column;
use super::session::Session;
use super::value::params;
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
        self.read(move |session| {
            let mut past = PastSamples { series: Vec::new(), truncated: false };
            let mut frames = 0;
            for (id, name) in nodes(session, query.node.as_deref())? {
                let sets = wanted_sets(session, (id, &name), &query, &wanted, &mut past)?;
                if !sets.is_empty() {
                    read(session, id, &query, &sets, &mut past.series, &mut frames)?;
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

fn nodes(session: &Session, only: Option<&str>) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "SELECT id, name FROM sample_nodes WHERE CAST(?1 AS TEXT) IS NULL OR name = ?1 ORDER BY name";
    session.query(sql, params![only], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// By set: how many columns it has, and which of them belong to which series of the answer.
type Sets = HashMap<i64, (usize, Vec<(usize, usize)>)>;

fn wanted_sets<T>(
    session: &Session,
    (node, name): (i64, &str),
    query: &PastQuery,
    wanted: &impl Fn(&str, &BTreeMap<String, String>, &Column) -> Option<T>,
    past: &mut PastSamples<T>,
) -> Result<Sets, StoreError> {
    let sql = "SELECT labels FROM nodes WHERE name = ?1";
    let labels = session.optional(sql, params![name], |row| row.get::<String>(0))?;
    // A node may have been forgotten before its samples are.
    let labels = labels.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let sql = "SELECT id, columns FROM sample_sets WHERE node_id = ?1 AND used_until_ms >= ?2";
    let (mut sets, mut known) = (Sets::new(), HashMap::<Column, usize>::new());
    session.each(sql, params![node, query.since_ms], |row| {
        let columns: Vec<Column> = serde_json::from_str(row.get(1)?)?;
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
        Ok(())
    })?;
    Ok(sets)
}

/// The newest first, as many as there is room for.
fn read<T>(
    session: &Session,
    node: i64,
    query: &PastQuery,
    sets: &Sets,
    series: &mut [(T, Vec<(u64, f64)>)],
    frames: &mut usize,
) -> Result<(), StoreError> {
    let taken: usize = series.iter().map(|(_, samples)| samples.len()).sum();
    let mut room = query.samples_max.saturating_sub(taken);
    let sql = "SELECT ts_ms, set_id, data FROM samples WHERE node_id = ?1 AND ts_ms BETWEEN ?2 AND ?3
               ORDER BY ts_ms DESC LIMIT ?4";
    let frames_left = FRAMES_MAX.saturating_sub(*frames);
    session.each_until(sql, params![node, query.since_ms, query.until_ms, frames_left], |row| {
        *frames += 1;
        if room == 0 || *frames >= FRAMES_MAX {
            return Ok(ControlFlow::Break(()));
        }
        let Some((count, places)) = sets.get(&row.get::<i64>(1)?) else {
            return Ok(ControlFlow::Continue(()));
        };
        let (ts_ms, data) = (row.get(0)?, row.get(2)?);
        for (position, index) in places {
            let value = decode_one(data, *count, *position)
                .ok_or_else(|| StoreError::Corrupt(format!("the samples of {ts_ms} cannot be decoded")))?;
            if let Some((_, samples)) = series.get_mut(*index).filter(|_| !value.is_nan()) {
                samples.push((ts_ms, value));
                room = room.saturating_sub(1);
            }
        }
        Ok(ControlFlow::Continue(()))
    })
}
