//! What rules want of the samples of one node, resolved once for each set of columns. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::index::{Index, Resolved};
use super::series::Series;
use crate::store::Column;

/// Sets of columns of a node that are remembered; an agent has one, whoever posts lists may have many.
const SETS_MAX: usize = 4;

/// What one rule wants of a set of columns: places among them, and what is there.
pub type Wanted = Box<[(usize, Arc<Series>)]>;

/// What rules want of a set of columns, by the rule's number.
pub type Plan = Vec<(usize, Wanted)>;

/// Belongs to a node, which hands it over with each of its batches.
#[derive(Debug, Default)]
pub struct Feed {
    generation: u64,
    labels: BTreeMap<String, String>,
    sets: VecDeque<(Arc<[Column]>, Arc<Plan>)>,
}

impl Feed {
    /// What the rules of `index` want of these columns. `generation` is the index's.
    pub fn plan(
        &mut self,
        (generation, index): (u64, &Index),
        node: &str,
        labels: &BTreeMap<String, String>,
        columns: &Arc<[Column]>,
    ) -> Arc<Plan> {
        if self.generation != generation || self.labels != *labels {
            self.sets.clear();
            self.generation = generation;
            self.labels.clone_from(labels);
        }
        let known = self.sets.iter().find(|(set, _)| Arc::ptr_eq(set, columns) || set == columns);
        if let Some((_, plan)) = known {
            return plan.clone();
        }
        let plan = Arc::new(by_rule(index.resolve(node, labels, columns)));
        if self.sets.len() >= SETS_MAX {
            self.sets.pop_front();
        }
        self.sets.push_back((columns.clone(), plan.clone()));
        plan
    }
}

fn by_rule(resolved: Resolved) -> Plan {
    let mut wanted: BTreeMap<usize, Vec<(usize, Arc<Series>)>> = BTreeMap::new();
    for one in resolved.series {
        for rule in one.rules {
            wanted.entry(rule).or_default().push((one.column, one.series.clone()));
        }
    }
    wanted.into_iter().map(|(rule, wanted)| (rule, wanted.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    fn columns(names: &[&str]) -> Arc<[Column]> {
        names.iter().map(|name| Column { name: (*name).to_owned(), labels: BTreeMap::new() }).collect()
    }

    fn index(metric: &str) -> Index {
        let definition = serde_json::json!({
            "name": "r", "kind": "threshold", "metric": metric, "comparison": ">", "value": 1,
        });
        let rule = Rule::check(serde_json::from_value(definition).unwrap()).unwrap();
        Index::new([(7, &rule)].into_iter())
    }

    #[test]
    fn a_set_is_resolved_again_when_rules_or_labels_change() {
        let (mut feed, none) = (Feed::default(), BTreeMap::new());
        let (cpu, memory) = (index("cpu_percent"), index("memory_percent"));
        let set = columns(&["load1", "cpu_percent"]);
        let first = feed.plan((1, &cpu), "web-1", &none, &set);
        assert_eq!((first[0].0, first[0].1[0].0), (7, 1));
        assert!(Arc::ptr_eq(
            &first,
            &feed.plan((1, &cpu), "web-1", &none, &columns(&["load1", "cpu_percent"]))
        ));
        assert!(feed.plan((2, &memory), "web-1", &none, &set).is_empty());
        let labels = BTreeMap::from([("zone".to_owned(), "a".to_owned())]);
        let labelled = feed.plan((2, &cpu), "web-1", &labels, &set);
        assert_eq!(labelled[0].1[0].1.labels()["zone"], "a");
    }

    #[test]
    fn as_many_sets_as_may_be_are_remembered() {
        let (mut feed, none, cpu) = (Feed::default(), BTreeMap::new(), index("cpu_percent"));
        for n in 0..10 {
            feed.plan((1, &cpu), "web-1", &none, &columns(&[&format!("m{n}"), "cpu_percent"]));
        }
        assert_eq!(feed.sets.len(), SETS_MAX);
    }
}
