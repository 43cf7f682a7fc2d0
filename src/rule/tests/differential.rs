use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::naive::{Moment, absent_phases, phases, silences};
use super::{assert_legal, rule, series};
use crate::rule::{Evaluator, Phase, Rule, Step};

/// Seconds and values: mostly near the limit, sometimes NaN, sometimes after a long gap.
pub(super) fn samples() -> impl Strategy<Value = Vec<(u64, f64)>> {
    let value = prop_oneof![
        8 => (0_i32..20).prop_map(|value| f64::from(value) * 10.0),
        1 => Just(f64::NAN),
    ];
    let gap = prop_oneof![8 => 1_u64..6, 1 => 6_u64..60];
    prop::collection::vec((gap, value), 0..60).prop_map(|steps| {
        let mut at = 0;
        let sum = |(gap, value)| {
            at += gap;
            (at, value)
        };
        steps.into_iter().map(sum).collect()
    })
}

/// Times of a rule as fields.
pub(super) fn timing() -> impl Strategy<Value = Value> {
    let auto = prop_oneof![Just(Value::Null), (2_u64..40).prop_map(Value::from)];
    (0_u64..12, 0_u64..10, prop::sample::select(vec!["ok", "alert", "keep"]), 4_u64..30, auto).prop_map(
        |(duration, keep, no_data, silence, auto)| {
            json!({"for_duration_seconds": duration, "keep_firing_seconds": keep, "no_data": no_data,
                "no_data_seconds": silence, "auto_resolve_seconds": auto})
        },
    )
}

pub(super) fn merged(fields: Value, more: &Value) -> Value {
    let mut fields = fields;
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

/// The phase at the end of each second, as steps tell it: that of the condition, or of the silence.
fn told(steps: &[Step], is_silence: bool, until: u64) -> Vec<Phase> {
    let steps: Vec<_> = steps.iter().filter(|step| step.is_silence == is_silence).collect();
    let at = |second: u64| steps.iter().rev().find(|step| step.at_ms <= second * 1_000);
    (0..=until).map(|second| at(second).map_or(Phase::Ok, |step| step.to)).collect()
}

fn told_silences(steps: &[Step], until: u64) -> Vec<bool> {
    told(steps, true, until).into_iter().map(|phase| phase == Phase::Firing).collect()
}

/// Feeds samples with ticks and older samples strewn in; ends with a tick.
fn fed(rule: &Arc<Rule>, samples: &[(u64, f64)], strewn: &[u8], until: u64) -> Vec<Step> {
    let mut evaluator = Evaluator::new(rule.clone());
    let one = series("cpu_percent", "web-1");
    let mut out = Vec::new();
    let mut strewn = strewn.iter().cycle();
    evaluator.tick(samples.first().map_or(0, |(at, _)| at * 1_000), &mut out);
    for (at, value) in samples {
        evaluator.observe(&one, at * 1_000, *value, &mut out);
        match strewn.next() {
            Some(0) => evaluator.tick(at * 1_000, &mut out),
            Some(1) if !value.is_nan() => evaluator.observe(&one, (at - 1) * 1_000 + 500, 150.0, &mut out),
            Some(2) if !value.is_nan() => evaluator.observe(&one, at * 1_000, 0.0, &mut out),
            _ => {}
        }
    }
    evaluator.tick(until * 1_000, &mut out);
    out
}

/// A series begins with a value: what nobody knows cannot end.
fn begun(samples: &[(u64, f64)]) -> &[(u64, f64)] {
    let ends = samples.iter().take_while(|(_, value)| value.is_nan()).count();
    &samples[ends..]
}

/// What each sample says, by a function of it and all before it since the series began.
fn moments(samples: &[(u64, f64)], says: impl Fn(&[(u64, f64)]) -> Option<bool>) -> BTreeMap<u64, Moment> {
    let mut begin = 0;
    let mut moments = BTreeMap::new();
    for (index, (at, value)) in samples.iter().enumerate() {
        let moment = if value.is_nan() {
            begin = index + 1;
            Moment::Ended
        } else {
            Moment::Judged(says(&samples[begin..=index]))
        };
        moments.insert(*at, moment);
    }
    moments
}

fn rate_says(past: &[(u64, f64)]) -> Option<bool> {
    let ((now, value), before) = past.split_last()?;
    let mut kept: Vec<(u64, f64)> = Vec::new();
    for (at, value) in before {
        // A window of 120 seconds is known to two seconds.
        if kept.iter().rev().find(|(then, _)| then + 120 >= *at).is_none_or(|(then, _)| at - then >= 2) {
            kept.push((*at, *value));
        }
    }
    let (then, old) = kept.into_iter().find(|(then, _)| then + 120 >= *now)?;
    (now - then >= 60).then(|| (value - old) / (now - then) as f64 > 0.5)
}

fn anomaly_says(past: &[(u64, f64)]) -> Option<bool> {
    let ((_, value), before) = past.split_last()?;
    let window = &before[before.len().saturating_sub(10)..];
    if window.len() < 5 {
        return None;
    }
    let count = window.len() as f64;
    let mean = window.iter().map(|(_, v)| v).sum::<f64>() / count;
    let variance = window.iter().map(|(_, v)| (v - mean).powi(2)).sum::<f64>() / count;
    Some((value - mean).abs() / variance.sqrt().max(mean.abs() * 1e-3).max(1e-9) > 1.5)
}

fn agree(
    fields: &Value,
    samples: &[(u64, f64)],
    strewn: &[u8],
    says: impl Fn(&[(u64, f64)]) -> Option<bool>,
) {
    let rule = rule(fields);
    let samples = begun(samples);
    let until = samples.last().map_or(0, |(at, _)| at + 100);
    let steps = fed(&rule, samples, strewn, until);
    assert_legal(&rule, &steps);
    let moments = moments(samples, says);
    let naive = phases(&moments, &rule.times(), until);
    assert_eq!(told(&steps, false, until), naive, "{fields} {samples:?}");
    let naive = silences(&moments, &rule.times(), until);
    assert_eq!(told_silences(&steps, until), naive, "{fields} {samples:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn thresholds(timing in timing(), samples in samples(), strewn in prop::collection::vec(0_u8..8, 1..9)) {
        agree(&timing, &samples, &strewn, |past| past.last().map(|(_, value)| *value > 80.0));
    }

    #[test]
    fn thresholds_with_recovery(timing in timing(), samples in samples(),
        strewn in prop::collection::vec(0_u8..8, 1..9)) {
        let fields = merged(timing, &json!({"recovery_value": 40.0}));
        agree(&fields, &samples, &strewn, |past| {
            // Over the limit, or above the recovery value since it was over the limit.
            Some(past.iter().rev().take_while(|(_, value)| *value > 40.0).any(|(_, value)| *value > 80.0))
        });
    }

    #[test]
    fn rates(timing in timing(), samples in samples(), strewn in prop::collection::vec(0_u8..8, 1..9)) {
        let fields = merged(timing, &json!({"kind": "rate", "value": 0.5, "window_seconds": 120}));
        agree(&fields, &samples, &strewn, rate_says);
    }

    #[test]
    fn anomalies(timing in timing(), samples in samples(), strewn in prop::collection::vec(0_u8..8, 1..9)) {
        let fields = merged(timing, &json!({"kind": "anomaly", "comparison": null, "value": null,
            "window_points": 10, "samples_min": 5, "sigma": 1.5}));
        agree(&fields, &samples, &strewn, anomaly_says);
    }

    #[test]
    fn absences(timing in timing(), samples in samples(), strewn in prop::collection::vec(0_u8..8, 1..9)) {
        let fields = merged(timing, &json!({"kind": "absence", "comparison": null, "value": null,
            "absent_seconds": 8}));
        let rule = rule(&fields);
        let samples = begun(&samples);
        let until = samples.last().map_or(0, |(at, _)| at + 100);
        let steps = fed(&rule, samples, &strewn, until);
        assert_legal(&rule, &steps);
        let heard = samples.iter().filter(|(_, value)| !value.is_nan());
        let heard: BTreeMap<u64, Moment> = heard.map(|(at, _)| (*at, Moment::Judged(Some(false)))).collect();
        prop_assert!(steps.iter().all(|step| !step.is_silence), "it is about silence anyway");
        prop_assert_eq!(told(&steps, false, until), absent_phases(&heard, &rule.times(), 8, until));
    }

    #[test]
    fn composites(timing in timing(), a in samples(), b in samples(), op in 0_usize..3,
        order in prop::collection::vec(any::<bool>(), 1..9), ticks in prop::collection::vec(any::<bool>(), 1..9)) {
        let over = |metric: &str| json!({"kind": "threshold", "metric": metric, "comparison": ">", "value": 80.0});
        let op = ["and", "or", "not"][op];
        let conditions =
            if op == "not" { vec![over("cpu_percent")] } else { vec![over("cpu_percent"), over("memory_percent")] };
        let fields = merged(timing, &json!({"kind": "composite", "metric": null, "comparison": null, "value": null,
            "op": op, "conditions": conditions}));
        let rule = rule(&fields);
        let (a, b): (BTreeMap<u64, f64>, BTreeMap<u64, f64>) = (a.into_iter().collect(), b.into_iter().collect());
        let b = if op == "not" { BTreeMap::new() } else { b };
        let (on_a, on_b) = (series("cpu_percent", "web-1"), series("memory_percent", "web-1"));
        let until = a.keys().chain(b.keys()).max().map_or(0, |at| at + 100);
        let mut evaluator = Evaluator::new(rule.clone());
        let (mut out, mut moments) = (Vec::new(), BTreeMap::new());
        evaluator.tick(0, &mut out);
        let (mut order, mut ticks) = (order.iter().cycle(), ticks.iter().cycle());
        for at in 0..=until {
            let mut both = [(&on_a, a.get(&at)), (&on_b, b.get(&at))];
            if order.next() == Some(&true) {
                both.reverse();
            }
            for (of, value) in both {
                if let Some(value) = value {
                    evaluator.observe(of, at * 1_000, *value, &mut out);
                }
            }
            if both.iter().any(|(_, value)| value.is_some_and(|value| !value.is_nan() || !moments.is_empty())) {
                let says = |all: &BTreeMap<u64, f64>| {
                    let (then, value) = all.range(..=at).next_back()?;
                    (at - then <= 300 && !value.is_nan()).then_some(*value > 80.0)
                };
                let holds = match (op, says(&a), says(&b)) {
                    ("and", Some(false), _) | ("and", _, Some(false)) => Some(false),
                    ("or", Some(true), _) | ("or", _, Some(true)) => Some(true),
                    ("and" | "or", Some(one), Some(_)) => Some(one),
                    ("not", one, _) => one.map(|one| !one),
                    _ => None,
                };
                moments.insert(at, Moment::Judged(holds));
            }
            if ticks.next() == Some(&true) && !moments.is_empty() {
                evaluator.tick(at * 1_000, &mut out);
            }
        }
        evaluator.tick(until * 1_000 + 1_000, &mut out);
        assert_legal(&rule, &out);
        prop_assert_eq!(told(&out, false, until), phases(&moments, &rule.times(), until));
        prop_assert_eq!(told_silences(&out, until), silences(&moments, &rule.times(), until));
    }
}
