//! An alert as matchers see it: its labels, and what else it can be told by.

use super::entity::Alert;
use super::fingerprint::Labels;
use super::matchers::Matcher;

/// The names under which a matcher finds the alert's metric, its service and its severity.
pub const METRIC: &str = "metric";
/// See [`METRIC`].
pub const SERVICE: &str = "service";
/// See [`METRIC`].
pub const SEVERITY: &str = "severity";

/// What matchers look at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// See [`super::fingerprint`].
    pub fingerprint: &'a str,
    /// What is measured, when a rule looks at one metric.
    pub metric: Option<&'a str>,
    /// What it is about.
    pub service: Option<&'a str>,
    /// How bad it is, as it is named.
    pub severity: &'a str,
    /// What it is told apart by.
    pub labels: &'a Labels,
}

impl<'a> Subject<'a> {
    /// An alert, and the metric of its rule.
    pub fn of(alert: &'a Alert, metric: Option<&'a str>) -> Self {
        Self {
            fingerprint: &alert.fingerprint,
            metric,
            service: alert.service.as_deref(),
            severity: alert.severity.as_str(),
            labels: &alert.labels,
        }
    }

    /// The value of a label; metric, service and severity count as labels unless the alert has its own of that name.
    pub fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.get(name).map(String::as_str).or(match name {
            METRIC => self.metric,
            SERVICE => self.service,
            SEVERITY => Some(self.severity),
            _ => None,
        })
    }

    /// Whether all of these match; an empty list does.
    pub fn matches_all(&self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|matcher| matcher.matches(self.label(matcher.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_and_service_are_labels_too() {
        let labels = Labels::from([("node".to_owned(), "web-1".to_owned())]);
        let subject = Subject {
            fingerprint: "f",
            metric: Some("cpu_percent"),
            service: Some("shop"),
            severity: "critical",
            labels: &labels,
        };
        let matches = |text| subject.matches_all(&Matcher::parse_all(text).unwrap());
        assert!(matches("metric=~cpu_.*,service=shop,severity=critical,node=web-1,region=") && matches(""));
        assert!(!matches("metric=cpu_percent,service=other"));
    }
}
