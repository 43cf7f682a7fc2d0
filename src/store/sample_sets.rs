//! Which set of columns a frame has, remembered so that the usual frame needs no look-up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::session::Session;
use super::value::params;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// What one position of a frame holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Column {
    /// Name of the metric.
    pub name: String,
    /// Labels of the series; without those of the node.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Column {
    /// What it holds in memory, about, in bytes.
    pub fn weight_bytes(&self) -> usize {
        let labels = self.labels.iter().map(|(name, value)| name.len() + value.len() + 96);
        64 + self.name.len() + labels.sum::<usize>()
    }
}

/// `used_until_ms` of a set is moved ahead by this much at a time, so that it is rarely written.
const USED_STEP_MS: u64 = 3_600_000;

/// Nodes, and sets of one node, that are remembered. Beyond that the database is asked.
const NODES_MAX: usize = 10_000;
const SETS_MAX: usize = 4;

/// Identity of a node and of one of its sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetId {
    pub(super) node: i64,
    pub(super) set: i64,
}

struct Known {
    columns: Arc<[Column]>,
    id: SetId,
    used_until_ms: u64,
}

/// The sets used last of each node. Must be forgotten whenever a transaction is undone: it may have
/// made the sets that are remembered.
#[derive(Default)]
pub(super) struct SampleSets(HashMap<String, Vec<Known>>);

impl SampleSets {
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// The set of these columns, made when it is new, and marked as used at `ts_ms`.
    pub(super) fn find_or_make(
        &mut self,
        session: &Session,
        node: &str,
        columns: &Arc<[Column]>,
        ts_ms: u64,
    ) -> Result<SetId, StoreError> {
        let known = self.0.get_mut(node).and_then(|sets| {
            sets.iter_mut().find(|known| Arc::ptr_eq(&known.columns, columns) || known.columns == *columns)
        });
        if let Some(known) = known {
            if ts_ms > known.used_until_ms {
                known.used_until_ms = mark_used(session, known.id, ts_ms)?;
            }
            return Ok(known.id);
        }
        let (id, used_until_ms) = load_or_make(session, node, columns, ts_ms)?;
        if self.0.len() >= NODES_MAX {
            self.0.clear();
        }
        let sets = self.0.entry(node.to_owned()).or_default();
        if sets.len() >= SETS_MAX {
            sets.remove(0);
        }
        sets.push(Known { columns: columns.clone(), id, used_until_ms });
        Ok(id)
    }
}

fn load_or_make(
    session: &Session,
    node: &str,
    columns: &Arc<[Column]>,
    ts_ms: u64,
) -> Result<(SetId, u64), StoreError> {
    let text = serde_json::to_string(&columns[..])?;
    let sql = "INSERT INTO sample_nodes (name) VALUES (?1) ON CONFLICT DO NOTHING";
    session.execute(sql, params![node])?;
    let sql = "SELECT id FROM sample_nodes WHERE name = ?1";
    let node: i64 = session.one(sql, params![node], |row| row.get(0))?;
    let sql = "SELECT id, used_until_ms FROM sample_sets WHERE node_id = ?1 AND columns = ?2";
    let found = session.optional(sql, params![node, text], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((set, used_until_ms)) = found {
        let id = SetId { node, set };
        let until_ms = if ts_ms > used_until_ms { mark_used(session, id, ts_ms)? } else { used_until_ms };
        return Ok((id, until_ms));
    }
    let used_until_ms = ts_ms.saturating_add(USED_STEP_MS);
    let sql = "INSERT INTO sample_sets (node_id, columns, used_until_ms) VALUES (?1, ?2, ?3) RETURNING id";
    let set = session.one(sql, params![node, text, used_until_ms], |row| row.get(0))?;
    Ok((SetId { node, set }, used_until_ms))
}

fn mark_used(session: &Session, id: SetId, ts_ms: u64) -> Result<u64, StoreError> {
    let used_until_ms = ts_ms.saturating_add(USED_STEP_MS);
    let sql = "UPDATE sample_sets SET used_until_ms = ?2 WHERE id = ?1";
    session.execute(sql, params![id.set, used_until_ms])?;
    Ok(used_until_ms)
}
