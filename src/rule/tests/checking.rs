use serde_json::{Value, json};

use super::{checked, definition, rule};
use crate::alert::Severity;
use crate::rule::definition::Definition;

fn pointers(changes: &Value) -> Vec<String> {
    checked(changes).err().unwrap_or_default().into_iter().map(|error| error.pointer).collect()
}

#[test]
fn every_bad_field_is_named() {
    let bad = json!({
        "name": " ", "metric": "no spaces", "comparison": "~", "value": null, "matchers": ["node=a", "x"],
        "sigma": 3.0, "for_duration_seconds": -1, "keep_firing_seconds": 1e9, "severity": "awful",
        "annotations": {"title": "{{ nothing }}", "a/b c": "x"}, "labels": {"": "x"}, "group_by": ["node", "a b"],
        "runbook_url": "ftp://x", "no_data_seconds": 0, "auto_resolve_seconds": 0.5, "id": "",
        "escalation_policy_id": "", "flap": {"transitions": 1, "window_seconds": 0},
    });
    let mut found = pointers(&bad);
    found.sort();
    assert_eq!(
        found,
        [
            "/annotations/a~1b c",
            "/annotations/title",
            "/auto_resolve_seconds",
            "/comparison",
            "/escalation_policy_id",
            "/flap/transitions",
            "/flap/window_seconds",
            "/for_duration_seconds",
            "/group_by/1",
            "/id",
            "/keep_firing_seconds",
            "/labels/",
            "/matchers/1",
            "/metric",
            "/name",
            "/no_data_seconds",
            "/runbook_url",
            "/severity",
            "/sigma",
            "/value",
        ]
    );
}

#[test]
fn fields_go_by_kind() {
    let off = |kind: &str, more: Value| {
        let mut fields = json!({"kind": kind, "comparison": null, "value": null});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    for (fields, expected) in [
        (json!({"kind": "rate", "window_seconds": 60}), vec![]),
        (json!({"kind": "rate"}), vec!["/window_seconds"]),
        (json!({"kind": "rate", "window_seconds": 60, "unit": "per_hour"}), vec!["/unit"]),
        (json!({"kind": "absence", "absent_seconds": 60}), vec!["/comparison", "/value"]),
        (off("absence", json!({})), vec!["/absent_seconds"]),
        (off("anomaly", json!({})), vec![]),
        (off("anomaly", json!({"window_points": 10, "seasonal": true})), vec![]),
        (json!({"seasonal": true}), vec!["/seasonal"]),
        (
            off("anomaly", json!({"window_points": 1, "samples_min": 9, "sigma": 0, "direction": "up"})),
            vec!["/window_points", "/samples_min", "/sigma", "/direction"],
        ),
        (json!({"kind": "expression"}), vec!["/metric", "/comparison", "/value", "/expression"]),
        (json!({"kind": "guess"}), vec!["/kind"]),
        (json!({"recovery_value": 81.0}), vec!["/recovery_value"]),
        (json!({"comparison": "<", "recovery_value": 81.0}), vec![]),
        (json!({"comparison": "==", "recovery_value": 80.0}), vec!["/recovery_value"]),
    ] {
        assert_eq!(pointers(&fields), expected, "{fields}");
    }
}

#[test]
fn composites_are_bounded() {
    let over = || json!({"kind": "threshold", "metric": "m", "comparison": ">", "value": 1});
    let of = |op: &str, conditions: Vec<Value>| json!({"kind": "composite", "metric": null, "comparison": null, "value": null, "op": op, "conditions": conditions});
    let bare =
        |op: &str, conditions: Vec<Value>| json!({"kind": "composite", "op": op, "conditions": conditions});
    let deep = |depth: usize| {
        (1..depth).fold(of("not", vec![over()]), |inner, level| {
            let inner = bare("not", inner["conditions"].as_array().unwrap().clone());
            if level == 0 { inner } else { of("and", vec![inner]) }
        })
    };
    assert_eq!(pointers(&of("and", vec![over(), over()])), Vec::<String>::new());
    assert_eq!(pointers(&of("xor", vec![over()])), ["/op"]);
    assert_eq!(pointers(&of("and", vec![])), ["/conditions"]);
    assert_eq!(pointers(&of("not", vec![over(), over()])), ["/conditions"]);
    let bad = json!({"kind": "threshold", "metric": "m", "comparison": ">"});
    assert_eq!(pointers(&of("or", vec![over(), bad])), ["/conditions/1/value"]);
    let twelve = || bare("or", (0..12).map(|_| over()).collect());
    assert_eq!(pointers(&of("or", vec![twelve(), twelve()])), ["/conditions"]);
    assert!(pointers(&deep(2)).is_empty());
    let five = bare("and", vec![bare("and", vec![bare("and", vec![bare("and", vec![over()])])])]);
    assert_eq!(
        pointers(&of("and", vec![five])),
        ["/conditions/0/conditions/0/conditions/0/conditions/0/conditions"]
    );
}

#[test]
fn severities_by_value() {
    let by = |bounds: Value| json!({"severity": bounds});
    let rule = rule(&by(json!({"WARNING": 80, "critical": 95})));
    for (value, expected) in
        [(None, Severity::Warning), (Some(81.0), Severity::Warning), (Some(95.5), Severity::Critical)]
    {
        assert_eq!(rule.severity(value), expected, "{value:?}");
    }
    let down = json!({"comparison": "<=", "value": 10, "severity": {"low": 10, "high": 5}});
    let down = super::rule(&down);
    assert_eq!([Some(7.0), Some(5.0)].map(|value| down.severity(value)), [Severity::Info, Severity::Error]);
    assert_eq!(super::rule(&by(json!("Medium"))).severity(None), Severity::Warning);
    assert_eq!(super::rule(&json!({})).severity(None), Severity::Warning, "when nothing is said");
    for bad in
        [json!({}), json!({"warning": 95, "critical": 80}), json!({"low": 1, "info": 2}), json!({"bad": 1})]
    {
        assert_eq!(pointers(&by(bad.clone())).first().map(String::as_str), Some("/severity"), "{bad}");
    }
    let odd = json!({"comparison": "==", "severity": {"warning": 1}});
    assert_eq!(pointers(&odd), ["/severity"]);
}

#[test]
fn unknown_fields_are_refused_at_every_depth() {
    let read = |value: Value| serde_json::from_value::<Definition>(value);
    assert!(read(definition(&json!({}))).is_ok());
    assert!(read(definition(&json!({"ceiling": 1}))).is_err());
    assert!(read(definition(&json!({"flap": {"transitions": 3, "window_seconds": 60, "x": 1}}))).is_err());
    let nested =
        json!({"kind": "composite", "conditions": [{"kind": "threshold", "for_duration_seconds": 3}]});
    assert!(read(definition(&nested)).is_err());
    assert!(read(definition(&json!({"kind": null}))).is_err());
}

#[test]
fn a_definition_is_written_as_it_is_read() {
    let fields = json!({"id": "r-1", "severity": {"warning": 80.0}, "flap": {"transitions": 3, "window_seconds": 60.0},
        "annotations": {"title": "{{ labels.node }}"}, "auto_resolve_seconds": 60.0, "no_data": "alert"});
    let read: Definition = serde_json::from_value(definition(&fields)).unwrap();
    let text = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&text).unwrap(), read, "{text}");
    assert!(!text.contains("null"), "{text}");
    let rule = super::checked(&fields).unwrap();
    assert_eq!(*rule.definition(), read);
    assert_eq!(
        (rule.times().for_ms, rule.times().auto_resolve_ms, rule.times().no_data_ms),
        (0, Some(60_000), 300_000)
    );
    assert_eq!(rule.flap().unwrap().window_ms, 60_000);
    assert_eq!(rule.annotations().len(), 1);
}
