//! A run has begun and is over when the store says so; what it keeps is told once, and bounded.

use serde_json::{Value, json};

use super::{Engine, asked, begin, carry_out, look, over, waiting};
use crate::hub::{Inside, until, within};

/// From now on no commit finds room, or there is some again.
async fn disk_full(hub: &Inside, is_full: bool) {
    let path = if is_full { "/api/sim/enable" } else { "/api/sim/disable" };
    let (status, _, run) = hub.post(path, &json!({ "name": "disk_full" })).await;
    assert_eq!(status, 200, "{run}");
}

/// Commits that found no room since then.
async fn refused_commits(hub: &Inside) -> u64 {
    let (_, _, told) = hub.get("/api/sim/status").await;
    let observed = &told["active"][0]["observed"];
    observed["now"].as_u64().unwrap() - observed["before"].as_u64().unwrap()
}

fn quiet(engine: &Engine) -> Inside {
    // Nobody else writes.
    engine.hub_with(|options| options.settings.sampler.enabled = false)
}

#[tokio::test]
async fn a_run_that_the_store_does_not_take_is_refused_and_starts_nothing() {
    let engine = Engine::patient();
    let hub = quiet(&engine);
    disk_full(&hub, true).await;
    for wait in [true, false] {
        let mut body = asked(25, 3);
        body["wait"] = wait.into();
        let (status, _, problem) = hub.post("/api/v1/testing/start", &body).await;
        assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")), "{problem}");
    }
    assert_eq!(engine.read("id"), "", "an engine runs");
    disk_full(&hub, false).await;
    engine.go();
    let run = carry_out(&hub, &asked(25, 3)).await;
    assert_eq!(run["status"], "completed", "{run}");
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
}

#[tokio::test]
async fn a_run_is_over_when_the_store_has_how_it_ended() {
    let engine = Engine::patient();
    let hub = quiet(&engine);
    let started = waiting(&hub, &asked(25, 3));
    engine.process().await;
    disk_full(&hub, true).await;
    engine.go();
    engine.is_gone().await;
    until("the store refuses it", async || (refused_commits(&hub).await > 0).then_some(())).await;
    let (status, _, problem) = hub.post("/api/v1/testing/start", &asked(25, 3)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("run_in_progress")), "{problem}");
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    assert_eq!((&page["items"][0]["status"], started.is_finished()), (&json!("running"), false), "{page}");
    disk_full(&hub, false).await;
    let run = within("the answer", started).await.unwrap();
    assert_eq!((&run["status"], &run["success_rate"]), (&json!("completed"), &json!(100.0)), "{run}");
    assert_eq!(look(&hub, run["id"].as_str().unwrap()).await, run);
}

#[tokio::test]
async fn the_end_of_a_run_is_told_and_kept_once() {
    let engine = Engine::patient();
    engine.go();
    let hub = engine.hub();
    let mut told = hub.client("watcher").await;
    told.subscribe("testing").await;
    for _ in 0..3 {
        let run = carry_out(&hub, &asked(25, 3)).await;
        assert_eq!(told.message().await.payload, json!({ "run": run }));
    }
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 3, "{page}");
}

#[tokio::test]
async fn the_oldest_runs_are_forgotten() {
    let engine = Engine::patient();
    engine.go();
    let hub = engine.hub_with(|options| options.settings.lab.runs_max = 2);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let id = begin(&hub, asked(25, 3)).await;
        over(&hub, &id).await;
        ids.push(json!(id));
    }
    let (_, _, page) = hub.get("/api/v1/testing/runs").await;
    let kept: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|run| &run["id"]).collect();
    assert_eq!(kept, [&ids[3], &ids[2]]);
    let path = format!("/api/v1/testing/runs/{}", ids[0].as_str().unwrap());
    assert_eq!(hub.get(&path).await.0, 404);
}
