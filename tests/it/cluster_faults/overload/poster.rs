//! A program that posts samples beside the load, whatever it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use infrawatch::clock::system_unix_ms;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::stage::{Phase, Stage};
use crate::hub::Hub;

pub(super) const NODE: &str = "posted";

/// Moments of the samples that were durable, and how many requests had which status.
pub(super) async fn post(hub: &Hub, stage: &Stage) -> (Vec<u64>, BTreeMap<u16, u64>) {
    let (url, token) = (format!("http://{}/api/v1/metrics/ingest", hub.address), hub.token("admin"));
    let (client, mut pace) = (reqwest::Client::new(), interval(Duration::from_millis(100)));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut durable, mut statuses) = (Vec::new(), BTreeMap::<u16, u64>::new());
    while stage.phase() != Phase::Over {
        pace.tick().await;
        let at_ms = system_unix_ms();
        let samples: Vec<_> = (0..20)
            .map(|n| json!({ "node": NODE, "metric_name": format!("m{n}"), "value": 1, "timestamp": at_ms }))
            .collect();
        let answer = client.post(&url).bearer_auth(&token).json(&samples).send().await.unwrap();
        let status = answer.status().as_u16();
        *statuses.entry(status).or_default() += 1;
        if status == 503 {
            assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
        } else if answer.json::<Value>().await.unwrap()["durable"] == true {
            durable.push(at_ms);
        }
    }
    (durable, statuses)
}
