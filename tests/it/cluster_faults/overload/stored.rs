//! What PostgreSQL has, asked past the hub.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::{Client, NoTls};

/// A connection of the test's own.
pub(super) struct Stored(Client);

impl Stored {
    pub(super) async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        // Ends with the client.
        drop(tokio::spawn(connection));
        Self(client)
    }

    /// Moments of a node's frames, in order.
    pub(super) async fn moments(&self, node: &str) -> Vec<u64> {
        let sql =
            "SELECT ts_ms FROM samples JOIN sample_nodes ON id = node_id WHERE name = $1 ORDER BY ts_ms";
        let rows = self.0.query(sql, &[&node]).await.unwrap();
        rows.iter().map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap()).collect()
    }

    /// Moments of the frames of all nodes; none may be there twice.
    pub(super) async fn all(&self) -> BTreeMap<String, HashSet<u64>> {
        let sql = "SELECT name, ts_ms FROM samples JOIN sample_nodes ON id = node_id";
        let mut rows = pin!(self.0.query_raw::<_, i32, _>(sql, []).await.unwrap());
        let mut found = BTreeMap::<String, HashSet<u64>>::new();
        while let Some(row) = rows.try_next().await.unwrap() {
            let (node, at_ms): (&str, i64) = (row.get(0), row.get(1));
            let moments = match found.get_mut(node) {
                Some(moments) => moments,
                None => found.entry(node.to_owned()).or_default(),
            };
            assert!(moments.insert(u64::try_from(at_ms).unwrap()), "{node} has {at_ms} twice");
        }
        found
    }
}
