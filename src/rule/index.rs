//! Which rules want which series: by metric, then by node, then by matchers. Pure.
//!
//! A set of columns is resolved once, however many batches follow with it: a batch costs nothing for rules that do
//! not want it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::catalogue::canonical;
use super::checked::Rule;
use super::condition::Leaf;
use super::series::Series;
use crate::alert::Matcher;
use crate::store::Column;

/// The label with the name of the node.
const NODE_LABEL: &str = "node";

/// Conditions by canonical metric.
#[derive(Debug, Default)]
pub struct Index(HashMap<String, Wanted>);

/// The conditions on one metric.
#[derive(Debug, Default)]
struct Wanted {
    /// Those that name their node.
    by_node: HashMap<String, Vec<Condition>>,
    others: Vec<Condition>,
}

#[derive(Debug)]
struct Condition {
    rule: usize,
    matchers: Vec<Matcher>,
}

/// A series that some rule wants.
#[derive(Debug, Clone)]
pub struct ResolvedSeries {
    /// Its place among the columns.
    pub column: usize,
    /// The series, shared by all its rules.
    pub series: Arc<Series>,
    /// The rules that want it, by rising number.
    pub rules: Box<[usize]>,
}

/// What rules want of a set of columns.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// By rising column.
    pub series: Vec<ResolvedSeries>,
}

impl Index {
    /// An index of rules under their numbers.
    pub fn new<'a>(rules: impl Iterator<Item = (usize, &'a Rule)>) -> Self {
        let mut metrics: HashMap<String, Wanted> = HashMap::new();
        for (rule, leaf) in
            rules.flat_map(|(number, rule)| rule.leaves().iter().map(move |leaf| (number, leaf)))
        {
            let wanted = metrics.entry(leaf.metric.clone()).or_default();
            let condition = Condition { rule, matchers: leaf.matchers.clone() };
            match node_of(leaf) {
                Some(node) => wanted.by_node.entry(node.to_owned()).or_default().push(condition),
                None => wanted.others.push(condition),
            }
        }
        Self(metrics)
    }

    /// What rules want of a node's columns. Where a column has a label of the node too, its own value counts; `node` is
    /// always the node's name.
    pub fn resolve(
        &self,
        node: &str,
        node_labels: &BTreeMap<String, String>,
        columns: &[Column],
    ) -> Resolved {
        let mut series = Vec::new();
        for (column, sampled) in columns.iter().enumerate() {
            let Some(wanted) = self.0.get(canonical(&sampled.name)) else { continue };
            let all = labels_of(node, node_labels, sampled);
            let here = wanted.by_node.get(node).into_iter().flatten();
            let matching = here.chain(&wanted.others).filter(|condition| condition.matches(&all));
            let mut rules: Vec<usize> = matching.map(|condition| condition.rule).collect();
            rules.sort_unstable();
            rules.dedup();
            if !rules.is_empty() {
                let shared = Arc::new(Series::new(sampled.name.clone(), all));
                series.push(ResolvedSeries { column, series: shared, rules: rules.into() });
            }
        }
        Resolved { series }
    }
}

/// The series of a column of a node, as rules see it.
pub fn series_of(node: &str, node_labels: &BTreeMap<String, String>, column: &Column) -> Series {
    Series::new(column.name.clone(), labels_of(node, node_labels, column))
}

fn labels_of(
    node: &str,
    node_labels: &BTreeMap<String, String>,
    column: &Column,
) -> BTreeMap<String, String> {
    let mut all = node_labels.clone();
    all.extend(column.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
    all.insert(NODE_LABEL.to_owned(), node.to_owned());
    all
}

impl Condition {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches_labels(labels))
    }
}

fn node_of(leaf: &Leaf) -> Option<&str> {
    leaf.matchers.iter().find(|matcher| matcher.name() == NODE_LABEL).and_then(Matcher::equal_to)
}
