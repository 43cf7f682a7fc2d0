use serde_json::{Value, json};

use super::{checked, rule, series, written};
use crate::alert::Severity;
use crate::rule::expression::{BYTES_MAX, Expression};
use crate::rule::{Evaluator, Step};

pub(super) fn fields(text: &str) -> Value {
    json!({"kind": "expression", "metric": null, "comparison": null, "value": null, "expression": text})
}

#[test]
fn what_is_written_is_read_and_printed() {
    for (text, printed) in [
        ("cpu_percent>80", "cpu_percent > 80"),
        (
            "cpu.utilization > 80 AND memory.utilization > 75",
            "cpu.utilization > 80 and memory.utilization > 75",
        ),
        ("a > 1 or b > 2 and not c > 3", "a > 1 or b > 2 and not c > 3"),
        ("(a > 1 or b > 2) and c > 3", "(a > 1 or b > 2) and c > 3"),
        ("a - (b - c) - 1 == 2 * (3 + d) / -e", "a - (b - c) - 1 == 2 * (3 + d) / -e"),
        ("avg(cpu_percent, 300) > 8e1", "avg(cpu_percent, 5m) > 80"),
        ("avg_over_time(cpu_percent[5m]) > .5", "avg(cpu_percent, 5m) > 0.5"),
        ("quantile_over_time(0.95, x{a='b'}[1h30m]) > 1", "p95(x{a=\"b\"}, 90m) > 1"),
        ("quantile(0.999, x, 90s) > 1", "quantile(0.999, x, 90s) > 1"),
        ("predict_linear(x[1h], 4 * 3600) < 0", "predict_linear(x, 1h, 4h) < 0"),
        ("predict_linear(x, 1h) < 0", "predict_linear(x, 1h, 1h) < 0"),
        ("Rate(x[1500ms]) > 1", "rate(x, 1500ms) > 1"),
        (
            "{__name__=\"queue-depth\", \"a/b\"!~`x\\d`} > 1",
            "{__name__=\"queue-depth\", \"a/b\"!~\"x\\\\d\"} > 1",
        ),
        ("sum > 1", "sum > 1"),
    ] {
        let read = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(read.to_string(), printed);
        assert_eq!(Expression::parse(printed).unwrap(), read);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        ("", "at character 1: expected a number, a series or a function, found the end"),
        ("cpu_percent", "at character 1: expected a comparison, such as cpu_percent > 80, found a number"),
        ("1 > 2", "at character 1: expected a series in at least one place, found numbers alone"),
        ("a > 1 and b", "at character 11: expected a comparison, such as cpu_percent > 80, found a number"),
        ("(a > 1) + 2", "at character 1: expected a number, a series or a function, found a comparison"),
        ("(a > 1) + 2 > 3", "at character 1: expected a number, a series or a function, found a comparison"),
        ("a > (b > 1)", "at character 5: expected a number, a series or a function, found a comparison"),
        ("1 < a < 5", "at character 7: expected and, or or the end: a comparison is no number, found \"<\""),
        ("not a", "at character 5: expected a comparison, such as cpu_percent > 80, found a number"),
        ("-(a > 1)", "at character 2: expected a number, a series or a function, found a comparison"),
        ("a > 1 b", "at character 7: expected and, or, an operator or the end, found b"),
        ("é > 1", "at character 1: expected a number, a name, a text"),
        ("a > 1 and é", "at character 11: expected a number, a name, a text"),
        ("a % 2 > 1", "at character 3: expected a number, a name, a text"),
        ("(a > 1", "at character 7: expected a closing parenthesis, found the end"),
        ("avg(a) > 1", "at character 6: expected a comma and a window: avg(cpu_percent, 5m). Series are not"),
        ("avg(a, 0) > 1", "at character 8: expected 1 to 86400 seconds, or a duration such as 5m, found 0"),
        ("avg(a, 2d) > 1", "at character 8: expected 1 to 86400 seconds"),
        (
            "avg(a, b) > 1",
            "at character 8: expected 1 to 86400 seconds, or a duration such as 5m, found no number",
        ),
        ("a[5m] > 1", "at character 2: expected a function around a series with a window"),
        ("histogram_quantile(0.9, a) > 1", "at character 1: expected one of the functions avg, min, max"),
        (
            "sum by (node) (a) > 1",
            "at character 5: expected and, or, an operator or the end (series are not aggregated",
        ),
        ("quantile(2, a, 5m) > 1", "at character 10: expected a part from 0 to 1, found 2"),
        ("predict_linear(a, 1h, 31d) > 1", "at character 23: expected 0 to 2592000 seconds"),
        ("a{b} > 1", "at character 4: expected one of = != =~ !~, found \"}\""),
        ("a{b=c} > 1", "at character 5: expected a value in quotation marks, found c"),
        ("a{b=~\"(\"} > 1", "at character 3: expected a matcher, found \"(\" is no regular expression"),
        ("{b=\"c\"} > 1", "at character 1: expected the name of a metric, found matchers alone"),
        ("{__name__=\"a b\"} > 1", "at character 1: expected the name of a metric, found a metric name may"),
        ("avg(and, 5m) > 1", "at character 5: expected a series, found and"),
        ("5m > a", "at character 1: expected a number, a series or a function, found 5m"),
        ("a > 1e999", "at character 5: expected a number, a name"),
    ] {
        let error = Expression::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn expressions_are_bounded() {
    let long = format!("a > {}", "1".repeat(BYTES_MAX));
    assert_eq!(Expression::parse(&long).unwrap_err().expected, "at most 1000 bytes");
    for (open, close) in [("(", ")"), ("not (", ")"), ("-", "")] {
        let nested = |depth: usize| {
            let inside = if open == "-" { "1" } else { "a > 1" };
            let whole = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
            if open == "-" { format!("a > {whole}") } else { whole }
        };
        // Each not and each parenthesis counts.
        let each = if open == "not (" { 2 } else { 1 };
        assert!(Expression::parse(&nested(16 / each)).is_ok(), "{open}");
        assert!(Expression::parse(&nested(17)).unwrap_err().expected.starts_with("at most 16"), "{open}");
    }
    let many = |count: usize| (0..count).map(|n| format!("m{n} > 1")).collect::<Vec<_>>().join(" and ");
    assert!(checked(&fields(&many(16))).is_ok());
    assert_eq!(checked(&fields(&many(17))).unwrap_err()[0].pointer, "/expression");
    let same = ["cpu_percent > 1 and cpu.utilization < 9"; 9].join(" and ");
    assert_eq!(rule(&fields(&same)).leaves().len(), 1, "the same by both of its names");
}

#[test]
fn the_check_names_the_field() {
    let pointer = |fields: &Value| checked(fields).unwrap_err()[0].clone();
    let bad = pointer(&fields("cpu_percent > "));
    assert_eq!(
        (bad.pointer.as_str(), bad.message.as_str()),
        ("/expression", "at character 15: expected a number, a series or a function, found the end")
    );
    assert_eq!(
        pointer(&json!({"kind": "expression", "metric": null, "comparison": null, "value": null})).pointer,
        "/expression"
    );
    assert_eq!(pointer(&json!({"expression": "a > 1"})).pointer, "/expression", "of another kind");
    let mut more = fields("a > 1");
    more["sigma"] = json!(3.0);
    assert_eq!(pointer(&more).pointer, "/sigma");
}

#[test]
fn severities_by_the_value_of_one_comparison() {
    for (text, value, expected) in [
        ("avg(a, 5m) > 80", 96.0, Severity::Critical),
        ("avg(a, 5m) > 80", 90.0, Severity::Warning),
        ("80 < a / 2", 96.0, Severity::Critical),
    ] {
        let mut fields = fields(text);
        fields["severity"] = json!({"warning": 80, "critical": 95});
        assert_eq!(rule(&fields).severity(Some(value)), expected, "{text}");
    }
    for text in ["a > 1 and b > 1", "a > b", "a == 1"] {
        let mut fields = fields(text);
        fields["severity"] = json!({"warning": 80, "critical": 95});
        assert_eq!(checked(&fields).unwrap_err()[0].pointer, "/severity", "{text}");
    }
}

/// Metric, seconds, value.
fn run(text: &str, more: &Value, samples: &[(&str, u64, f64)]) -> (Evaluator, Vec<Step>) {
    let mut fields = fields(text);
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut evaluator = Evaluator::new(rule(&fields));
    let mut out = Vec::new();
    for (metric, at, value) in samples {
        if *metric == "tick" {
            evaluator.tick(at * 1_000, &mut out);
        } else {
            evaluator.observe(&series(metric, "web-1"), at * 1_000, *value, &mut out);
        }
    }
    (evaluator, out)
}

/// What, further fields, samples, steps.
type Row<'a> = (&'a str, Value, &'a [(&'a str, u64, f64)], &'a [&'a str]);

#[test]
fn expressions_are_judged_as_samples_arrive() {
    let (c, m) = ("cpu_percent", "memory_percent");
    let row: &[Row<'_>] = &[
        (
            "cpu.utilization > 80",
            json!({}),
            &[(c, 1, 80.0), (c, 2, 81.0), (c, 3, 1.0)],
            &["2 ok>firing", "3 firing>ok"],
        ),
        (
            "cpu.utilization > 80 AND memory.utilization > 75",
            json!({}),
            &[(c, 1, 90.0), (m, 1, 90.0), (c, 2, 90.0), (m, 2, 10.0)],
            &["1 ok>firing", "2 firing>ok"],
        ),
        ("cpu_percent + memory_percent > 150", json!({}), &[(c, 1, 90.0), (m, 1, 61.0)], &["1 ok>firing"]),
        ("cpu_percent / memory_percent > 1", json!({}), &[(c, 1, 90.0), (m, 1, 0.0), ("tick", 9, 0.0)], &[]),
        (
            "cpu_percent > 80 and memory_percent > 1",
            json!({}),
            &[(c, 1, 90.0), (c, 2, 90.0), ("tick", 9, 0.0)],
            &[],
        ),
        ("cpu_percent > 80 or memory_percent > 1", json!({}), &[(c, 1, 90.0)], &["1 ok>firing"]),
        ("not cpu_percent > 80", json!({}), &[(c, 1, 90.0), (c, 2, 10.0)], &["2 ok>firing"]),
        (
            "avg(cpu_percent, 10s) > 80",
            json!({"for_duration_seconds": 2}),
            &[(c, 1, 70.0), (c, 2, 100.0), (c, 3, 100.0), (c, 4, 100.0), (c, 14, 10.0)],
            &["2 ok>pending", "4 pending>firing", "14 firing>ok"],
        ),
        (
            "what is old is not known: cpu_percent > 80 and memory_percent > 80",
            json!({}),
            &[(c, 1, 90.0), (m, 1, 10.0), (m, 2, 90.0), (m, 302, 90.0), ("tick", 309, 0.0)],
            &["2 ok>firing"],
        ),
        (
            "the end of a series: cpu_percent > 80",
            json!({"no_data": "ok"}),
            &[(c, 1, 90.0), (c, 2, f64::NAN), (c, 3, 90.0)],
            &["1 ok>firing", "3 firing"],
        ),
        (
            "a silence: cpu_percent > 80",
            json!({"no_data": "ok", "no_data_seconds": 60}),
            &[("tick", 1, 0.0), (c, 1, 90.0), ("tick", 61, 0.0)],
            &["1 ok>firing", "61 firing>ok"],
        ),
    ];
    for (what, more, samples, expected) in row {
        let text = what.rsplit_once(": ").map_or(*what, |(_, text)| text);
        assert_eq!(written(&run(text, more, samples).1), *expected, "{what}");
    }
}

#[test]
fn a_window_follows_a_counter_and_a_line() {
    let x = |from: u64, to: u64, value: fn(u64) -> f64| {
        (from..=to).map(|at| ("x", at, value(at))).collect::<Vec<_>>()
    };
    let mut samples = x(1, 60, |at| at as f64);
    samples.extend(x(61, 90, |at| (at - 61) as f64 * 5.0));
    let out = run("rate(x[30s]) > 2", &json!({}), &samples).1;
    assert_eq!(written(&out)[0], "69 ok>firing", "also over a begin anew");
    let filling = x(1, 60, |at| 40.0 + at as f64 / 2.0);
    let out = run("predict_linear(x, 1m, 1m) >= 99", &json!({}), &filling).1;
    assert_eq!(written(&out)[0], "58 ok>firing");
}

#[test]
fn reasons_have_names_and_values() {
    let text = "avg(cpu.utilization{node=~\"web.*\"}, 5m) > 80 and memory_percent - 1 < 75 and 3 > cpu_percent / 2 and cpu_percent > 0 and cpu_percent > 1";
    let (evaluator, out) = run(text, &json!({}), &[("cpu_percent", 1, 4.0), ("memory_percent", 1, 50.0)]);
    assert!(out.is_empty());
    let told = evaluator.explain(&series("x", "web-1")).unwrap();
    let words = "avg(cpu_percent{node=~\"web.*\"}, 5m) 4 not > 80, memory_percent - 1 49 < 75, 3 > cpu_percent / 2 2, cpu_percent 4 > 0";
    assert_eq!(told.text, format!("ok, {words}"));
    let (_, out) = run(
        "cpu_percent > 80 and 70 < memory_percent",
        &json!({}),
        &[("cpu_percent", 1, 90.0), ("memory_percent", 1, 71.0)],
    );
    assert_eq!(out[0].reason.to_string(), "90 > 80, 70 < 71");
    assert_eq!(out[0].value, Some(90.0));
    let written = serde_json::to_string(&out[0].reason).unwrap();
    assert_eq!(serde_json::from_str::<crate::rule::Reason>(&written).unwrap(), out[0].reason);
    let (_, out) = run("70 < cpu_percent", &json!({}), &[("cpu_percent", 1, 71.0)]);
    assert_eq!(out[0].value, Some(71.0), "the side that is not constant");
    let either = "cpu_percent > 80 or memory_percent > 70";
    let (_, out) = run(either, &json!({}), &[("cpu_percent", 1, 1.0), ("memory_percent", 1, 71.0)]);
    assert_eq!(out[0].value, Some(71.0), "what holds");
}

#[test]
fn the_value_is_that_of_the_newest_judgement() {
    let (c, m) = ("cpu_percent", "memory_percent");
    let both = "cpu_percent > 80 and memory_percent > 80";
    let (evaluator, _) = run(both, &json!({}), &[(c, 1, 90.0), (m, 1, 90.0), (c, 2, 85.0)]);
    let told = evaluator.explain(&series(c, "web-1")).unwrap();
    assert_eq!(told.value, Some(90.0), "of the second moment the other one is missing");
    let silent = json!({"no_data": "ok", "no_data_seconds": 60});
    let (_, out) = run(
        "cpu_percent > 80",
        &silent,
        &[("tick", 1, 0.0), (c, 1, 90.0), (c, 2, f64::NAN), ("tick", 99, 0.0)],
    );
    assert_eq!(written(&out), ["1 ok>firing", "62 firing>ok"]);
    assert_eq!(out[1].value, Some(90.0), "what nobody knows is not nothing");
}

#[test]
fn an_expression_within_a_composite() {
    let inner = json!({"kind": "expression", "expression": "cpu_percent + memory_percent > 100 and cpu_percent < 90"});
    let gone = json!({"kind": "absence", "metric": "load1", "absent_seconds": 30});
    let fields = json!({"kind": "composite", "metric": null, "comparison": null, "value": null, "op": "or",
        "conditions": [gone, inner]});
    let mut evaluator = Evaluator::new(rule(&fields));
    let mut out = Vec::new();
    evaluator.tick(1_000, &mut out);
    for (metric, at_ms, value) in
        [("cpu_percent", 1_000, 60.0), ("load1", 1_000, 1.0), ("memory_percent", 1_000, 60.0)]
    {
        evaluator.observe(&series(metric, "n"), at_ms, value, &mut out);
    }
    assert_eq!(written(&out), ["1 ok>firing"]);
    assert_eq!(out[0].reason.to_string(), "condition 2 of 2 holds");
}

#[test]
fn what_is_remembered_of_other_inputs_is_forgotten() {
    let (evaluator, _) = run("sum(cpu_percent, 1m) > 150", &json!({}), &[("cpu_percent", 1, 90.0)]);
    for (text, expected) in [("sum(cpu_percent, 1m) > 150", 1), ("count(cpu_percent, 1m) > 1", 0)] {
        let mut next = Evaluator::new(rule(&fields(text)));
        let saved = serde_json::to_string(&evaluator.saved()).unwrap();
        next.restore(serde_json::from_str(&saved).unwrap());
        let mut out = Vec::new();
        next.observe(&series("cpu_percent", "web-1"), 2_000, 90.0, &mut out);
        assert_eq!(out.len(), expected, "{text}");
    }
}
