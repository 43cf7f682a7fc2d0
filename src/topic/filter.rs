//! What a subscription lets through: messages of some keys, or with some labels. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use crate::protocol::topic_request::FilterRequest;

/// Keys one filter may name, and labels.
const KEYS_MAX: usize = 64;
const LABELS_MAX: usize = 16;

/// Which messages of a topic a subscriber wants. A message passes when its key is one of the filter's, and when it
/// has all of the filter's labels, in `labels` of its payload or of the payload's `alert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(FilterRequest);

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It names nothing.
    #[error("`filter` must name `keys` or `labels`")]
    Empty,
    /// It names too much.
    #[error("`filter` may name at most {KEYS_MAX} keys and {LABELS_MAX} labels, not {keys} and {labels}")]
    TooMuch {
        /// What was given.
        keys: usize,
        /// What was given.
        labels: usize,
    },
}

#[derive(Deserialize)]
struct Labelled<'a> {
    #[serde(borrow, default)]
    labels: Option<BTreeMap<Cow<'a, str>, serde_json::Value>>,
    #[serde(borrow, default)]
    alert: Option<Box<Labelled<'a>>>,
}

impl Filter {
    /// Checks that it names something, and not too much.
    pub fn new(asked: FilterRequest) -> Result<Self, FilterError> {
        match (asked.keys.len(), asked.labels.len()) {
            (0, 0) => Err(FilterError::Empty),
            (keys, labels) if keys > KEYS_MAX || labels > LABELS_MAX => {
                Err(FilterError::TooMuch { keys, labels })
            }
            _ => Ok(Self(asked)),
        }
    }

    /// Whether a message with this key and JSON payload passes.
    pub fn lets_through(&self, key: Option<&str>, payload: &str) -> bool {
        let of_keys =
            self.0.keys.is_empty() || key.is_some_and(|key| self.0.keys.iter().any(|k| names(k, key)));
        of_keys && (self.0.labels.is_empty() || self.has_labels(payload))
    }

    fn has_labels(&self, payload: &str) -> bool {
        let Ok(found) = serde_json::from_str::<Labelled<'_>>(payload) else { return false };
        let inner = found.alert.and_then(|alert| alert.labels);
        let Some(labels) = found.labels.or(inner) else { return false };
        self.0.labels.iter().all(|(name, wanted)| {
            labels.get(name.as_str()).and_then(serde_json::Value::as_str) == Some(wanted.as_str())
        })
    }
}

fn names(pattern: &str, key: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == key, |front| key.starts_with(front))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Filter, FilterError> {
        Filter::new(serde_json::from_str(json).unwrap())
    }

    fn filter(json: &str) -> Filter {
        parse(json).unwrap()
    }

    #[test]
    fn keys_match_whole_or_by_their_beginning() {
        let filter = filter(r#"{"keys":["db","web-*"]}"#);
        for (key, passes) in [("db", true), ("web-1", true), ("dbx", false), ("we", false)] {
            assert_eq!(filter.lets_through(Some(key), "1"), passes, "{key}");
        }
        assert!(!filter.lets_through(None, "1"));
    }

    #[test]
    fn labels_are_those_of_the_payload_or_of_its_alert() {
        let filter = filter(r#"{"labels":{"dc":"a","tier":"1"}}"#);
        for (payload, passes) in [
            (r#"{"labels":{"dc":"a","tier":"1","x":"y"}}"#, true),
            (r#"{"alert":{"labels":{"dc":"a","tier":"1"}}}"#, true),
            (r#"{"labels":{"dc":"a"}}"#, false),
            (r#"{"labels":{"dc":"a","tier":1}}"#, false),
            (r#"{"dc":"a","tier":"1"}"#, false),
            ("[1]", false),
        ] {
            assert_eq!(filter.lets_through(None, payload), passes, "{payload}");
        }
    }

    #[test]
    fn a_filter_names_something_and_not_too_much() {
        assert_eq!(parse("{}"), Err(FilterError::Empty));
        let many = serde_json::json!({ "keys": vec!["k"; 65] }).to_string();
        assert_eq!(parse(&many), Err(FilterError::TooMuch { keys: 65, labels: 0 }));
        parse(r#"{"keys":["a"]}"#).unwrap();
    }
}
