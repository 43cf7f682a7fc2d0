//! Samples that a rule judges.

use std::collections::BTreeMap;
use std::sync::Arc;

use infrawatch::rule::{Evaluator, Rule, Series};

use super::Case;

pub(super) const CASES: &[Case] = &[Case { name: "rule/threshold_100_series", make: threshold }];

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
