//! What is taken back at one hub node is taken back at all.

use super::{Cluster, get};
use crate::hub::{Client, until};

#[tokio::test]
async fn who_signs_out_at_one_node_is_out_at_all() {
    let cluster = Cluster::start();
    let [one, two] = ["one", "two"].map(|name| cluster.node(name, None));
    let token = cluster.token(&one, &["--role", "viewer", "--sub", "ann"]);
    let mut client = Client::open(&two, "ann", &token).await;
    assert_eq!(get(&two, "/api/v1/nodes", &token).await.0, 200);
    let url = format!("http://{}/api/v1/connections/logout", one.address);
    let answer = reqwest::Client::new().post(url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    // Far sooner than after the minute in which the store is read anyway.
    until("the other node refuses the token", async || {
        (get(&two, "/api/v1/nodes", &token).await.0 == 401).then_some(())
    })
    .await;
    client.ended().await;
}
