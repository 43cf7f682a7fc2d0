//! A crash of the actor leaves no load behind, and nobody waiting.

use infrawatch::supervision::fault::Phase;
use serde_json::json;

use super::{Engine, asked, begin, over, waiting};
use crate::hub::{until, within};

#[tokio::test]
async fn a_crash_ends_the_engine_and_fails_the_run_with_the_reason() {
    for (phase, reason) in [(Phase::Handler, "fault point: handler"), (Phase::Timer, "fault point: timer")] {
        let engine = Engine::endless();
        let hub = engine.hub();
        let mut told = hub.client("watcher").await;
        told.subscribe("testing").await;
        let started = waiting(&hub, &asked(25, 3));
        engine.process().await;
        told.message().await;
        hub.crash("lab_runs", "lab_runs", phase);
        let run = within("the answer", started).await.unwrap();
        let why = format!("the lab crashed: {reason}");
        assert_eq!((&run["status"], &run["failure"]), (&json!("failed"), &json!(why)), "{run}");
        assert_eq!(run["messages"]["delivered"], 7, "what was known is kept: {run}");
        assert_eq!(told.message().await.payload["run"], run);
        engine.is_gone().await;
        assert_eq!(hub.row("lab_runs").restarts, 1);

        let id = begin(&hub, asked(25, 3)).await;
        assert_ne!(run["id"], id);
        hub.crash("lab_runs", "lab_runs", phase);
        assert_eq!(over(&hub, &id).await["status"], "failed");
    }
}

#[tokio::test]
async fn a_lab_that_crashes_too_often_is_given_up_and_the_hub_goes_on() {
    let engine = Engine::endless();
    let hub = engine.hub();
    let tree = &hub.state.services.tree;
    let crashes = hub.row("lab_runs").intensity_max;
    for crash in 1..=crashes {
        hub.crash("lab_runs", "lab_runs", Phase::Handler);
        hub.back("lab_runs", crash.into()).await;
    }
    let started = waiting(&hub, &asked(25, 3));
    engine.process().await;
    tree.arm("lab_runs", "lab_runs", Phase::Handler, 1);
    until("the lab is given up", async || (hub.row("lab_runs").given_up == 1).then_some(())).await;
    let problem = within("the answer", started).await.unwrap();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(500), &json!("internal")), "{problem}");
    engine.is_gone().await;
    let (status, _, problem) = hub.post("/api/v1/testing/start", &asked(25, 3)).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")), "{problem}");
    hub.client("alice").await.publish("bench:a", json!("still here")).await;
}
