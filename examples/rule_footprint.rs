//! What rules cost: resident memory per series of a rule, and samples judged per second on one thread, for 10,000 rules
//! with 100 series each. `cargo run --release --example rule_footprint`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use infrawatch::rule::{Evaluator, Rule, Series};

const RULES: usize = 10_000;
const SERIES: usize = 100;
const ROUNDS: u64 = 5;

/// One sample in so many breaches.
const BREACH_ONE_IN: usize = 100;

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[expect(clippy::disallowed_methods, reason = "it measures the real time")]
fn now() -> Instant {
    Instant::now()
}

fn rule(number: usize) -> Evaluator {
    let definition = serde_json::json!({
        "id": format!("r{number}"), "name": "CPU", "kind": "threshold", "metric": "cpu_percent",
        "comparison": ">", "value": 80, "for_duration_seconds": 30,
    });
    Evaluator::new(Arc::new(Rule::check(serde_json::from_value(definition).unwrap()).unwrap()))
}

fn main() {
    // Series are shared by all rules that watch them, so they are no part of a state.
    let series: Vec<Arc<Series>> = (0..SERIES)
        .map(|number| {
            let labels = BTreeMap::from([("node".to_owned(), format!("web-{number}"))]);
            Arc::new(Series::new("cpu_percent", labels))
        })
        .collect();
    let mut rules: Vec<Evaluator> = (0..RULES).map(rule).collect();
    let mut out = Vec::new();
    let empty = resident_bytes();
    let mut steps = 0;
    for round in 0..=ROUNDS {
        let begin = now();
        for (at, evaluator) in rules.iter_mut().enumerate() {
            for (number, one) in series.iter().enumerate() {
                let breaches = (at + number + round as usize).is_multiple_of(BREACH_ONE_IN);
                evaluator.observe(one, (round + 1) * 1_000, if breaches { 90.0 } else { 40.0 }, &mut out);
            }
            steps += out.len();
            out.clear();
        }
        let pairs = (RULES * SERIES) as f64;
        let rate = pairs / begin.elapsed().as_secs_f64() / 1e6;
        if round == 0 {
            let bytes = (resident_bytes() - empty) as f64 / pairs;
            println!("{bytes:.0} bytes a series of a rule; first sample {rate:.1} M pairs/s");
        } else {
            println!("round {round}: {rate:.1} M pairs/s, {steps} steps so far");
        }
    }
}
