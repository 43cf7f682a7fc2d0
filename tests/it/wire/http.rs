//! What HTTP does to open sockets: signing in and out, publishing, disconnecting, looking.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::hub::{Client, Ended, Hub, until};

/// Calls the API; the answer must have this status.
pub(super) async fn call(
    hub: &Hub,
    method: Method,
    path: &str,
    token: &str,
    body: Option<Value>,
    status: u16,
) -> Value {
    let url = format!("http://{}{path}", hub.address);
    let mut request = reqwest::Client::new().request(method, url).header("X-Correlation-ID", "ticket-7");
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let found = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(found, StatusCode::from_u16(status).unwrap(), "{path}: {text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

#[tokio::test]
async fn the_printed_link_signs_in_and_signing_out_closes_the_socket() {
    let hub = Hub::start();
    let link = hub.listening["login_url"].as_str().unwrap();
    let once = json!({ "token": link.split_once("#login=").unwrap().1 });
    let path = "/api/v1/connections/exchange";
    let session = call(&hub, Method::POST, path, "", Some(once.clone()), 200).await;
    call(&hub, Method::POST, path, "", Some(once), 401).await;
    let token = session["access_token"].as_str().unwrap();
    let mut client = Client::open(&hub, "console", token).await;
    assert_eq!(client.connected["payload"]["role"], "admin");
    call(&hub, Method::POST, "/api/v1/connections/logout", token, None, 204).await;
    assert_eq!(client.ended().await, Ended::Closed(4003, "forbidden".into()));
}

#[tokio::test]
async fn what_is_published_over_http_reaches_subscribers_with_its_correlation_id() {
    let hub = Hub::start();
    let mut client = Client::open_as(&hub, "client", "viewer").await;
    client.subscribe("app:orders").await;
    let event = json!({ "type": "order", "topic": "app:orders", "payload": { "n": 1 }, "key": "k" });
    let token = hub.token("operator");
    let taken = call(&hub, Method::POST, "/api/v1/events/publish", &token, Some(event), 202).await;
    let frame = client.next_of("message").await;
    assert_eq!((&frame["id"], &frame["payload"]), (&taken["id"], &json!({ "n": 1 })));
    let meta = &frame["metadata"];
    assert_eq!((&meta["key"], &meta["correlation_id"]), (&json!("k"), &json!("ticket-7")));
    assert_eq!((&meta["epoch"], &meta["offset"]), (&taken["epoch"], &taken["offset"]));
}

#[tokio::test]
async fn a_connection_is_listed_as_it_is_and_an_operator_ends_it() {
    let hub = Hub::start();
    let token = hub.token("operator");
    let mut client = Client::open(&hub, "desk", &token).await;
    client.subscribe("app:orders").await;
    client.request("join_room", json!({ "room": "lobby" }), "room_joined").await;
    let row = async |state: &str| {
        let list = call(&hub, Method::GET, "/api/v1/connections/list", &token, None, 200).await;
        let rows = list["items"].as_array().unwrap();
        rows.iter().find(|row| row["client_id"] == "desk" && row["state"] == *state).cloned()
    };
    let listed = row("connected").await.unwrap();
    assert_eq!((&listed["role"], &listed["encoding"]), (&json!("operator"), &json!("json")));
    assert_eq!(listed["rooms"], json!(["lobby"]));
    assert!(listed["topics"].as_array().unwrap().contains(&json!("app:orders")), "{listed}");
    assert!(listed["bytes_in"].as_u64() > Some(0) && listed["bytes_out"].as_u64() > Some(0), "{listed}");
    let path = "/api/v1/connections/desk";
    call(&hub, Method::DELETE, path, &hub.token("viewer"), None, 403).await;
    call(&hub, Method::DELETE, path, &token, None, 204).await;
    assert!(matches!(client.ended().await, Ended::Closed(1000, _)));
    until("the connection is listed as over", async || row("disconnected").await).await;
    call(&hub, Method::DELETE, path, &token, None, 404).await;
    let stats = call(&hub, Method::GET, "/api/v1/connections/stats", &token, None, 200).await;
    assert_eq!((&stats["active_connections"], &stats["closes"]), (&json!(0), &json!({ "normal": 1 })));
}
