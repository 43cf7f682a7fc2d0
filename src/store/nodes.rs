//! What the hub knew last of each node.

use std::collections::BTreeMap;

use super::request::Reply;
use super::session::Session;
use super::value::{Row, params};
use super::{Store, StoreError};

/// One node as it was last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// Which life of which hub node hears it; empty for a hub alone.
    pub hub: String,
    /// The latest changes of its state, oldest first.
    pub transitions: Vec<serde_json::Value>,
}

const NODE_COLUMNS: &str = "name, state, source, labels, inventory, interval_ms, ttl_ms, first_seen_ms, last_seen_ms, hub, transitions";

impl Store {
    /// Keeps a node, replacing what was there except `first_seen_ms`.
    pub fn put_node(&self, node: NodeRecord) -> Reply<()> {
        let weight_bytes = 256 + node.name.len() + node.labels.len() * 64;
        self.write(weight_bytes, move |database| {
            let labels = serde_json::to_string(&node.labels)?;
            let inventory = node.inventory.as_ref().map(serde_json::Value::to_string);
            let transitions = serde_json::to_string(&node.transitions)?;
            database.session.execute(
                &format!(
                    "INSERT INTO nodes ({NODE_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                     ON CONFLICT (name) DO UPDATE SET state = ?2, source = ?3, labels = ?4, inventory = ?5,
                     interval_ms = ?6, ttl_ms = ?7, hub = ?10, transitions = ?11,
                     last_seen_ms = CASE WHEN nodes.last_seen_ms > ?9 THEN nodes.last_seen_ms ELSE ?9 END"
                ),
                params![
                    node.name,
                    node.state,
                    node.source,
                    labels,
                    inventory,
                    node.interval_ms,
                    node.ttl_ms,
                    node.first_seen_ms,
                    node.last_seen_ms,
                    node.hub,
                    transitions,
                ],
            )?;
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

    /// A hub node hears a node from now on; what it was until then, `None`: it is not kept.
    pub fn take_node(&self, name: &str, hub: &str) -> Reply<Option<NodeRecord>> {
        let (name, hub) = (name.to_owned(), hub.to_owned());
        self.write(name.len() + hub.len(), move |database| {
            let sql = format!("UPDATE nodes SET hub = ?2 WHERE name = ?1 RETURNING {NODE_COLUMNS}");
            let raw = database.session.optional(&sql, params![name, hub], RawNode::read)?;
            raw.map(RawNode::parse).transpose()
        })
    }

    /// A hub node has heard a node that it takes to be in that state; false when it is in another, or another hub node's.
    pub fn touch_node(&self, name: &str, hub: &str, state: &'static str, seen_ms: u64) -> Reply<bool> {
        let (name, hub) = (name.to_owned(), hub.to_owned());
        self.write(name.len() + hub.len(), move |database| {
            let sql = "UPDATE nodes SET last_seen_ms = ?4 WHERE name = ?1 AND hub = ?2 AND state = ?3";
            Ok(database.session.execute(sql, params![name, hub, state, seen_ms])? > 0)
        })
    }

    /// A node fell silent and changes its state; false when it was in another, or is another hub node's than that one's.
    pub fn silence_node(
        &self,
        name: &str,
        hub: &str,
        (from, to): (&'static str, &'static str),
        transitions: &[serde_json::Value],
    ) -> Reply<bool> {
        let (name, hub, transitions) = (name.to_owned(), hub.to_owned(), transitions.to_vec());
        self.write(256 + name.len(), move |database| {
            let sql =
                "UPDATE nodes SET state = ?4, transitions = ?5 WHERE name = ?1 AND hub = ?2 AND state = ?3";
            let transitions = serde_json::to_string(&transitions)?;
            Ok(database.session.execute(sql, params![name, hub, from, to, transitions])? > 0)
        })
    }

    /// Nodes that are online or late of hub nodes that are none of these, at most `limit`.
    pub async fn orphaned_nodes(
        &self,
        hubs: Vec<String>,
        limit: usize,
    ) -> Result<Vec<NodeRecord>, StoreError> {
        self.read(move |session| {
            let sql = "SELECT DISTINCT hub FROM nodes WHERE state IN ('online', 'late')";
            let known: Vec<String> = session.query(sql, params![], |row| row.get(0))?;
            let mut found = Vec::new();
            for hub in known.iter().filter(|hub| !hubs.contains(hub)) {
                let sql = format!(
                    "SELECT {NODE_COLUMNS} FROM nodes WHERE hub = ?1 AND state IN ('online', 'late')
                     ORDER BY last_seen_ms LIMIT ?2"
                );
                let rows: Vec<RawNode> =
                    session.query(&sql, params![hub, limit - found.len()], RawNode::read)?;
                for raw in rows {
                    found.push(raw.parse()?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// How many nodes are in which state.
    pub async fn node_states(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|session| {
            let sql = "SELECT state, COUNT(*) FROM nodes GROUP BY state";
            session.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
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
    transitions: String,
}

impl RawNode {
    fn read(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            labels: row.get(3)?,
            inventory: row.get(4)?,
            transitions: row.get(10)?,
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
                hub: row.get(9)?,
                transitions: Vec::new(),
            },
        })
    }

    fn parse(self) -> Result<NodeRecord, StoreError> {
        let labels = serde_json::from_str(&self.labels)?;
        let inventory = self.inventory.as_deref().map(serde_json::from_str).transpose()?;
        let transitions = serde_json::from_str(&self.transitions)?;
        Ok(NodeRecord { labels, inventory, transitions, ..self.node })
    }
}
