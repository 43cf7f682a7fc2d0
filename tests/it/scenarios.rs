//! The load test against a real hub: each scenario, small, finds nothing wrong; and what goes wrong is found.
//!
//! The load test is an independent client of the protocol, so each run is also a check of delivery.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use infrawatch::config::Settings;
use infrawatch_loadtest::plan::{Phase, PhaseKind, Plan, Scenario, Thresholds};
use infrawatch_loadtest::result::{Progress, RunResult, Status};
use infrawatch_loadtest::{Options, run};
use serde_json::Value;

use crate::hub::Hub;

/// The load test does not wait for its turn.
fn without_limits(settings: &mut Settings) {
    settings.connection.frames_per_s = 0;
    settings.connection.connects_per_s = 0;
}

fn options(hub: &Hub) -> Options {
    let SocketAddr::V4(address) = hub.address else { panic!("{} is no IPv4 address", hub.address) };
    let pid = Some(hub.process.id());
    Options { address, token: Some(hub.token("admin")), pid, stop: Arc::new(AtomicBool::new(false)) }
}

/// A ramp of 300 ms and a second of load.
fn small(scenario: Scenario) -> Plan {
    let phase =
        |kind: PhaseKind, duration_s, factor| Phase { name: kind.name().into(), kind, duration_s, factor };
    Plan {
        connections: 12,
        rate_hz: 30.0,
        reconnects: 40,
        agents: 3,
        phases: vec![
            phase(PhaseKind::RampUp, 0.3, None),
            phase(PhaseKind::Steady, 0.5, None),
            phase(PhaseKind::Spike, 0.3, Some(2.0)),
            phase(PhaseKind::Recovery, 0.2, None),
        ],
        ..Plan::of(scenario)
    }
    .complete()
    .unwrap()
}

/// Carries a plan out on a fresh hub; nothing may go wrong.
#[track_caller]
fn well(plan: &Plan) -> RunResult {
    let hub = Hub::with(without_limits);
    let mut told = 0;
    let result = run(plan, &options(&hub), |_progress: &Progress| told += 1).unwrap();
    let summary = format!("{:?} {:?} {:?}", result.failure, result.connections, result.messages);
    assert_eq!(result.status, Status::Completed, "{summary}");
    assert_eq!(result.success_rate, 100.0, "{summary}");
    assert!(
        result.messages.published > 0 && result.messages.delivered == result.messages.expected,
        "{summary}"
    );
    assert!(result.bytes_in > 0 && result.server_cpu_s_per_million.is_some());
    assert!(told >= 2, "told {told} times where it stands");
    let phases: u64 = result.phases.iter().map(|phase| phase.delivered).sum();
    let bars: u64 = result.histogram.iter().map(|bucket| bucket.count).sum();
    assert_eq!((phases, bars), (result.messages.delivered, result.messages.delivered), "{summary}");
    result
}

#[test]
fn fanout_keeps_its_window_full() {
    let result = well(&Plan { window: 8, ..small(Scenario::Fanout) });
    assert!(result.messages.published > 100, "{:?}", result.messages);
}

#[test]
fn alert_latency_gets_an_alert_for_each_breach_and_leaves_neither_rule_nor_open_alert() {
    let plan = small(Scenario::AlertLatency);
    let hub = Hub::with(without_limits);
    let result = run(&plan, &options(&hub), |_progress: &Progress| ()).unwrap();
    let summary = format!("{:?} {:?}", result.failure, result.messages);
    assert_eq!((result.status, result.success_rate), (Status::Completed, 100.0), "{summary}");
    assert!(
        result.messages.published > 20 && result.messages.delivered == result.messages.expected,
        "{summary}"
    );
    let get = |path: &str| -> Value {
        let url = format!("http://{}{path}", hub.address);
        let request = ureq::get(&url).header("authorization", format!("Bearer {}", hub.token("admin")));
        serde_json::from_str(&request.call().unwrap().body_mut().read_to_string().unwrap()).unwrap()
    };
    assert_eq!(get("/api/v1/rules?text=load")["items"].as_array().unwrap().len(), 0);
    let ended = get("/api/v1/alerts?state=resolved&limit=500");
    assert_eq!(ended["items"].as_array().unwrap().len() as u64, result.messages.published, "{summary}");
}

#[test]
fn paced_publishes_what_is_planned_and_all_of_it_arrives() {
    let result = well(&small(Scenario::Paced));
    let published: Vec<u64> = result.phases.iter().map(|phase| phase.published).collect();
    assert_eq!(published, [0, 15, 18, 6]);
    assert!(result.latency.p50_ms > Some(0.0) && result.latency.p50_ms <= result.latency.max_ms);
}

#[test]
fn a_storm_brings_everybody_and_its_spike_as_many_again() {
    let result = well(&small(Scenario::Storm));
    assert_eq!(result.connections.planned, 24);
    assert!(result.connects.latency.p50_ms > Some(0.0));
}

#[test]
fn whoever_is_cut_off_comes_back_without_a_gap() {
    let result = well(&small(Scenario::Reconnect));
    let reconnects = result.reconnects.unwrap();
    assert_eq!((reconnects.attempted, reconnects.succeeded, reconnects.recovered), (40, 40, 40));
    assert_eq!((reconnects.gaps, reconnects.duplicates), (0, 0));
}

#[test]
fn slow_readers_are_closed_and_the_others_do_not_suffer() {
    let hub = Hub::with(without_limits);
    // More than the outbox bound in all, and two seconds until a client is that far behind: nobody else is.
    let plan =
        Plan { payload_bytes: 20_000, duration_s: 3.0, phases: Vec::new(), ..small(Scenario::SlowReader) };
    let plan = plan.complete().unwrap();
    let result = run(&plan, &options(&hub), |_progress: &Progress| {}).unwrap();
    assert_eq!((result.status, result.success_rate), (Status::Completed, 100.0), "{:?}", result.failure);
    let slow = result.slow_readers.unwrap();
    assert_eq!((slow.clients, slow.closed), (2, 2));
    assert_eq!(result.messages.expected, result.messages.published * 10);
}

#[test]
fn clients_that_come_and_go_get_what_is_due_to_them() {
    let result = well(&Plan { churn_hz: 20.0, ..small(Scenario::Churn) });
    assert_eq!(result.connections.planned, 12 + 26);
}

#[test]
fn agents_get_everything_acknowledged_as_durable() {
    let result = well(&small(Scenario::Ingest));
    let ingest = result.ingest.unwrap();
    assert_eq!((ingest.agents, ingest.refused), (12, 0));
    assert_eq!(ingest.acknowledged, result.messages.published);
    assert_eq!(ingest.samples, ingest.acknowledged * 20);
}

#[test]
fn agents_subscribers_and_churn_go_together() {
    let result = well(&small(Scenario::Mixed));
    assert_eq!(result.ingest.map(|ingest| ingest.frames == ingest.acknowledged), Some(true));
    assert!(result.connections.planned > 15, "{:?}", result.connections);
}

#[test]
fn a_soak_samples_what_the_hub_uses() {
    let result = well(&small(Scenario::Soak));
    let sample = result.server.last().unwrap();
    assert!(sample.rss_bytes > 1 << 20 && sample.fds > 10, "{sample:?}");
    assert_eq!(result.server.len(), result.timeline.len());
}

/// Client ids of the hub's connections that are subscribed in a run; the publisher is the first of all.
fn subscribers(hub: &Hub, token: &str) -> Vec<String> {
    let list = ureq::get(format!("http://{}/api/v1/connections/list", hub.address))
        .header("authorization", format!("Bearer {token}"))
        .call();
    let list: Value = serde_json::from_reader(list.unwrap().body_mut().as_reader()).unwrap();
    let rows = list["items"].as_array().unwrap();
    let ids = rows.iter().map(|row| row["client_id"].as_str().unwrap().to_owned());
    ids.filter(|id| !id.ends_with("-0")).collect()
}

#[test]
fn connections_that_the_hub_closes_are_seen_as_lost() {
    const KILLED: usize = 3;
    let hub = Hub::with(without_limits);
    let options = options(&hub);
    let token = options.token.clone().unwrap();
    let killed = Cell::new(false);
    let result = run(&small(Scenario::Paced), &options, |progress: &Progress| {
        if progress.phase == "ramp_up" || killed.replace(true) {
            return;
        }
        for client_id in subscribers(&hub, &token).iter().take(KILLED) {
            let url = format!("http://{}/api/v1/connections/{client_id}", hub.address);
            ureq::delete(url).header("authorization", format!("Bearer {token}")).call().unwrap();
        }
    })
    .unwrap();
    assert!(killed.get());
    assert_eq!((result.status, result.connections.lost), (Status::Failed, KILLED as u64));
    assert_eq!(result.success_rate, 75.0);
    assert!(result.messages.lost > 0, "{:?}", result.messages);
    let failure = result.failure.unwrap();
    assert!(
        failure.contains("connection_success is 0.75") && failure.contains("closed by the hub"),
        "{failure}"
    );
}

#[test]
fn a_missed_threshold_fails_the_run() {
    let hub = Hub::with(without_limits);
    let thresholds = Thresholds { p99_ms: Some(0.001), ..Thresholds::default() };
    let plan = Plan { thresholds, ..small(Scenario::Paced) };
    let result = run(&plan, &options(&hub), |_progress: &Progress| {}).unwrap();
    assert_eq!((result.status, result.success_rate), (Status::Failed, 100.0));
    assert!(result.failure.unwrap().starts_with("p99_ms is "));
}

#[test]
fn what_the_hub_refuses_is_no_loss_but_an_error() {
    let hub = Hub::with(|settings| {
        without_limits(settings);
        settings.connection.frames_per_s = 10;
    });
    let plan = Plan { rate_hz: 100.0, ..small(Scenario::Paced) };
    let result = run(&plan, &options(&hub), |_progress: &Progress| {}).unwrap();
    assert!(result.messages.refused > 0 && result.messages.lost == 0, "{:?}", result.messages);
    assert_eq!((result.status, result.success_rate), (Status::Failed, 100.0));
    assert!(result.failure.unwrap().contains("rate_limited"));
}

#[test]
fn a_run_that_is_told_to_stop_ends_with_what_it_found() {
    let hub = Hub::with(without_limits);
    let options = options(&hub);
    let plan = Plan { phases: Vec::new(), duration_s: 600.0, ..small(Scenario::Paced) }.complete().unwrap();
    let result = run(&plan, &options, |progress: &Progress| {
        options.stop.store(progress.delivered > 0, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!((result.status, result.failure), (Status::Cancelled, None));
    assert!(result.messages.delivered > 0 && result.messages.lost == 0, "{:?}", result.messages);
    assert!(result.phases[1].duration_s < 600.0);
}

#[test]
fn a_hub_that_is_not_there_is_a_failure_that_says_so() {
    let hub = Hub::with(without_limits);
    let options = options(&hub);
    drop(hub);
    for (scenario, expected) in [(Scenario::Paced, "no publisher: "), (Scenario::Ingest, "error_rate is 1")] {
        let result = run(&small(scenario), &options, |_progress: &Progress| {}).unwrap();
        assert_eq!((result.status, result.success_rate), (Status::Failed, 0.0));
        let failure = result.failure.unwrap();
        assert!(failure.starts_with(expected) && failure.contains("refused"), "{failure}");
        assert_eq!(result.connections.failed, 12);
    }
}
