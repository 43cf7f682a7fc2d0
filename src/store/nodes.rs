//! What the hub knew last of each node.

use std::collections::BTreeMap;

use super::request::Reply;
use super::session::Session;
use super::value::{Row, params};
use super::{Store, StoreError};

/// One node as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Name of the node.
    pub name: String,
    /// State of its life cycle: `enrolling`, `online`, `late`, `offline`, `retired`.
    pub state: String,
    /// Where its samples come from: `sampler` or `agent`.
    pub source: String,
    /// Labels of the node.
    pub labels: BTreeMap<String, String>,
    /// Inventory as a JSON object, as it was reported.
    pub inventory: Option<serde_json::Value>,
    /// Announced interval between two frames.
    pub interval_ms: u64,
    /// Silence after which it is offline.
    pub ttl_ms: u64,
    /// First frame ever, Unix milliseconds.
    pub first_seen_ms: u64,
    /// Newest frame, Unix milliseconds.
    pub last_seen_ms: u64,
}

const NODE_COLUMNS: &str =
    "name, state, source, labels, inventory, interval_ms, ttl_ms, first_seen_ms, last_seen_ms";

impl Store {
    /// Keeps a node, replacing what was there except `first_seen_ms`.
    pub fn put_node(&self, node: NodeRecord) -> Reply<()> {
        let weight_bytes = 256 + node.name.len() + node.labels.len() * 64;
        self.write(weight_bytes, move |database| {
            let labels = serde_json::to_string(&node.labels)?;
            let inventory = node.inventory.as_ref().map(serde_json::Value::to_string);
            database.session.execute(&format!(
                    "INSERT INTO nodes ({NODE_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                     ON CONFLICT (name) DO UPDATE SET state = ?2, source = ?3, labels = ?4, inventory = ?5,
                     interval_ms = ?6, ttl_ms = ?7, last_seen_ms = CASE WHEN nodes.last_seen_ms > ?9 THEN nodes.last_seen_ms ELSE ?9 END"
                ), params![
                    node.name,
                    node.state,
                    node.source,
                    labels,
                    inventory,
                    node.interval_ms,
                    node.ttl_ms,
                    node.first_seen_ms,
                    node.last_seen_ms,
                ])?;
            Ok(())
        })
    }

    /// Moves `last_seen_ms` of several nodes ahead; names that are not kept are passed over.
    pub fn touch_nodes(&self, seen: Vec<(String, u64)>) -> Reply<()> {
        self.write(seen.len() * 32, move |database| {
            let sql = "UPDATE nodes SET last_seen_ms = ?2 WHERE name = ?1 AND last_seen_ms < ?2";
            for (name, last_seen_ms) in seen {
                database.session.execute(sql, params![name, last_seen_ms])?;
            }
            Ok(())
        })
    }

    /// Forgets a node; its samples age out by themselves. True: it was there.
    pub fn delete_node(&self, name: &str) -> Reply<bool> {
        let name = name.to_owned();
        self.write(name.len(), move |database| {
            Ok(database.session.execute("DELETE FROM nodes WHERE name = ?1", params![name])? > 0)
        })
    }

    /// One node.
    pub async fn node(&self, name: &str) -> Result<Option<NodeRecord>, StoreError> {
        let name = name.to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {NODE_COLUMNS} FROM nodes WHERE name = ?1");
            let raw = session.optional(&sql, params![name], RawNode::read)?;
            raw.map(RawNode::parse).transpose()
        })
        .await
    }

    /// Nodes by name, at most `limit`, those behind `after` when it is given.
    pub async fn nodes(&self, after: Option<&str>, limit: usize) -> Result<Vec<NodeRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| list(session, &after, limit)).await
    }
}

fn list(session: &Session, after: &str, limit: usize) -> Result<Vec<NodeRecord>, StoreError> {
    let sql = format!("SELECT {NODE_COLUMNS} FROM nodes WHERE name > ?1 ORDER BY name LIMIT ?2");
    let rows: Vec<RawNode> = session.query(&sql, params![after, limit], RawNode::read)?;
    rows.into_iter().map(RawNode::parse).collect()
}

/// A row whose JSON columns are not parsed yet.
struct RawNode {
    node: NodeRecord,
    labels: String,
    inventory: Option<String>,
}

impl RawNode {
    fn read(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            labels: row.get(3)?,
            inventory: row.get(4)?,
            node: NodeRecord {
                name: row.get(0)?,
                state: row.get(1)?,
                source: row.get(2)?,
                labels: BTreeMap::new(),
                inventory: None,
                interval_ms: row.get(5)?,
                ttl_ms: row.get(6)?,
                first_seen_ms: row.get(7)?,
                last_seen_ms: row.get(8)?,
            },
        })
    }

    fn parse(self) -> Result<NodeRecord, StoreError> {
        let labels = serde_json::from_str(&self.labels)?;
        let inventory = self.inventory.as_deref().map(serde_json::from_str).transpose()?;
        Ok(NodeRecord { labels, inventory, ..self.node })
    }
}
