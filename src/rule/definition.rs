//! A rule as it is written: the JSON of the API, of rule files and of templates. Not yet checked: see
//! [`Rule::check`](super::Rule::check).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rule as people write it. Fields that belong to another kind are refused, and so are unknown ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleDefinition)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Given by the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What people call it.
    pub name: String,
    /// Whether it is evaluated.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What must hold.
    #[serde(flatten)]
    pub condition: ConditionDefinition,
    /// How long it must hold before the rule fires, in sample time. 0 fires at once.
    #[serde(default)]
    pub for_duration_seconds: f64,
    /// How long the rule goes on firing after the condition held for the last time.
    #[serde(default)]
    pub keep_firing_seconds: f64,
    /// One severity, or the value from which each holds.
    #[serde(default)]
    pub severity: SeverityDefinition,
    /// Labels that alerts get beside those of the series; templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Texts for people; templates. `title` and `message` become those of the alert.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels by which notifications of its alerts are grouped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_by: Vec<String>,
    /// Where it is written what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    /// What the end of a series means.
    #[serde(default)]
    pub no_data: NoData,
    /// How long a series must be silent to count as ended; 300 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_data_seconds: Option<f64>,
    /// Who hears of alerts that nobody acknowledges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation_policy_id: Option<String>,
    /// Stops firing this long after the last sample that breached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_resolve_seconds: Option<f64>,
    /// When an alert changes too often to be told each time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flap: Option<FlapDefinition>,
}

impl Definition {
    /// Stands for one that cannot be read.
    pub(super) fn unreadable(id: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            enabled: false,
            condition: ConditionDefinition::default(),
            for_duration_seconds: 0.0,
            keep_firing_seconds: 0.0,
            severity: SeverityDefinition::default(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            group_by: Vec::new(),
            runbook_url: None,
            no_data: NoData::default(),
            no_data_seconds: None,
            escalation_policy_id: None,
            auto_resolve_seconds: None,
            flap: None,
        }
    }
}

/// A condition. Which fields it has depends on its kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConditionDefinition {
    /// `threshold`, `rate`, `anomaly`, `absence`, `composite` or `expression`.
    pub kind: String,
    /// The metric, by either of its names. Not for `composite` and `expression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Which series of the metric: `name=value`, `!=`, `=~` and `!~` with an anchored pattern. All must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<String>,
    /// `threshold`, `rate`: `>`, `>=`, `<`, `<=`, `==` or `!=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
    /// `threshold`, `rate`: what is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// `threshold`: a breach lasts until this is reached again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_value: Option<f64>,
    /// `rate`: what is compared, the change `per_second` or in `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `rate`: how far back the change is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<f64>,
    /// `absence`: without a sample for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_seconds: Option<f64>,
    /// `anomaly`: how many samples before this one are the normal; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_points: Option<u32>,
    /// `anomaly`: judged only from so many on; 30 when absent, or the window if that is smaller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples_min: Option<u32>,
    /// `anomaly`: how many standard deviations from the mean are too many; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// `anomaly`: `both`, `above` or `below` the mean; `both` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// `anomaly`: whether the normal is that of the hour of the day (UTC), as soon as earlier days have `samples_min` samples
    /// of it; until then, and when absent, that of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasonal: Option<bool>,
    /// `expression`: what must hold, such as `avg(cpu_percent, 5m) > 80 and memory_percent > 75`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// `composite`: `and`, `or` or `not`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<String>,
    /// `composite`: joined where all labels of their series are equal; exactly one for `not`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion)]
    pub conditions: Vec<ConditionDefinition>,
}

/// One severity, or the value from which each holds: `{"warning": 80, "critical": 95}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum SeverityDefinition {
    /// `info`, `warning`, `error` or `critical` in any case; low, medium, high for the first three.
    One(String),
    /// By the value that the condition looked at, in the direction of its comparison.
    ByValue(BTreeMap<String, f64>),
}

impl Default for SeverityDefinition {
    fn default() -> Self {
        Self::One("warning".to_owned())
    }
}

/// What the end of a series means for its alert. Whatever it says, a pending one drops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// All is well: what fires stops.
    Ok,
    /// What fires goes on, and the silence is an alert of its own, with the label `no_data="true"`. It ends with the
    /// next sample, or after `auto_resolve_seconds`.
    Alert,
    /// What fires goes on.
    #[default]
    Keep,
}

/// When an alert changes too often to be told each time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleFlap)]
#[serde(deny_unknown_fields)]
pub struct FlapDefinition {
    /// So many transitions within the window are too many.
    pub transitions: u32,
    /// The window.
    pub window_seconds: f64,
}

fn yes() -> bool {
    true
}
