use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::rule::preview::{Past, preview};
use crate::rule::templates::{RuleTemplate, seeds, templates};
use crate::rule::{Rule, Series};

/// Seconds and value of each metric: what shall fire the rule of this template.
fn fitting(id: &str) -> Vec<(&'static str, Vec<(u64, f64)>)> {
    let flat = |until: u64, value: f64| (0..until).map(|at| (at, value)).collect::<Vec<_>>();
    match id {
        "cpu-high" => vec![("cpu_percent", flat(70, 95.0))],
        "cpu-anomaly" => {
            let unusual = |at: u64| if at < 1_000 { 20.0 + (at % 3) as f64 } else { 99.0 - (at % 2) as f64 };
            // The rolling window gets used to it, the same hour of the day before does not.
            let day = (0..1_000).map(|at| (at, 20.0 + (at % 3) as f64));
            vec![("cpu_percent", day.chain((0..1_300).map(|at| (86_400 + at, unusual(at)))).collect())]
        }
        "load-high" => vec![("load5", flat(310, 9.0)), ("load1", flat(310, 9.0))],
        "pressure" => vec![("cpu_percent", flat(100, 90.0)), ("memory_percent", flat(100, 90.0))],
        "network-busy" => vec![("network_rx_bytes_per_s", flat(5, 2e8))],
        "temperature-high" => vec![("temperature_celsius", flat(40, 90.0))],
        "memory-high" => vec![("memory_percent", flat(70, 95.0))],
        "memory-grows" => {
            vec![(
                "memory_used_bytes",
                (0..400).map(|step| (step * 10, 1e9 * (1.0 + step as f64 / 400.0))).collect(),
            )]
        }
        "swap-used" => vec![("swap_percent", flat(310, 60.0))],
        "disk-full" => vec![("disk_space_percent", flat(70, 95.0))],
        "disk-will-fill" => {
            vec![(
                "disk_space_percent",
                (0..300).map(|step| (step * 10, 60.0 + step as f64 / 20.0)).collect(),
            )]
        }
        "node-offline" => vec![("uptime_s", flat(5, 1e6))],
        "node-restarted" => vec![("uptime_s", vec![(0, 1e6), (1, 3.0)])],
        other => panic!("no series fits {other}"),
    }
}

fn past(of: Vec<(&'static str, Vec<(u64, f64)>)>) -> Vec<Past> {
    let labels: BTreeMap<String, String> =
        [("node", "web-1"), ("mount", "/")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let series = of.into_iter().map(|(metric, samples)| Past {
        series: Arc::new(Series::new(metric, labels.clone())),
        samples: samples.into_iter().map(|(at, value)| (1_700_006_400_000 + at * 1_000, value)).collect(),
    });
    series.collect()
}

#[test]
fn each_is_good_and_fires_on_what_it_is_for_and_not_on_a_quiet_machine() {
    let all = templates();
    assert!(all.len() >= 12);
    assert_eq!(all.iter().map(|one| one.id).collect::<HashSet<_>>().len(), all.len());
    for RuleTemplate { id, name, description, parameters, definition } in all {
        let fields = serde_json::to_value(&definition).unwrap();
        for pointer in &parameters {
            let known = fields.pointer(pointer).is_some() || ["/matchers"].contains(pointer);
            assert!(known, "{id} has no {pointer}");
        }
        assert!(!parameters.is_empty() && !description.is_empty());
        assert_eq!(definition.name, name);
        let rule = Arc::new(Rule::check(definition).unwrap_or_else(|errors| panic!("{id}: {errors:?}")));
        let samples = past(fitting(id));
        let until_ms = samples[0].samples.last().unwrap().0 + 40_000;
        assert!(preview(&rule, &samples, until_ms).fired > 0, "{id} fires");
        let quiet = [
            "cpu_percent",
            "load1",
            "load5",
            "memory_percent",
            "memory_used_bytes",
            "swap_percent",
            "disk_space_percent",
            "network_rx_bytes_per_s",
            "temperature_celsius",
            "uptime_s",
        ];
        let quiet = quiet.map(|metric| {
            let base = if metric == "uptime_s" { 5_000.0 } else { 5.0 };
            (metric, (0..500).map(|at| (at, base + (at % 2) as f64)).collect::<Vec<_>>())
        });
        let quiet = past(quiet.into());
        let until_ms = quiet[0].samples.last().unwrap().0 + 20_000;
        assert_eq!(preview(&rule, &quiet, until_ms).fired, 0, "{id} is quiet");
    }
}

#[test]
fn the_document_has_each() {
    let text = include_str!("../../../docs/rules.md");
    for RuleTemplate { id, .. } in templates() {
        let row = if seeds().iter().any(|(seed, _)| seed == id) {
            format!("| **`{id}`** |")
        } else {
            format!("| `{id}` |")
        };
        assert!(text.contains(&row), "{row}");
    }
}

#[test]
fn the_examples_of_the_document_are_good() {
    let text = include_str!("../../../docs/rules.md");
    let example = text.split("```").nth(1).and_then(|block| block.strip_prefix("yaml\n")).unwrap();
    let parsed = crate::rule::files::parse("rules.yaml", example);
    assert_eq!(parsed.errors, []);
    let kinds: HashSet<&str> = parsed.rules.iter().map(|(_, rule)| rule.condition.kind.as_str()).collect();
    assert_eq!(kinds.len(), 6);
}

#[test]
fn a_fresh_hub_has_four() {
    let seeds = seeds();
    assert_eq!(
        seeds.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
        ["cpu-high", "memory-high", "disk-full", "node-offline"]
    );
    assert!(seeds.iter().all(|(id, definition)| definition.id.as_ref() == Some(id) && definition.enabled));
}
