use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::checked;
use crate::rule::Rule;
use crate::rule::index::{Index, Resolved};
use crate::store::Column;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn resolve(rules: &[Value], node: &str, columns: &[(&str, &[(&str, &str)])]) -> Resolved {
    let rules: Vec<Rule> = rules.iter().map(|changes| checked(changes).unwrap()).collect();
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, pairs)| Column { name: (*name).to_owned(), labels: labels(pairs) })
        .collect();
    Index::new(rules.iter().enumerate()).resolve(node, &labels(&[("env", "prod"), ("node", "x")]), &columns)
}

/// (column, rules) of each series that is wanted.
fn wanted(resolved: &Resolved) -> Vec<(usize, Vec<usize>)> {
    resolved.series.iter().map(|one| (one.column, one.rules.to_vec())).collect()
}

#[test]
fn rules_find_their_series_by_metric_node_and_matchers() {
    let rules = [
        json!({}),
        json!({"metric": "cpu.utilization"}),
        json!({"metric": "memory_percent"}),
        json!({"matchers": ["node=web-1"]}),
        json!({"matchers": ["node=web-2"]}),
        json!({"matchers": ["env=~pr.*", "node=~web-.*"]}),
        json!({"matchers": ["env=test"]}),
        json!({"metric": "disk_space_percent", "matchers": ["mount!=/boot"]}),
    ];
    let columns: &[(&str, &[(&str, &str)])] = &[
        ("load1", &[]),
        ("cpu_percent", &[]),
        ("disk_space_percent", &[("mount", "/boot")]),
        ("disk_space_percent", &[("mount", "/")]),
        ("cpu.utilization", &[("env", "test")]),
    ];
    let resolved = resolve(&rules, "web-1", columns);
    assert_eq!(wanted(&resolved), [(1, vec![0, 1, 3, 5]), (3, vec![7]), (4, vec![0, 1, 3, 6])]);
    assert_eq!(*resolved.series[0].series.labels(), labels(&[("env", "prod"), ("node", "web-1")]));
    assert_eq!(*resolved.series[2].series.labels(), labels(&[("env", "test"), ("node", "web-1")]));
    assert_eq!(resolved.series[2].series.metric(), "cpu.utilization");
}

#[test]
fn a_composite_is_found_by_each_of_its_metrics_once() {
    let over =
        |value: f64| json!({"kind": "threshold", "metric": "cpu_percent", "comparison": ">", "value": value});
    let memory = json!({"kind": "absence", "metric": "memory_percent", "absent_seconds": 9});
    let rule = json!({"kind": "composite", "metric": null, "comparison": null, "value": null, "op": "or",
        "conditions": [over(1.0), over(2.0), memory]});
    let resolved = resolve(&[rule], "n", &[("cpu_percent", &[]), ("memory_percent", &[]), ("load1", &[])]);
    assert_eq!(wanted(&resolved), [(0, vec![0]), (1, vec![0])]);
}

#[test]
fn what_nobody_wants_costs_nothing() {
    assert!(resolve(&[], "n", &[("cpu_percent", &[])]).series.is_empty());
    assert!(resolve(&[json!({})], "n", &[("load1", &[])]).series.is_empty());
}
