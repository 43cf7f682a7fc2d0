//! A real agent beside the load, and what PostgreSQL has.

use futures_util::TryStreamExt;
use std::collections::{BTreeMap, HashSet};
use std::pin::pin;

/// Moments of the frames in PostgreSQL, by node.
pub(super) async fn frames_of(url: &str) -> BTreeMap<String, HashSet<u64>> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let sql = "SELECT name, ts_ms FROM samples JOIN sample_nodes ON sample_nodes.id = node_id";
    let mut found = BTreeMap::<String, HashSet<u64>>::new();
    {
        let rows = client.query_raw::<_, i32, _>(sql, []).await.unwrap();
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await.unwrap() {
            let (node, at_ms): (&str, i64) = (row.get(0), row.get(1));
            let is_new = found.entry(node.to_owned()).or_default().insert(u64::try_from(at_ms).unwrap());
            assert!(is_new, "{node} has {at_ms} twice");
        }
    }
    drop(client);
    connection.await.unwrap().unwrap();
    found
}
