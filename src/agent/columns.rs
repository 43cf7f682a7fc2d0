//! The columnar form of a sample batch: what is measured apart from how much it is.
//!
//! The columns of a machine change rarely (a disk is mounted, an interface appears), the values every
//! time. So the columns are shared behind an `Arc` by every snapshot until they differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

/// The labels of one series of this machine, sorted by name.
pub type ColumnLabels = BTreeMap<&'static str, String>;

/// What one position of a snapshot measures: a metric name, unit last, and its labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The metric, e.g. `disk_space_used_bytes`.
    pub name: &'static str,
    /// Empty for the flat metrics of the host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: ColumnLabels,
}

impl Column {
    fn new(name: &'static str, labels: &[(&'static str, &str)]) -> Self {
        Self { name, labels: labels.iter().map(|(k, v)| (*k, (*v).to_owned())).collect() }
    }

    fn is(&self, name: &str, labels: &[(&'static str, &str)]) -> bool {
        self.name == name
            && self.labels.len() == labels.len()
            && labels.iter().all(|(k, v)| self.labels.get(k).is_some_and(|own| own == v))
    }
}

/// The measured series of a machine, in the order of the values of a [`Snapshot`].
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// The columns in order.
    pub fn as_slice(&self) -> &[Column] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All samples of one moment. `values[i]` belongs to `columns.as_slice()[i]`; `None` is missing, not zero.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken, wall time in milliseconds since 1970.
    pub unix_ms: u64,
    /// What was measured; the same `Arc` as before while nothing changed.
    pub columns: Arc<Columns>,
    /// Finite values, percentages 0-100, bytes, bytes per second, seconds, degrees Celsius.
    pub values: Vec<Option<f64>>,
}

impl Snapshot {
    /// The samples that have a value: (column, value).
    pub fn samples(&self) -> impl Iterator<Item = (&Column, f64)> {
        self.columns.0.iter().zip(&self.values).filter_map(|(column, value)| Some((column, (*value)?)))
    }

    /// The metrics of the host as a whole that have a value: (name, value).
    pub fn flat(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.samples()
            .filter(|(column, _)| column.labels.is_empty())
            .map(|(column, value)| (column.name, value))
    }

    /// The value of a metric of the host as a whole.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.flat().find(|(own, _)| *own == name).map(|(_, value)| value)
    }
}

/// Writes one snapshot, comparing with the columns of the one before as it goes: while they are the
/// same, no label is allocated.
pub(super) struct Recorder {
    previous: Arc<Columns>,
    rebuilt: Option<Vec<Column>>,
    values: Vec<Option<f64>>,
}

impl Recorder {
    pub(super) fn new(previous: Arc<Columns>) -> Self {
        let values = Vec::with_capacity(previous.len());
        Self { previous, rebuilt: None, values }
    }

    /// Adds a metric of the host as a whole. A value that is not finite is missing.
    pub(super) fn flat(&mut self, name: &'static str, value: Option<f64>) {
        self.labelled(name, &[], value);
    }

    /// Adds a metric with labels (at most one label of a name). A value that is not finite is missing.
    pub(super) fn labelled(
        &mut self,
        name: &'static str,
        labels: &[(&'static str, &str)],
        value: Option<f64>,
    ) {
        let index = self.values.len();
        match &mut self.rebuilt {
            Some(columns) => columns.push(Column::new(name, labels)),
            None if self.previous.0.get(index).is_some_and(|column| column.is(name, labels)) => {}
            None => {
                let mut columns: Vec<_> = self.previous.0.iter().take(index).cloned().collect();
                columns.push(Column::new(name, labels));
                self.rebuilt = Some(columns);
            }
        }
        self.values.push(value.filter(|v| v.is_finite()));
    }

    pub(super) fn finish(self, unix_ms: u64) -> Snapshot {
        let count = self.values.len();
        let columns = match self.rebuilt {
            Some(columns) => Arc::new(Columns(columns)),
            None if count == self.previous.len() => self.previous,
            None => Arc::new(Columns(self.previous.0.iter().take(count).cloned().collect())),
        };
        Snapshot { unix_ms, columns, values: self.values }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(previous: &Arc<Columns>, cores: &[&str]) -> Snapshot {
        let mut recorder = Recorder::new(previous.clone());
        recorder.flat("cpu_percent", Some(12.5));
        for core in cores {
            recorder.labelled("cpu_core_percent", &[("core", core)], Some(1.0));
        }
        recorder.finish(7)
    }

    #[test]
    fn the_same_columns_are_shared() {
        let first = record(&Arc::default(), &["0", "1"]);
        let second = record(&first.columns, &["0", "1"]);
        assert!(Arc::ptr_eq(&first.columns, &second.columns));
    }

    #[test]
    fn a_column_that_comes_goes_or_changes_makes_new_ones() {
        let two = record(&Arc::default(), &["0", "1"]);
        for cores in [&["0"][..], &["0", "1", "2"], &["0", "2"], &["2", "1"]] {
            let next = record(&two.columns, cores);
            assert!(!Arc::ptr_eq(&two.columns, &next.columns));
            let labels: Vec<_> =
                next.columns.as_slice().iter().filter_map(|c| c.labels.get("core")).collect();
            assert_eq!(labels, cores.iter().collect::<Vec<_>>(), "{cores:?}");
            assert_eq!(next.values.len(), cores.len() + 1);
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_missing() {
        let mut recorder = Recorder::new(Arc::default());
        recorder.flat("load1", Some(f64::NAN));
        recorder.flat("load5", Some(f64::INFINITY));
        recorder.flat("load15", Some(0.5));
        let snapshot = recorder.finish(0);
        assert_eq!(snapshot.values, [None, None, Some(0.5)]);
        assert_eq!(snapshot.flat().collect::<Vec<_>>(), [("load15", 0.5)]);
        assert_eq!(snapshot.get("load1"), None);
    }

    #[test]
    fn columns_are_written_as_the_wire_has_them() {
        let snapshot = record(&Arc::default(), &["0"]);
        let json = serde_json::to_string(&snapshot.columns).unwrap();
        assert_eq!(json, r#"[{"name":"cpu_percent"},{"name":"cpu_core_percent","labels":{"core":"0"}}]"#);
    }
}
