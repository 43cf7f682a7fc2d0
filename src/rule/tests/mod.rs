mod checking;
mod composites;
mod differential;
mod expression_properties;
mod expressions;
mod files;
mod footprint;
mod indexing;
mod naive;
mod previews;
mod restart;
mod semantics;
mod silence;
mod templates;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::definition::Definition;
use super::{Evaluator, Phase, Rule, Series, Step};
use crate::alert::FieldError;

/// What happens to an evaluator. Times in seconds.
#[derive(Debug, Clone, Copy)]
enum Do {
    /// A sample.
    S(u64, f64),
    /// A tick.
    T(u64),
}

/// A definition of these fields over a threshold of 80 on `cpu_percent`; `null` takes a field away.
fn definition(changes: &Value) -> Value {
    let mut definition = json!({"name": "CPU", "kind": "threshold", "metric": "cpu_percent", "comparison": ">", "value": 80.0});
    let fields = definition.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(fields.remove(name)),
            value => drop(fields.insert(name.clone(), value.clone())),
        }
    }
    definition
}

fn checked(changes: &Value) -> Result<Rule, Vec<FieldError>> {
    Rule::check(serde_json::from_value::<Definition>(definition(changes)).unwrap())
}

fn rule(changes: &Value) -> Arc<Rule> {
    Arc::new(checked(changes).unwrap_or_else(|errors| panic!("{changes}: {errors:?}")))
}

fn absence(changes: &Value) -> Arc<Rule> {
    let mut fields = json!({"kind": "absence", "comparison": null, "value": null, "absent_seconds": 30});
    fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    rule(&fields)
}

fn series(metric: &str, node: &str) -> Arc<Series> {
    Arc::new(Series::new(metric, BTreeMap::from([("node".to_owned(), node.to_owned())])))
}

/// Steps as `10 ok>pending`; further breaches as `10 firing`; silences as `10 silent` and `10 silence over`.
fn written(steps: &[Step]) -> Vec<String> {
    let line = |step: &Step| {
        let at = step.at_ms as f64 / 1_000.0;
        if step.is_silence {
            format!("{at} {}", if step.to == Phase::Firing { "silent" } else { "silence over" })
        } else if step.from == step.to {
            format!("{at} {}", step.to)
        } else {
            format!("{at} {}>{}", step.from, step.to)
        }
    };
    steps.iter().map(line).collect()
}

fn carry_out(evaluator: &mut Evaluator, script: &[Do]) -> Vec<Step> {
    let one = series("cpu_percent", "web-1");
    let mut out = Vec::new();
    for action in script {
        match *action {
            Do::S(at, value) => evaluator.observe(&one, at * 1_000, value, &mut out),
            Do::T(now) => evaluator.tick(now * 1_000, &mut out),
        }
    }
    out
}

/// The steps of a new evaluator.
fn steps(rule: &Arc<Rule>, script: &[Do]) -> Vec<String> {
    written(&carry_out(&mut Evaluator::new(rule.clone()), script))
}

/// Steps follow each other, are legal, and none fires before its time.
fn assert_legal(rule: &Rule, steps: &[Step]) {
    let silences: Vec<_> = steps.iter().filter(|step| step.is_silence).map(|step| step.to).collect();
    assert!(silences.chunks(2).all(|pair| [Phase::Firing, Phase::Ok].starts_with(pair)), "{silences:?}");
    let (mut phase, mut at_ms) = (Phase::Ok, 0);
    for step in steps.iter().filter(|step| !step.is_silence) {
        let words = format!("{} of {:?}", step.reason, written(steps));
        assert_eq!(step.from, phase, "{words}");
        assert!(step.at_ms >= at_ms, "{words}");
        let for_ms = rule.times().for_ms;
        match (step.from, step.to) {
            (Phase::Ok, Phase::Firing) => assert!(for_ms == 0, "{words}"),
            (Phase::Pending, Phase::Firing) => assert!(step.at_ms - at_ms >= for_ms, "{words}"),
            (Phase::Ok, Phase::Pending) => assert!(for_ms > 0, "{words}"),
            (Phase::Pending | Phase::Firing, Phase::Ok) | (Phase::Firing, Phase::Firing) => {}
            (Phase::Ok, Phase::Ok) | (Phase::Pending | Phase::Firing, Phase::Pending) => panic!("{words}"),
        }
        (phase, at_ms) = (step.to, step.at_ms);
    }
}
