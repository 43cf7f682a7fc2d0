use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::Do::{S, T};
use super::differential::{merged, samples, timing};
use super::{absence, carry_out, rule, series, written};
use crate::rule::{Adopted, Evaluator, Phase, Rule, Saved, Series, Step};

/// Another evaluator that goes on where this one is, through what would be written down.
fn reborn(evaluator: &Evaluator, rule: &Arc<Rule>) -> Evaluator {
    let text = serde_json::to_string(&evaluator.saved()).unwrap();
    let saved: Vec<Saved> = serde_json::from_str(&text).unwrap();
    let mut next = Evaluator::new(rule.clone());
    next.restore(saved);
    next
}

#[test]
fn a_pending_timer_goes_on() {
    let rule = rule(&json!({"for_duration_seconds": 30}));
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), S(1, 90.0), S(20, 90.0)]);
    let mut next = reborn(&evaluator, &rule);
    assert_eq!(next.next_tick_ms(), Some(0));
    let out = carry_out(&mut next, &[T(1_000), S(30, 90.0), S(31, 90.0)]);
    assert_eq!(written(&out), ["31 pending>firing"]);
    assert_eq!(out[0].reason.to_string(), "value 90 > 80 for 30 s");
}

#[test]
fn after_a_start_absence_waits_for_samples_as_long_as_ever() {
    let rule = absence(&json!({"for_duration_seconds": 60}));
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), S(1, 1.0), T(31)]);
    let mut next = reborn(&evaluator, &rule);
    let out = carry_out(&mut next, &[T(1_000), T(1_029), T(1_030)]);
    assert_eq!(written(&out), ["1030 pending>firing"]);
    let mut next = reborn(&evaluator, &rule);
    let out = carry_out(&mut next, &[T(1_000), S(1_001, 1.0)]);
    assert_eq!(written(&out), ["1001 pending>ok"]);
}

#[test]
fn what_nobody_has_seen_is_told_from_what_was() {
    let rule = absence(&json!({}));
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), T(31)]);
    let mut next = reborn(&evaluator, &rule);
    let out = carry_out(&mut next, &[T(100), S(100, 1.0)]);
    assert_eq!(written(&out), ["100 firing>ok"]);
    assert_eq!(next.series_count(), 1);
}

#[test]
fn only_what_is_needed_is_saved() {
    let mut evaluator = Evaluator::new(rule(&json!({"recovery_value": 70.0, "for_duration_seconds": 5})));
    let mut out = Vec::new();
    for (node, value) in [("ok", 10.0), ("pending", 90.0)] {
        evaluator.observe(&series("cpu_percent", node), 1_000, value, &mut out);
    }
    let saved = evaluator.saved();
    assert_eq!(
        saved.iter().map(|one| (one.labels["node"].as_str(), one.cell.clock.phase)).collect::<Vec<_>>(),
        [("pending", Phase::Pending)]
    );
}

#[test]
fn a_changed_rule_takes_what_fits() {
    let mut evaluator = Evaluator::new(rule(&json!({"for_duration_seconds": 30})));
    carry_out(&mut evaluator, &[S(1, 90.0)]);
    let over = json!({"kind": "threshold", "metric": "cpu_percent", "comparison": ">", "value": 80.0});
    let joined =
        rule(&json!({"kind": "composite", "metric": null, "comparison": null, "value": null, "op": "not",
        "conditions": [over]}));
    for (changed, expected) in [
        (rule(&json!({"for_duration_seconds": 10})), vec!["11 pending>firing"]),
        (rule(&json!({"matchers": ["node=web-2"]})), vec![]),
        (rule(&json!({"kind": "rate", "window_seconds": 10})), vec!["11 pending>ok"]),
        (joined, vec!["11 pending>ok"]),
    ] {
        let mut next = reborn(&evaluator, &changed);
        let out = carry_out(&mut next, &[S(11, 90.0)]);
        assert_eq!(written(&out), expected, "{:?}", changed.definition());
    }
}

#[test]
fn series_are_bounded_and_quiet_ones_leave_first() {
    let mut evaluator = Evaluator::new(rule(&json!({})));
    evaluator.series_max = 8;
    let mut out = Vec::new();
    let node = |number: u64| series("cpu_percent", &format!("n{number}"));
    for number in 0..8 {
        evaluator.observe(&node(number), 1_000 + number, if number == 0 { 90.0 } else { 1.0 }, &mut out);
    }
    evaluator.observe(&node(8), 2_000, 90.0, &mut out);
    assert!(evaluator.explain(&node(0)).is_some(), "it fires");
    assert!(evaluator.explain(&node(1)).is_none(), "quiet for longest");
    assert!(evaluator.explain(&node(7)).is_some());
    assert!(evaluator.explain(&node(8)).is_some());
    for number in 1..20 {
        evaluator.observe(&node(number), 3_000, 90.0, &mut out);
    }
    assert_eq!(evaluator.series_count(), 8);
    assert!(evaluator.turned_away() > 0);
}

#[test]
fn the_same_labels_behind_another_arc_are_the_same_series() {
    let rule = rule(&json!({"for_duration_seconds": 10}));
    let mut evaluator = Evaluator::new(rule);
    let mut out = Vec::new();
    for (metric, at_ms) in [("cpu_percent", 1_000), ("cpu.utilization", 6_000), ("cpu_percent", 11_000)] {
        let labels = BTreeMap::from([("node".to_owned(), "web-1".to_owned())]);
        evaluator.observe(&Arc::new(Series::new(metric, labels)), at_ms, 90.0, &mut out);
    }
    assert_eq!(written(&out), ["1 ok>pending", "11 pending>firing"]);
    evaluator.observe(&series("memory_percent", "web-9"), 1_000, 90.0, &mut out);
    assert_eq!(evaluator.series_count(), 1, "of another metric");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A restart in the middle is not to be seen in the steps.
    #[test]
    fn a_restart_changes_nothing(timing in timing(), samples in samples(), cut in 0_usize..60, kind in 0_usize..7) {
        let kinds = [
            json!({}),
            json!({"recovery_value": 40.0}),
            json!({"kind": "rate", "value": 0.5, "window_seconds": 20}),
            json!({"kind": "anomaly", "comparison": null, "value": null, "window_points": 10, "samples_min": 5,
                "sigma": 1.5}),
            json!({"kind": "absence", "comparison": null, "value": null, "absent_seconds": 8}),
            super::expressions::fields("avg(cpu_percent, 20s) > 80"),
            super::expressions::fields("increase(cpu_percent, 20s) > 80 or cpu_percent < 20"),
        ];
        let rule = rule(&merged(timing, &kinds[kind]));
        let one = series("cpu_percent", "web-1");
        let feed = |evaluator: &mut Evaluator, samples: &[(u64, f64)], out: &mut Vec<Step>| {
            for (at, value) in samples {
                evaluator.observe(&one, at * 1_000, *value, out);
            }
        };
        let (mut whole, mut parts) = (Vec::new(), Vec::new());
        feed(&mut Evaluator::new(rule.clone()), &samples, &mut whole);
        let (before, behind) = samples.split_at(cut.min(samples.len()));
        let mut evaluator = Evaluator::new(rule.clone());
        feed(&mut evaluator, before, &mut parts);
        // Not through text: a float may lose its last bit there.
        let mut next = Evaluator::new(rule);
        next.restore(evaluator.saved());
        feed(&mut next, behind, &mut parts);
        prop_assert_eq!(whole, parts);
    }
}

fn adopted(rule: &Rule, phase: Phase, since_ms: u64) -> Adopted {
    Adopted { fingerprint: rule.fingerprint(&series("cpu_percent", "web-1")), phase, since_ms }
}

#[test]
fn samples_that_led_to_an_open_alert_and_come_again_change_nothing() {
    let rule = rule(&json!({"for_duration_seconds": 10}));
    let mut next = Evaluator::new(rule.clone());
    next.adopt([adopted(&rule, Phase::Firing, 20_000)]);
    // Those from before its state was kept, and the one that it began with.
    let out = carry_out(&mut next, &[T(100), S(18, 1.0), S(19, 1.0), S(20, 90.0), S(30, 90.0), S(31, 1.0)]);
    assert_eq!(written(&out), ["30 firing", "31 firing>ok"]);
}

#[test]
fn silence_counts_from_the_end_of_what_nobody_could_hear() {
    let rule = absence(&json!({}));
    let mut evaluator = Evaluator::new(rule);
    let mut out = carry_out(&mut evaluator, &[T(1), S(1, 1.0)]);
    evaluator.hear_from(25_000);
    // What is earlier than what is known changes nothing.
    evaluator.hear_from(3_000);
    out.extend(carry_out(&mut evaluator, &[T(31), T(54), T(55)]));
    assert_eq!(written(&out), ["55 ok>firing"]);
}
