//! Patterns over topic names: `nodes`, `metrics:*`, `room-*`, `site:*:events`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A topic pattern. `*` at the end stands for any rest, also an empty one and one with further `:`;
/// a whole segment `*` in front stands for exactly one segment. There is no other wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern(String);

/// Longest pattern, in bytes.
const BYTES_MAX: usize = 200;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty or too long.
    #[error("a topic pattern must have 1 to {BYTES_MAX} characters, not {0}")]
    Length(usize),
    /// A `*` that is neither at the end nor a whole segment.
    #[error("{0:?} has a * that is neither at the end nor a whole segment between colons")]
    Wildcard(String),
    /// A character that no topic has.
    #[error("a topic pattern may have only A-Z a-z 0-9 and ._:@/-*, not {0:?}")]
    Character(char),
}

impl TopicPattern {
    /// Checks length, characters and where the wildcards are.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() || text.len() > BYTES_MAX {
            return Err(PatternError::Length(text.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:@/-*".contains(c);
        if let Some(found) = text.chars().find(|c| !allowed(*c)) {
            return Err(PatternError::Character(found));
        }
        let (front, last) = text.rsplit_once(':').unwrap_or(("", text));
        let is_whole = |segment: &str| segment == "*" || !segment.contains('*');
        if !front.split(':').all(is_whole) || last.strip_suffix('*').unwrap_or(last).contains('*') {
            return Err(PatternError::Wildcard(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether every topic that `asked` names (a topic, or a wildcard subscription) is allowed by this pattern.
    pub fn covers(&self, asked: &str) -> bool {
        covers(&self.0, asked)
    }
}

impl TryFrom<String> for TopicPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<TopicPattern> for String {
    fn from(pattern: TopicPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether every topic named by `asked` is named by `pattern`. A `*` in `asked` is only covered by a `*`
/// at the same place or by the rest of `pattern`, since no topic has one.
pub(super) fn covers(pattern: &str, asked: &str) -> bool {
    let (mut pattern, mut asked) = (pattern, asked);
    loop {
        // A star at the end takes any rest, `asked`'s own wildcards included.
        if let Some(front) = pattern.strip_suffix('*').filter(|front| !front.contains('*')) {
            return asked.starts_with(front);
        }
        let (wanted, pattern_rest) = split(pattern);
        let (segment, asked_rest) = split(asked);
        // A star that reaches here has a segment behind it, so that a star at the end of `asked` (any rest)
        // is never taken for the one segment it stands for.
        if wanted != "*" && wanted != segment {
            return false;
        }
        match (pattern_rest, asked_rest) {
            (None, None) => return true,
            (Some(next_pattern), Some(next_asked)) => (pattern, asked) = (next_pattern, next_asked),
            _ => return false,
        }
    }
}

/// Whether some topic is named by both. May say yes where there is none, never no where there is one.
pub(super) fn overlaps(a: &str, b: &str) -> bool {
    let front = |text: &str| text.split('*').next().unwrap_or_default().len();
    let (front_a, front_b) = (front(a), front(b));
    match (front_a == a.len(), front_b == b.len()) {
        (true, true) => a == b,
        (true, false) => covers(b, a),
        (false, true) => covers(a, b),
        (false, false) => {
            let shared = front_a.min(front_b);
            a.as_bytes().get(..shared) == b.as_bytes().get(..shared)
        }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_at_the_end_or_for_a_whole_segment() {
        for good in ["nodes", "*", "metrics:*", "room-*", "site:*:events", "site:*:ev*", "*:events"] {
            assert!(TopicPattern::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a*b", "a*:b", "si*te:x", "a b", "tö", "**", &"x".repeat(201)] {
            assert!(TopicPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_pattern_covers() {
        let rows: &[(&str, &str, bool)] = &[
            ("nodes", "nodes", true),
            ("nodes", "nodes:1", false),
            ("nodes", "node", false),
            ("*", "anything:at:all", true),
            ("*", "metrics:*", true),
            ("metrics:*", "metrics:web-1", true),
            ("metrics:*", "metrics:a:b", true),
            ("metrics:*", "metrics:", true),
            ("metrics:*", "metrics", false),
            ("metrics:*", "metrics_update", false),
            ("metrics:*", "metrics:*", true),
            ("metrics:*", "*", false),
            ("metrics:web-*", "metrics:*", false),
            ("metrics:web-*", "metrics:web-1*", true),
            ("metrics:web-1", "metrics:*", false),
            ("site:*:events", "site:a:events", true),
            ("site:*:events", "site:a:b:events", false),
            ("site:*:events", "site:a:other", false),
            ("site:*:events", "site:*:events", true),
            ("site:*:events", "site:*", false),
            ("site:*:ev*", "site:a:events:x", true),
            ("site:*:ev*", "site:a:*", false),
            ("site:*:*", "site:*", false),
            ("site:*:*", "site:a:*", true),
            ("site:*:*", "site:a:b:c", true),
            ("site:*:events", "*", false),
            ("site:a:events", "site:*:events", false),
            ("*:events", "a:events", true),
            ("*:events", "a:b:events", false),
        ];
        for (pattern, asked, expected) in rows {
            let pattern = TopicPattern::parse(pattern).unwrap();
            assert_eq!(pattern.covers(asked), *expected, "{pattern} covers {asked}");
        }
    }

    #[test]
    fn what_overlaps() {
        for (a, b, expected) in [
            ("client:*", "*", true),
            ("client:*", "client:a", true),
            ("client:*", "client:a*", true),
            ("client:*", "cl*", true),
            ("client:*", "metrics:*", false),
            ("client:*", "clients", false),
            ("client:*", "*:a", true),
            ("nodes", "nodes", true),
            ("nodes", "node", false),
        ] {
            assert_eq!(overlaps(a, b), expected, "{a} {b}");
            assert_eq!(overlaps(b, a), expected, "{b} {a}");
        }
    }
}
