//! Samples that a rule judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use infrawatch::rule::index::Index;
use infrawatch::rule::{Evaluator, Feed, Rule, Series};
use infrawatch::store::Column;

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case { name: "rule/threshold_100_series", make: threshold },
    Case { name: "rule/batch_beside_1_rule", make: || batch(1) },
    Case { name: "rule/batch_beside_10000_rules", make: || batch(10_000) },
];

/// Columns of a batch, of which no rule wants one.
const COLUMNS: usize = 50;

/// What a node's batch costs whose columns no rule wants.
fn batch(rules: usize) -> Box<dyn FnMut()> {
    let rule = |number: usize| {
        let definition = format!(
            r#"{{"name":"r","kind":"threshold","metric":"queue_{number}","comparison":">","value":80}}"#
        );
        Rule::check(serde_json::from_str(&definition).unwrap()).unwrap()
    };
    let rules: Vec<Rule> = (0..rules).map(rule).collect();
    let index = Index::new(rules.iter().enumerate());
    let column = |number| Column { name: format!("metric_{number}"), labels: BTreeMap::new() };
    let columns: Arc<[Column]> = (0..COLUMNS).map(column).collect();
    let (mut feed, labels) = (Feed::default(), BTreeMap::new());
    Box::new(move || {
        // Every frame of an agent has its own copy of the columns.
        let fresh: Arc<[Column]> = columns.to_vec().into();
        assert!(feed.plan((1, &index), "web-1", &labels, &fresh).is_empty());
    })
}

/// Every hundredth sample breaches: one series becomes pending and drops.
const SERIES: u64 = 100;

fn threshold() -> Box<dyn FnMut()> {
    let definition = r#"{"name":"CPU","kind":"threshold","metric":"cpu_percent","comparison":">","value":80,
        "for_duration_seconds":30}"#;
    let rule = Rule::check(serde_json::from_str(definition).unwrap()).unwrap();
    let series = (0..SERIES).map(|number| {
        let labels = [("node", format!("web-{number}")), ("env", "production".to_owned())];
        let labels: BTreeMap<String, String> = labels.map(|(name, value)| (name.to_owned(), value)).into();
        Arc::new(Series::new("cpu_percent", labels))
    });
    let series: Vec<Arc<Series>> = series.collect();
    let mut evaluator = Evaluator::new(Arc::new(rule));
    let mut out = Vec::new();
    let mut round = 0;
    evaluator.tick(0, &mut out);
    Box::new(move || {
        round += 1;
        for (number, one) in (0..SERIES).zip(&series) {
            let value = if number == round % SERIES { 90.0 } else { 40.0 };
            evaluator.observe(one, round * 1_000, value, &mut out);
        }
        assert!(out.len() <= 2);
        out.clear();
    })
}
