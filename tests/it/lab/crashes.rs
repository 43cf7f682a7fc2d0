//! A crash of the actor leaves no load behind, and nobody waiting.

use infrawatch::supervision::fault::Phase;
use serde_json::json;

use super::{Engine, asked, begin, over, waiting};
use crate::hub::within;

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
        hub.crash("lab", "lab", phase);
        let run = within("the answer", started).await.unwrap();
        let why = format!("the lab crashed: {reason}");
        assert_eq!((&run["status"], &run["failure"]), (&json!("failed"), &json!(why)), "{run}");
        assert_eq!(run["messages"]["delivered"], 7, "what was known is kept: {run}");
        assert_eq!(told.message().await.payload["run"], run);
        engine.is_gone().await;
        assert_eq!(hub.row("lab").restarts, 1);

        let id = begin(&hub, asked(25, 3)).await;
        assert_ne!(run["id"], id);
        hub.crash("lab", "lab", phase);
        assert_eq!(over(&hub, &id).await["status"], "failed");
    }
}
