//! One run at a time, and every way in which one ends before its time. No engine outlives its run.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Engine, asked, begin, carry_out, hub_on, look, over, progress, result, stop, waiting};
use crate::hub::{Client, Hub, until, within};

#[tokio::test]
async fn one_run_at_a_time_until_it_is_stopped() {
    let engine = Engine::endless();
    let hub = engine.hub();
    let started = waiting(&hub, &asked(25, 3));
    engine.process().await;
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    let id = page["items"][0]["id"].as_str().unwrap().to_owned();
    for path in ["start", "chaos/reconnect"] {
        let (status, _, problem) = hub.post(&format!("/api/v1/testing/{path}"), &asked(1, 1)).await;
        assert_eq!((status, &problem["code"]), (409, &json!("run_in_progress")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&id), "{problem}");
    }
    let other = uuid::Uuid::now_v7().to_string();
    let (status, problem) = stop(&hub, &other).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{problem}");
    assert_eq!(look(&hub, &id).await["status"], "running", "another one was to be stopped");
    assert_eq!(stop(&hub, &id).await.0, 202);
    let run = within("the answer", started).await.unwrap();
    assert_eq!(
        (&run["id"], &run["status"], &run["failure"]),
        (&json!(id), &json!("cancelled"), &Value::Null)
    );
    engine.is_gone().await;
    let (status, problem) = stop(&hub, &id).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    let id = begin(&hub, asked(25, 3)).await;
    assert_eq!(stop(&hub, &id).await.0, 202);
    over(&hub, &id).await;
}

#[tokio::test]
async fn an_engine_may_say_what_it_has_when_its_run_is_stopped() {
    let told = result("cancelled");
    let engine = Engine::script(&format!(
        "trap \"echo '{}'; exit 0\" TERM\necho ready > \"${{0%/*}}/ready\"\nwhile :; do sleep 0.05; done",
        told.to_string().replace('"', "\\\"")
    ));
    let hub = engine.hub();
    let id = begin(&hub, asked(25, 3)).await;
    until("the engine listens", async || (!engine.read("ready").is_empty()).then_some(())).await;
    assert_eq!(stop(&hub, &id).await.0, 202);
    let run = over(&hub, &id).await;
    assert_eq!(
        (&run["status"], &run["connections"]["connected"]),
        (&json!("cancelled"), &json!(25)),
        "{run}"
    );
    assert_eq!(run["success_rate"], Value::Null, "of a run that was cut short nobody knows");
}

#[tokio::test]
async fn an_engine_that_does_not_want_to_end_is_ended() {
    let engine = Engine::script("trap '' TERM\nexec sleep 600");
    let hub = engine.hub();
    let id = begin(&hub, asked(25, 3)).await;
    engine.process().await;
    assert_eq!(stop(&hub, &id).await.0, 202);
    assert_eq!(over(&hub, &id).await["status"], "cancelled");
    engine.is_gone().await;
}

#[tokio::test]
async fn whoever_goes_away_does_not_end_the_run() {
    let engine = Engine::endless();
    let hub = engine.hub();
    let started = waiting(&hub, &asked(25, 3));
    engine.process().await;
    started.abort();
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    let id = page["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(look(&hub, &id).await["status"], "running");
    assert_eq!(stop(&hub, &id).await.0, 202);
    assert_eq!(over(&hub, &id).await["status"], "cancelled");
}

#[tokio::test]
async fn a_drain_ends_the_run_and_answers_who_waits_for_it() {
    let data = tempfile::tempdir().unwrap();
    let engine = Engine::endless();
    let hub = engine.hub_with(|options| options.data_dir = data.path().to_owned());
    let started = waiting(&hub, &asked(25, 3));
    engine.process().await;
    let stopping = tokio::task::spawn_blocking(move || drop(hub));
    let run = within("the answer", started).await.unwrap();
    assert_eq!(
        (&run["status"], &run["failure"]),
        (&json!("cancelled"), &json!("the hub was stopped")),
        "{run}"
    );
    within("the hub stops", stopping).await.unwrap();
    engine.is_gone().await;
    let hub = hub_on(data.path());
    assert_eq!(look(&hub, run["id"].as_str().unwrap()).await, run);
}

#[tokio::test]
async fn runs_survive_the_hub() {
    let data = tempfile::tempdir().unwrap();
    let engine = Engine::script(&format!("echo '{}'\necho '{}'", progress(7), result("completed")));
    let hub = engine.hub_with(|options| options.data_dir = data.path().to_owned());
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(carry_out(&hub, &asked(25, 3)).await);
    }
    tokio::task::spawn_blocking(move || drop(hub)).await.unwrap();
    let hub = hub_on(data.path());
    for run in &runs {
        assert_eq!(&look(&hub, run["id"].as_str().unwrap()).await, run);
    }
    let (_, _, page) = hub.get("/api/v1/testing/runs?limit=2").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    let (_, _, rest) = hub.get(&format!("/api/v1/testing/runs?limit=2&cursor={cursor}")).await;
    let ids = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|run| run["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        [ids(&page), ids(&rest)].concat(),
        runs.iter().rev().map(|run| run["id"].clone()).collect::<Vec<_>>()
    );
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_run_whose_hub_was_killed_is_failed_at_the_next_start() {
    let mut hub = Hub::start();
    let client = reqwest::Client::new();
    let token = hub.token("operator");
    let url = format!("http://{}/api/v1/testing", hub.address);
    let body =
        json!({ "name": "evening", "connections": 5, "duration_s": 30, "wait": false, "scenario": "ingest" });
    let answer = client.post(format!("{url}/start")).bearer_auth(&token).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let run: Value = answer.json().await.unwrap();
    let connections = "infrawatch_connections_active";
    until("the load is there", async || (hub.metric(connections).await >= 5).then_some(())).await;
    let mut agent = Client::open(&hub, "agent", &hub.agent_token("web-1")).await;
    agent
        .request("metrics", json!({ "node": "web-1", "names": ["load1"], "values": [1] }), "metrics_ack")
        .await;
    let online = "infrawatch_nodes{state=\"online\"}";
    until("its nodes are there", async || (hub.metric(online).await == 6).then_some(())).await;
    hub.process.kill();
    hub.start_again();
    // What the first client has of the former hub is dead.
    let client = reqwest::Client::new();
    let found = client.get(format!("{url}/runs/{}", run["id"].as_str().unwrap())).bearer_auth(&token).send();
    let found: Value = found.await.unwrap().json().await.unwrap();
    let why = "the hub ended before the run did";
    assert_eq!((&found["status"], &found["failure"]), (&json!("failed"), &json!(why)), "{found}");
    assert!(found["ended_at"].is_string());
    until("the fleet without its nodes", async || {
        let nodes = client.get(format!("http://{}/api/v1/nodes", hub.address)).bearer_auth(&token).send();
        let nodes: Value = nodes.await.unwrap().json().await.unwrap();
        let ids: Vec<_> = nodes["items"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
        assert!(ids.is_empty() || ids == ["web-1"], "{ids:?}");
        (!ids.is_empty()).then_some(())
    })
    .await;
}

/// A run when so many seconds have gone by at once and its engine was told to go.
async fn after(seconds: u64, engine: &Engine) -> Value {
    let scene = crate::http::Scene::with(|options| options.program = engine.program()).await;
    let mut body = asked(25, 3);
    body["wait"] = false.into();
    let answer = scene.post("/api/v1/testing/start", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    engine.process().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
    engine.go();
    engine.is_gone().await;
    let look = async || scene.get(&format!("/api/v1/testing/runs/{id}")).await.json();
    until("the run is over", async || Some(look().await).filter(|run| run["status"] != "running")).await
}

#[actix_web::test]
async fn a_run_that_is_late_is_ended() {
    let run = after(65, &Engine::endless()).await;
    let why = "it took much longer than planned and was ended";
    assert_eq!((&run["status"], &run["failure"]), (&json!("failed"), &json!(why)), "{run}");
}

/// 4 s are planned, and 60 are given.
#[actix_web::test]
async fn a_run_that_takes_a_while_longer_goes_on_to_its_end() {
    let run = after(60, &Engine::patient()).await;
    assert_eq!((&run["status"], &run["failure"]), (&json!("completed"), &Value::Null), "{run}");
}
