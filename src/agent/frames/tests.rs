//! Written frames are what the protocol says; read ones are understood or ignored.

use serde_json::{Value, json};

use super::*;
use crate::agent::columns::Recorder;

fn writer() -> PayloadWriter {
    PayloadWriter::new(&NodeName::parse("web-1").unwrap())
}

fn snapshot(cores: usize) -> Snapshot {
    let mut recorder = Recorder::new(Arc::default());
    recorder.flat("cpu_percent", Some(12.345_678_9));
    recorder.flat("memory_used_bytes", Some(8_589_934_592.0));
    recorder.flat("network_rx_bytes_per_s", None);
    for core in 0..cores {
        recorder.labelled("cpu_core_percent", &[("core", &core.to_string())], Some(core as f64));
    }
    recorder.finish(1_795_223_722_042)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_frame_has_the_columnar_form() {
    let payload = writer().write(&snapshot(1)).remove(0);
    let expected = json!({
        "type": "metrics",
        "id": "m-7",
        "payload": {
            "node": "web-1",
            "timestamp": "2026-11-21T01:15:22.042Z",
            "columns": [
                {"name": "cpu_percent"},
                {"name": "memory_used_bytes"},
                {"name": "network_rx_bytes_per_s"},
                {"name": "cpu_core_percent", "labels": {"core": "0"}},
            ],
            "values": [12.346, 8_589_934_592_u64, null, 0],
        },
    });
    assert_eq!(parsed(&metrics_frame(7, &payload, None)), expected);
}

#[test]
fn the_description_joins_the_samples() {
    let payload = writer().write(&snapshot(0)).remove(0);
    let labels = BTreeMap::from([("service".to_owned(), "a\"pi".to_owned())]);
    let inventory = Inventory { hostname: "web".into(), cpu_cores: 4, ..Inventory::default() };
    let description = Description { interval_ms: 1_000, labels: &labels, inventory: &inventory };
    let frame = parsed(&metrics_frame(1, &payload, Some(&description)));
    assert_eq!(frame["payload"]["interval_ms"], 1_000);
    assert_eq!(frame["payload"]["labels"], json!({"service": "a\"pi"}));
    assert_eq!(frame["payload"]["inventory"]["cpu_cores"], 4);
    assert_eq!(frame["payload"]["values"].as_array().unwrap().len(), 3);
}

#[test]
fn a_machine_with_very_many_series_sends_several_payloads() {
    let snapshot = snapshot(3_000);
    let payloads = writer().write(&snapshot);
    assert!(payloads.len() > 1);
    let (mut names, mut values) = (0, Vec::new());
    for payload in &payloads {
        assert!(payload.len() <= PAYLOAD_BYTES_MAX + 256, "{} bytes", payload.len());
        let payload = parsed(payload);
        let columns = payload["columns"].as_array().unwrap();
        assert_eq!(columns.len(), payload["values"].as_array().unwrap().len());
        names += columns.len();
        values.extend(payload["values"].as_array().unwrap().clone());
    }
    assert_eq!((names, values.len()), (3_003, 3_003));
    assert_eq!(values[3..6], [json!(0), json!(1), json!(2)]);
}

#[test]
fn values_are_short_numbers_or_null() {
    let table = [
        (Some(0.0), "0"),
        (Some(33.333_333), "33.333"),
        (Some(1e17), "100000000000000000"),
        (Some(1.5e30), "1.5e30"),
        (Some(-2.0005), "-2.001"),
        (Some(f64::NAN), "null"),
        (None, "null"),
    ];
    for (value, expected) in table {
        let mut text = String::new();
        push_value(&mut text, value);
        assert_eq!(text, expected, "{value:?}");
        assert!(text.len() < VALUE_BYTES_MAX);
    }
}

#[test]
fn frames_of_the_hub_are_read() {
    let parse = |text| HubFrame::parse(text).unwrap();
    assert_eq!(
        parse(
            r#"{"type":"connected","payload":{"client_id":"x","ping_interval_ms":9000,"limits":{"frame_bytes":1000,"topics":5}}}"#
        ),
        HubFrame::Connected(Connected { ping_interval_ms: 9_000, limits: Limits { frame_bytes: 1_000 } })
    );
    assert_eq!(
        parse(r#"{"type":"connected","payload":{}}"#),
        HubFrame::Connected(Connected { ping_interval_ms: 25_000, limits: Limits { frame_bytes: 65_536 } })
    );
    assert_eq!(
        parse(
            r#"{"type":"metrics_ack","payload":{"accepted":3,"rejected":1,"reasons":{"not_finite":1},"durable":true},"metadata":{"reply_to":"m-12"}}"#
        ),
        HubFrame::MetricsAck {
            frame: Some(12),
            ack: MetricsAck { rejected: 1, reasons: [("not_finite".to_owned(), 1)].into(), durable: true },
        }
    );
    assert_eq!(
        parse(r#"{"type":"flow","payload":{"max_rate_hz":0.5,"pause_ms":2000,"reason":"busy"}}"#),
        HubFrame::Flow(FlowOrder { max_rate_hz: Some(0.5), pause_ms: Some(2_000), reason: "busy".into() })
    );
    assert_eq!(
        parse(
            r#"{"type":"error","payload":{"code":"overloaded","message":"m","retryable":true,"retry_after_ms":700},"metadata":{"reply_to":"other"}}"#
        ),
        HubFrame::Error {
            frame: None,
            error: HubError {
                code: "overloaded".into(),
                message: "m".into(),
                retryable: true,
                retry_after_ms: Some(700),
            },
        }
    );
    assert_eq!(
        parse(r#"{"type":"draining","payload":{"reconnect_after_ms":1500}}"#),
        HubFrame::Draining { reconnect_after_ms: 1_500 }
    );
    assert_eq!(parse(r#"{"type":"message","payload":[1],"metadata":{"topic":"t"}}"#), HubFrame::Other);
    assert!(HubFrame::parse("not json").is_err());
}
