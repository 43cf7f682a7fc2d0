use serde_json::{Value, json};

use super::{rule, series, written};
use crate::rule::{Evaluator, Step};

/// A sample of `a` or `b` in seconds, or a tick.
#[derive(Debug, Clone, Copy)]
enum Do {
    A(u64, f64),
    B(u64, f64),
    T(u64),
}
use Do::{A, B, T};

fn over(metric: &str) -> Value {
    json!({"kind": "threshold", "metric": metric, "comparison": ">", "value": 80.0})
}

fn composite(op: &str, conditions: &[Value], more: &Value) -> Value {
    let mut fields = json!({"kind": "composite", "metric": null, "comparison": null, "value": null, "op": op,
        "conditions": conditions});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

fn carry_out(fields: &Value, script: &[Do]) -> Vec<Step> {
    let mut evaluator = Evaluator::new(rule(fields));
    let (a, b) = (series("cpu_percent", "web-1"), series("memory_percent", "web-1"));
    let mut out = Vec::new();
    for action in script {
        match *action {
            A(at, value) => evaluator.observe(&a, at * 1_000, value, &mut out),
            B(at, value) => evaluator.observe(&b, at * 1_000, value, &mut out),
            T(now) => evaluator.tick(now * 1_000, &mut out),
        }
    }
    out
}

#[test]
fn conditions_are_joined() {
    let both = [over("cpu.utilization"), over("memory.utilization")];
    let none = json!({});
    let row: &[(&str, Value, &[Do], &[&str])] = &[
        (
            "and",
            composite("and", &both, &none),
            &[A(1, 90.0), B(1, 90.0), A(2, 90.0), B(2, 10.0)],
            &["1 ok>firing", "2 firing>ok"],
        ),
        (
            "and: what is not known does not hold",
            composite("and", &both, &none),
            &[A(1, 90.0), A(2, 90.0), T(9)],
            &[],
        ),
        (
            "or: one is enough",
            composite("or", &both, &none),
            &[A(1, 90.0), A(2, 10.0), T(9)],
            &["1 ok>firing"],
        ),
        (
            "or: one takes over from the other",
            composite("or", &both, &none),
            &[A(1, 90.0), B(1, 10.0), A(2, 10.0), B(2, 90.0)],
            &["1 ok>firing", "2 firing"],
        ),
        (
            "not",
            composite("not", &both[..1], &none),
            &[A(1, 90.0), A(2, 10.0), A(3, 90.0)],
            &["2 ok>firing", "3 firing>ok"],
        ),
        (
            "a moment waits for a second",
            composite("or", &both, &none),
            &[A(1, 10.0), B(1, 10.0), A(2, 90.0), T(2), T(3)],
            &["2 ok>firing"],
        ),
        (
            "for",
            composite("and", &both, &json!({"for_duration_seconds": 5})),
            &[A(1, 90.0), B(1, 90.0), A(6, 90.0), B(6, 90.0)],
            &["1 ok>pending", "6 pending>firing"],
        ),
        (
            "older samples are ignored",
            composite("and", &both, &none),
            &[A(5, 90.0), B(5, 90.0), A(5, 10.0), A(4, 10.0), T(9)],
            &["5 ok>firing"],
        ),
        (
            "what is old is not known",
            composite("and", &both, &none),
            &[A(1, 90.0), B(1, 10.0), B(2, 90.0), B(400, 90.0), T(402)],
            &["2 ok>firing"],
        ),
    ];
    for (what, fields, script, expected) in row {
        assert_eq!(written(&carry_out(fields, script)), *expected, "{what}");
    }
}

#[test]
fn absence_within() {
    let gone = json!({"kind": "absence", "metric": "memory_percent", "absent_seconds": 30});
    let fields = composite("and", &[over("cpu_percent"), gone], &json!({"for_duration_seconds": 10}));
    let script = [T(1), A(1, 90.0), B(1, 1.0), T(31), T(32), T(40), T(41), T(42)];
    assert_eq!(written(&carry_out(&fields, &script)), ["31 ok>pending", "41 pending>firing"]);
    let script = [T(1), A(1, 90.0), T(500)];
    assert_eq!(written(&carry_out(&fields, &script))[0], "31 ok>pending", "never seen");
}

#[test]
fn a_condition_that_is_about_others_is_not_waited_for() {
    let mut elsewhere = over("memory_percent");
    elsewhere["matchers"] = json!(["node=web-2"]);
    let fields = composite("or", &[over("cpu_percent"), elsewhere], &json!({"for_duration_seconds": 10}));
    assert_eq!(written(&carry_out(&fields, &[A(1, 90.0), A(2, 10.0)])), ["1 ok>pending", "2 pending>ok"]);
}

#[test]
fn other_labels_are_other_series() {
    let fields = composite("and", &[over("cpu_percent"), over("memory_percent")], &json!({}));
    let mut evaluator = Evaluator::new(rule(&fields));
    let mut out = Vec::new();
    evaluator.observe(&series("cpu_percent", "web-1"), 1_000, 90.0, &mut out);
    evaluator.observe(&series("memory_percent", "web-2"), 1_000, 90.0, &mut out);
    evaluator.tick(9_000, &mut out);
    assert!(out.is_empty());
    assert_eq!(evaluator.series_count(), 2);
    evaluator.observe(&series("memory_percent", "web-1"), 10_000, 90.0, &mut out);
    evaluator.observe(&series("cpu_percent", "web-1"), 10_000, 90.0, &mut out);
    assert_eq!(written(&out), ["10 ok>firing"]);
    assert_eq!(out[0].series.metric(), "cpu_percent,memory_percent");
    assert_eq!(out[0].reason.to_string(), "conditions 1, 2 of 2 hold");
}
