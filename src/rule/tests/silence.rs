//! With `no_data: alert` the silence of a series is an alert beside that of its condition.

use serde_json::json;

use super::Do::{S, T};
use super::{carry_out, rule, series, written};
use crate::alert::{News, Severity};
use crate::rule::signalling::Signalling;
use crate::rule::{Adopted, Evaluator, Phase, Rule};

fn watched() -> std::sync::Arc<Rule> {
    rule(&json!({"id": "cpu", "no_data": "alert", "no_data_seconds": 60, "severity": "error",
        "labels": {"team": "ops"}, "annotations": {"title": "CPU at {{ value }}", "message": "hot", "dashboard": "d"}}))
}

fn reborn(evaluator: &Evaluator, rule: &std::sync::Arc<Rule>) -> Evaluator {
    let mut next = Evaluator::new(rule.clone());
    next.restore(evaluator.saved());
    next
}

/// The open alert that `web-1` is silent.
fn silence(rule: &Rule) -> Adopted {
    Adopted {
        fingerprint: rule.silence_fingerprint(&series("cpu_percent", "web-1")),
        phase: Phase::Firing,
        since_ms: 61_000,
    }
}

#[test]
fn silence_and_breach_are_two_alerts() {
    let rule = watched();
    let mut evaluator = Evaluator::new(rule.clone());
    let steps = carry_out(&mut evaluator, &[T(1), S(1, 90.0), T(61), S(100, 95.0)]);
    assert_eq!(written(&steps), ["1 ok>firing", "61 silent", "100 silence over", "100 firing"]);
    let signalling = Signalling::new(rule);
    let signals: Vec<_> = steps.into_iter().map(|step| signalling.signal(step)).collect();
    let [breach, silent, over, again] = &signals[..] else { panic!("{signals:?}") };
    assert_eq!((&breach.fingerprint, &silent.fingerprint), (&again.fingerprint, &over.fingerprint));
    assert_ne!(breach.fingerprint, silent.fingerprint);
    assert_eq!((&over.news, over.reason.as_str()), (&News::Over, "samples come again"));
    let News::Firing(text) = &silent.news else { panic!("{silent:?}") };
    assert_eq!(text.title, "No data: CPU on web-1");
    assert_eq!(text.message, "cpu_percent: no data for 60 s");
    assert_eq!((text.severity, silent.value, silent.since_ms), (Severity::Error, None, 61_000));
    let labels: Vec<_> = text.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["no_data=true", "node=web-1", "team=ops"]);
    assert_eq!(text.annotations.keys().collect::<Vec<_>>(), ["dashboard"], "the others speak of a breach");
    let News::Firing(text) = &breach.news else { panic!("{breach:?}") };
    assert_eq!((text.title.as_str(), text.labels.contains_key("no_data")), ("CPU at 90", false));
}

#[test]
fn where_both_are_is_told() {
    let rule = watched();
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), S(1, 10.0), T(75)]);
    let mut told: Vec<_> = evaluator.explanations().collect();
    told.sort_by_key(|one| one.is_silence);
    let texts: Vec<_> = told.iter().map(|one| (one.is_silence, one.phase, one.text.as_str())).collect();
    let ok = (false, Phase::Ok, "ok, value 10 not > 80");
    assert_eq!(texts, [ok, (true, Phase::Firing, "firing, no data for 74 s")]);
    assert_eq!(evaluator.held(), (0, 1));
    let signal = Signalling::new(rule.clone()).standing(told.remove(1), 75_000);
    assert_eq!(signal.fingerprint, silence(&rule).fingerprint);
    assert_eq!((signal.since_ms, signal.reason.as_str()), (61_000, "no data for 74 s"));
    assert!(matches!(signal.news, News::Firing(_)));
}

#[test]
fn a_restart_goes_on_with_the_silence_and_does_not_begin_it_anew() {
    let rule = watched();
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), S(1, 10.0), T(61)]);
    let mut next = reborn(&evaluator, &rule);
    let since: Vec<_> = next.explanations().filter(|one| one.is_silence).map(|one| one.since_ms).collect();
    assert_eq!(since, [Some(61_000)], "its state knows");
    let mut out = carry_out(&mut next, &[T(1_000)]);
    next.adopt([silence(&rule)]);
    assert_eq!(next.awaited().count(), 0);
    out.extend(carry_out(&mut next, &[T(2_000), S(2_001, 10.0), T(2_002)]));
    assert_eq!(written(&out), ["2001 silence over"]);
}

#[test]
fn the_alert_that_is_open_counts_more_than_state_that_is_older() {
    let rule = watched();
    let mut evaluator = Evaluator::new(rule.clone());
    carry_out(&mut evaluator, &[T(1), S(1, 10.0)]);
    let mut next = reborn(&evaluator, &rule);
    let mut out = carry_out(&mut next, &[T(1_000)]);
    next.adopt([silence(&rule)]);
    assert_eq!(next.explanations().filter(|one| one.is_silence).count(), 1);
    // Silent it is known to be: that is not told again, and a sample of before proves nothing.
    out.extend(carry_out(&mut next, &[T(2_000), S(1_900, 10.0), S(2_001, 10.0)]));
    assert_eq!(written(&out), ["2001 silence over"]);
}

#[test]
fn an_open_alert_waits_for_its_series() {
    let rule = watched();
    let mut later = Evaluator::new(rule.clone());
    let breach = Adopted { fingerprint: rule.fingerprint(&series("cpu_percent", "web-1")), ..silence(&rule) };
    later.adopt([breach, silence(&rule)]);
    assert_eq!(later.awaited().count(), 2);
    let out = carry_out(&mut later, &[T(70), S(72, 90.0), S(73, 10.0)]);
    assert_eq!(written(&out), ["72 silence over", "72 firing", "73 firing>ok"]);
    assert_eq!(later.awaited().count(), 0);
}

#[test]
fn a_rule_that_does_not_ask_for_it_any_more_has_none() {
    let mut evaluator = Evaluator::new(watched());
    carry_out(&mut evaluator, &[T(1), S(1, 90.0), T(61)]);
    let keeps = rule(&json!({"id": "cpu", "no_data": "keep"}));
    let mut next = reborn(&evaluator, &keeps);
    assert_eq!(
        next.explanations().map(|one| (one.is_silence, one.phase)).collect::<Vec<_>>(),
        [(false, Phase::Firing)]
    );
    assert_eq!(written(&carry_out(&mut next, &[T(100), S(101, 10.0)])), ["101 firing>ok"]);
}

#[test]
fn a_silent_series_is_not_forgotten_for_new_ones() {
    let mut evaluator = Evaluator::new(watched());
    evaluator.series_max = 4;
    carry_out(&mut evaluator, &[T(1), S(1, 10.0), T(61)]);
    let mut out = Vec::new();
    for number in 0..20 {
        evaluator.observe(&series("cpu_percent", &format!("n{number}")), 62_000 + number, 1.0, &mut out);
    }
    assert!(evaluator.explain(&series("cpu_percent", "web-1")).is_some());
    assert_eq!(out, []);
}
