//! What makes a sample acceptable. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::config::IngestSection;
use crate::ids::MetricName;

/// Why a sample was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// NaN, infinite, or no number at all.
    NotFinite,
    /// The metric's name breaks the rules.
    InvalidName,
    /// Too many labels, or one that is too long.
    InvalidLabels,
    /// Not a time.
    InvalidTimestamp,
    /// Further back than samples are taken.
    TooOld,
    /// Further ahead of the hub's clock than samples are taken.
    TooFarAhead,
}

impl Reason {
    /// The name on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFinite => "not_finite",
            Self::InvalidName => "invalid_name",
            Self::InvalidLabels => "invalid_labels",
            Self::InvalidTimestamp => "invalid_timestamp",
            Self::TooOld => "too_old",
            Self::TooFarAhead => "too_far_ahead",
        }
    }
}

/// Reads a value: `Ok(None)` is null, which means missing.
pub fn value(raw: &RawValue) -> Result<Option<f64>, Reason> {
    let text = raw.get();
    if text == "null" {
        return Ok(None);
    }
    // Numbers beyond f64 (1e999) parse to infinity here, where a JSON parser would refuse the whole frame.
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            Ok(Some(value))
        }
        _ => Err(Reason::NotFinite),
    }
}

/// Reads a time: RFC 3339 text or unix milliseconds, within what the settings take.
pub fn timestamp(raw: &RawValue, now_ms: u64, settings: &IngestSection) -> Result<u64, Reason> {
    let text = raw.get();
    let unix_ms = match serde_json::from_str::<&str>(text) {
        Ok(rfc3339) if rfc3339.starts_with("19") && crate::clock::parse_rfc3339(rfc3339).is_none() => {
            // Before 1970: a time, if it is one, that is too old.
            return Err(Reason::TooOld);
        }
        Ok(rfc3339) => crate::clock::parse_rfc3339(rfc3339).ok_or(Reason::InvalidTimestamp)?,
        Err(_) => text.parse::<u64>().map_err(|_not_a_number| Reason::InvalidTimestamp)?,
    };
    if unix_ms.saturating_add(settings.age_ms_max) < now_ms {
        Err(Reason::TooOld)
    } else if unix_ms > now_ms.saturating_add(settings.ahead_ms_max) {
        Err(Reason::TooFarAhead)
    } else {
        Ok(unix_ms)
    }
}

/// Checks a metric's name and labels.
pub fn series(name: &str, labels: &BTreeMap<String, String>, settings: &IngestSection) -> Result<(), Reason> {
    MetricName::parse(name).map_err(|_broken_rule| Reason::InvalidName)?;
    if labels_fit(labels, settings) { Ok(()) } else { Err(Reason::InvalidLabels) }
}

/// Whether labels are few and short enough.
pub fn labels_fit(labels: &BTreeMap<String, String>, settings: &IngestSection) -> bool {
    let chars_max = settings.label_chars_max;
    labels.len() <= settings.labels_max
        && labels.iter().all(|(k, v)| !k.is_empty() && k.len() <= chars_max && v.len() <= chars_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn only_finite_numbers_are_values() {
        assert_eq!(value(&raw("1.5")), Ok(Some(1.5)));
        assert_eq!(value(&raw("-2e3")), Ok(Some(-2000.0)));
        assert_eq!(value(&raw("null")), Ok(None));
        for bad in ["1e999", "-1e999", "\"NaN\"", "\"1\"", "true", "{}"] {
            assert_eq!(value(&raw(bad)), Err(Reason::NotFinite), "{bad}");
        }
    }

    #[test]
    fn times_from_1970_and_2200_are_refused() {
        let now_ms = crate::clock::parse_rfc3339("2026-11-21T00:00:00Z").unwrap();
        let at = |text: &str| timestamp(&raw(text), now_ms, &IngestSection::default());
        assert_eq!(at("\"2026-11-21T00:00:00.5Z\""), Ok(now_ms + 500));
        assert_eq!(at(&now_ms.to_string()), Ok(now_ms));
        assert_eq!(at("\"1970-01-01T00:00:00Z\""), Err(Reason::TooOld));
        assert_eq!(at("\"1960-01-01T00:00:00Z\""), Err(Reason::TooOld));
        assert_eq!(at("0"), Err(Reason::TooOld));
        assert_eq!(at("\"2200-01-01T00:00:00Z\""), Err(Reason::TooFarAhead));
        assert_eq!(at("\"soon\""), Err(Reason::InvalidTimestamp));
        assert_eq!(at("-1"), Err(Reason::InvalidTimestamp));
    }
}
