use std::sync::Arc;

use serde_json::json;

use super::{absence, rule, series};
use crate::alert::Severity;
use crate::rule::preview::{Past, Preview, SAMPLES_MAX, TestValue, VALUES_MAX, preview, test};
use crate::rule::{Phase, Rule};

fn past(metric: &str, node: &str, samples: &[(u64, f64)]) -> Past {
    let samples = samples.iter().map(|(at, value)| (at * 1_000, *value)).collect();
    Past { series: series(metric, node), samples }
}

/// Phases with their begin in seconds, a list a series.
fn told(preview: &Preview) -> Vec<Vec<(Phase, u64)>> {
    let phases = |of: &crate::rule::preview::Course| {
        of.phases.iter().map(|stay| (stay.phase, stay.from_ms / 1_000)).collect()
    };
    preview.series.iter().map(phases).collect()
}

#[test]
fn a_preview_says_what_would_have_been() {
    let rule = rule(&json!({"for_duration_seconds": 10, "severity": {"warning": 80, "critical": 95}}));
    let samples = [(1, 90.0), (11, 99.0), (20, 10.0), (30, 90.0), (45, 85.0), (50, 85.0)];
    let all = [
        past("cpu_percent", "web-2", &[(5, 10.0)]),
        past("cpu.utilization", "web-1", &samples),
        past("load1", "web-1", &[(5, 1e3)]),
    ];
    let preview = preview(&rule, &all, 60_000);
    let (p, f, o) = (Phase::Pending, Phase::Firing, Phase::Ok);
    assert_eq!(told(&preview), [vec![(p, 1), (f, 11), (o, 20), (p, 30), (f, 45)], vec![]]);
    assert_eq!((preview.fired, preview.samples, preview.truncated), (2, 7, false));
    let first = &preview.series[0];
    assert_eq!((first.fired, first.longest_firing_ms), (2, 15_000), "up to the end");
    assert_eq!(first.phases[1].to_ms, Some(20_000));
    assert_eq!((first.phases[4].to_ms, first.phases[4].severity), (None, Some(Severity::Warning)));
    assert_eq!((first.phases[1].severity, first.phases[2].severity), (Some(Severity::Critical), None));
    assert_eq!(first.phases[1].reason, "value 99 > 80 for 10 s");
}

#[test]
fn what_happens_between_samples_happens_in_a_preview() {
    let gone = absence(&json!({"for_duration_seconds": 5}));
    let one = past("cpu_percent", "web-1", &[(1, 1.0), (100, 1.0)]);
    let preview = preview(&gone, &[one], 140_000);
    let (p, f, o) = (Phase::Pending, Phase::Firing, Phase::Ok);
    assert_eq!(told(&preview), [vec![(p, 31), (f, 36), (o, 100), (p, 130), (f, 135)]]);
    assert_eq!(preview.series[0].longest_firing_ms, 64_000);
}

#[test]
fn joined_series_are_one_and_nothing_is_nothing() {
    let both = rule(&super::expressions::fields("cpu_percent > 80 and memory_percent > 80"));
    let all = [
        past("cpu_percent", "a", &[(1, 90.0), (2, 90.0)]),
        past("memory_percent", "a", &[(1, 90.0), (2, 1.0)]),
    ];
    let seen = preview(&both, &all, 9_000);
    assert_eq!(told(&seen), [vec![(Phase::Firing, 1), (Phase::Ok, 2)]]);
    assert_eq!(seen.series[0].phases[0].reason, "cpu_percent 90 > 80, memory_percent 90 > 80");
    let nothing = preview(&both, &[], 9_000);
    assert_eq!((nothing.series.len(), nothing.fired, nothing.samples), (0, 0, 0));
}

#[test]
fn previews_are_bounded() {
    let flapping: Vec<(u64, f64)> =
        (0..SAMPLES_MAX as u64 + 10).map(|at| (at, if at % 2 == 0 { 90.0 } else { 1.0 })).collect();
    let preview = preview(&rule(&json!({})), &[past("cpu_percent", "a", &flapping)], 0);
    assert_eq!((preview.samples, preview.truncated), (SAMPLES_MAX, true));
    assert_eq!((preview.series[0].phases.len(), preview.fired), (500, SAMPLES_MAX as u32 / 2));
}

fn states(rule: &Arc<Rule>, values: &serde_json::Value, interval: f64) -> Vec<(u64, Phase)> {
    let values: Vec<TestValue> = serde_json::from_value(values.clone()).unwrap();
    let states = test(rule, &values, interval).unwrap();
    let begin_ms = states[0].at_ms;
    states.iter().map(|state| ((state.at_ms - begin_ms) / 1_000, state.state)).collect()
}

#[test]
fn a_test_says_the_state_after_each_value() {
    let (p, f, o) = (Phase::Pending, Phase::Firing, Phase::Ok);
    let long = rule(&json!({"for_duration_seconds": 2, "matchers": ["node=web-1", "env!=test"]}));
    assert_eq!(states(&long, &json!([90, 90, 90, 10]), 1.0), [(0, p), (1, p), (2, f), (3, o)]);
    assert_eq!(states(&long, &json!([90, 90]), 60.0), [(0, p), (60, f)]);
    let at = json!([{"value": 90, "at": 0}, {"value": 90, "at": 1.5}, 90]);
    assert_eq!(states(&long, &at, 5.0), [(0, p), (1, p), (6, f)]);
    let gone = absence(&json!({"for_duration_seconds": 5}));
    assert_eq!(states(&gone, &json!([1, {"value": 1, "at": 100}]), 1.0), [(0, o), (100, o)]);
    let joined = rule(&super::expressions::fields("cpu_percent > 80 and memory_percent > 80"));
    assert_eq!(states(&joined, &json!([90, 70]), 1.0), [(0, f), (1, o)]);
    let values = [TestValue::Value(90.0)];
    let state = &test(&rule(&json!({})), &values, 1.0).unwrap()[0];
    assert_eq!((state.text.as_str(), state.severity), ("firing, value 90 > 80", Some(Severity::Warning)));
    let nobody = rule(&json!({"matchers": ["node=~web.+"]}));
    assert!(test(&nobody, &values, 1.0).unwrap()[0].text.starts_with("the rule is not about"));
}

#[test]
fn a_test_is_bounded() {
    let rule = rule(&json!({}));
    let pointer =
        |values: &[TestValue], interval: f64| test(&rule, values, interval).unwrap_err()[0].pointer.clone();
    let one = TestValue::Value(1.0);
    assert_eq!(pointer(&[], 1.0), "/test_values");
    assert_eq!(pointer(&vec![one; VALUES_MAX + 1], 1.0), "/test_values");
    for bad in [0.0, f64::NAN, 1e9] {
        assert_eq!(pointer(&[one], bad), "/interval_seconds");
    }
    for bad in [-1.0, f64::NAN, 1e13] {
        assert_eq!(pointer(&[one, TestValue::At { value: 1.0, at: bad }], 1.0), "/test_values/1/at");
    }
    assert_eq!(pointer(&[one, TestValue::At { value: 1.0, at: 0.0 }], 1.0), "/test_values/1");
}

#[test]
fn a_silence_has_a_course_of_its_own() {
    let watched = rule(&json!({"no_data": "alert", "no_data_seconds": 30}));
    let preview = preview(&watched, &[past("cpu_percent", "web-1", &[(1, 90.0), (100, 1.0)])], 110_000);
    let (f, o) = (Phase::Firing, Phase::Ok);
    assert_eq!(told(&preview), [vec![(f, 31), (o, 100)], vec![(f, 1), (o, 100)]]);
    assert_eq!(preview.series[0].labels["no_data"], "true");
}
