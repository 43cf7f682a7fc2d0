//! How bad an alert is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::TopicName;

/// How bad it is. Ordered: critical is the greatest.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something will not work for long.
    Warning,
    /// Something does not work.
    Error,
    /// Somebody must act now.
    Critical,
}

/// The names on the wire, worst first.
pub const SEVERITIES: [&str; 4] = ["critical", "error", "warning", "info"];

/// A text that names no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be critical, error, warning or info (or high, medium, low), not {0:?}")]
pub struct NotASeverity(String);

impl Severity {
    /// Worst first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::Error, Self::Warning, Self::Info];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name, in any case; `low`, `medium` and `high` are info, warning and error.
    pub fn parse(name: &str) -> Option<Self> {
        const ALIASES: [(&str, Severity); 3] =
            [("low", Severity::Info), ("medium", Severity::Warning), ("high", Severity::Error)];
        let names = Self::ALL.map(|severity| (severity.as_str(), severity));
        names
            .into_iter()
            .chain(ALIASES)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, severity)| severity)
    }

    /// Where alerts of this severity are published.
    pub fn topic(self) -> TopicName {
        TopicName::well_known(match self {
            Self::Critical => "alerts_critical",
            Self::Error => "alerts_error",
            Self::Warning => "alerts_warning",
            Self::Info => "alerts_info",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = NotASeverity;

    fn from_str(text: &str) -> Result<Self, NotASeverity> {
        Self::parse(text).ok_or_else(|| NotASeverity(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Severity {
    type Error = NotASeverity;

    fn try_from(text: String) -> Result<Self, NotASeverity> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_with_their_aliases() {
        let rows = [
            ("critical", Some(Severity::Critical)),
            ("CRITICAL", Some(Severity::Critical)),
            ("High", Some(Severity::Error)),
            ("error", Some(Severity::Error)),
            ("MEDIUM", Some(Severity::Warning)),
            ("low", Some(Severity::Info)),
            ("", None),
            ("fatal", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Severity::parse(text), expected, "{text}");
        }
        let error = serde_json::from_str::<Severity>("\"fatal\"").unwrap_err().to_string();
        assert!(error.starts_with("must be critical, error, warning or info"), "{error}");
    }

    #[test]
    fn they_are_written_as_they_are_named_and_ordered() {
        assert_eq!(Severity::ALL.map(Severity::as_str), SEVERITIES);
        for severity in Severity::ALL {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
            assert_eq!(severity.topic().as_str(), format!("alerts_{severity}"));
        }
        assert!(Severity::ALL.is_sorted_by(|worse, better| worse > better));
    }
}
