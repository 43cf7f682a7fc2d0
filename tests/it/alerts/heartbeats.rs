//! Dead man's switches: one that stays away opens an alert, its next beat resolves it, also over a restart.

use std::io::{Read, Write};

use infrawatch::clock::{Clock, system_unix_ms};
use infrawatch::telemetry::Counter;
use serde_json::{Value, json};

use crate::http::Scene;
use crate::hub::{Hub, Inside, until};

const BACKUP: &str = "/api/v1/heartbeats/backup";

#[actix_web::test]
async fn a_heartbeat_that_stays_away_is_an_alert_until_it_beats_again() {
    let (clock, hand) = Clock::manual(system_unix_ms());
    let scene = Scene::with(|options| options.clock = clock).await;
    let beat = json!({"interval_seconds": 60, "grace_seconds": 5, "severity": "critical"});
    let made = scene.post(BACKUP, &beat).await;
    assert_eq!((made.status, &made.json()["state"]), (201, &json!("beating")), "{}", made.text);
    hand.advance_ms(60_000);
    let again = scene.post(BACKUP, &json!({})).await;
    assert_eq!(
        (again.status, &again.json()["beats"], &again.json()["grace_seconds"]),
        (200, &json!(2), &json!(5))
    );
    hand.advance_ms(64_999);
    scene.state.heartbeats.check().await;
    assert_eq!(scene.get(BACKUP).await.json()["state"], "beating");
    hand.advance_ms(1);
    scene.state.heartbeats.check().await;
    scene.state.heartbeats.check().await;
    let missing = scene.get(BACKUP).await.json();
    assert_eq!(missing["state"], "missing");
    let alert = async || {
        let id = missing["alert_id"].as_str().unwrap();
        scene.get(&format!("/api/v1/alerts/{id}")).await.json()
    };
    let open = alert().await;
    assert_eq!(
        (&open["state"], &open["severity"], &open["count"]),
        (&json!("firing"), &json!("critical"), &json!(1)),
        "{open}"
    );
    assert_eq!(
        (&open["labels"]["heartbeat"], &open["title"]),
        (&json!("backup"), &json!("Heartbeat backup is missing"))
    );
    let back = scene.post(BACKUP, &json!({})).await;
    assert_eq!(
        (&back.json()["state"], &back.json()["alert_id"]),
        (&json!("beating"), &Value::Null),
        "{}",
        back.text
    );
    assert_eq!(
        (&alert().await["state"], &alert().await["resolved_by"]),
        (&json!("resolved"), &json!("infrawatch"))
    );

    let (items, _) = Scene::items(&scene.get("/api/v1/heartbeats").await);
    assert_eq!((items.len(), &items[0]["name"]), (1, &json!("backup")));
    scene.post("/api/v1/heartbeats/a%20b", &json!({})).await.problem(400, "invalid_name");
    scene.post(BACKUP, &json!({"interval_seconds": 0})).await.problem(400, "invalid_field");
    let forget = || scene.ask(infrawatch::auth::Role::Operator, actix_web::http::Method::DELETE, BACKUP);
    assert_eq!(scene.send(forget()).await.status, 204);
    scene.send(forget()).await.problem(404, "not_found");
    scene.get(BACKUP).await.problem(404, "not_found");
}

/// The hub's own: while it is well, with its token; none while it is not.
#[tokio::test]
async fn a_hub_gives_signs_of_life_while_it_is_well() {
    let watcher = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/api/v1/heartbeats/this-hub", watcher.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = watcher.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        // Nobody listens any more: what comes next fails.
        String::from_utf8(head).unwrap().to_lowercase()
    });
    let hub = Inside::with(|options| {
        let alert = &mut options.settings.alert;
        (alert.heartbeat_url, alert.heartbeat_token) = (url, "secret".into());
        alert.heartbeat_interval_ms = 100;
    });
    let count = |outcome: &str| Counter::HeartbeatsSent.by_label().get(outcome).copied().unwrap_or_default();
    until("a beat was taken", async || (count("sent") == 1).then_some(())).await;
    let head = heard.join().unwrap();
    assert!(
        head.starts_with("post /api/v1/heartbeats/this-hub") && head.contains("authorization: bearer secret"),
        "{head}"
    );
    until("a beat failed", async || (count("failed") > 0).then_some(())).await;
    let lock = hub.hold_commits();
    until("none is sent while the store does not write", async || (count("withheld") > 0).then_some(()))
        .await;
    drop(lock);
}

/// Nothing but the timer of the hub looks.
#[tokio::test]
async fn a_killed_hub_remembers_who_is_to_beat() {
    let mut hub = Hub::start();
    let token = hub.token("operator");
    let ask = async |hub: &Hub, method: reqwest::Method, body: Value| -> Value {
        let url = format!("http://{}{BACKUP}", hub.address);
        let request = reqwest::Client::new().request(method, url).bearer_auth(&token).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    ask(&hub, reqwest::Method::POST, json!({"interval_seconds": 1, "grace_seconds": 0})).await;
    hub.process.kill();
    hub.start_again();
    let missing = until("it is missed", async || {
        let one = ask(&hub, reqwest::Method::GET, Value::Null).await;
        (one["state"] == "missing").then_some(one)
    })
    .await;
    hub.process.kill();
    hub.start_again();
    let still = ask(&hub, reqwest::Method::GET, Value::Null).await;
    assert_eq!((&still["state"], &still["alert_id"]), (&json!("missing"), &missing["alert_id"]));
    let back = ask(&hub, reqwest::Method::POST, json!({"interval_seconds": 3600})).await;
    assert_eq!(back["state"], "beating", "{back}");
    let url = format!("http://{}/api/v1/alerts/{}", hub.address, missing["alert_id"].as_str().unwrap());
    let alert: Value =
        reqwest::Client::new().get(url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(alert["state"], "resolved", "{alert}");
}
