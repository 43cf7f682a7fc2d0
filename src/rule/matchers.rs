//! Label matchers as Prometheus and Alertmanager write them: `env="prod"`, `node!~web-.*`. Pure.
//!
//! A label that a series lacks counts as empty. Patterns match the whole value, in time linear to it, and are
//! bounded in size.

use std::collections::BTreeMap;
use std::fmt;

use regex::{Regex, RegexBuilder};

/// Longest name of a label, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest value or pattern, in bytes.
const VALUE_BYTES_MAX: usize = 1_000;
/// What a compiled pattern may take, in bytes.
const PATTERN_MEMORY_MAX: usize = 256 * 1024;
/// How deep groups of a pattern may be nested.
const PATTERN_DEPTH_MAX: u32 = 50;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

/// Why a text is no matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// None of the operators is in it.
    #[error("{0:?} is no matcher: write name=value, name!=value, name=~pattern or name!~pattern")]
    Operator(String),
    /// The name of the label is empty, too long or has other characters.
    #[error("a label in a matcher must have 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 and ._:/-, not {0:?}")]
    Name(String),
    /// The value is too long.
    #[error("the value of a matcher may have {VALUE_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// A quoted value that does not end, or has something behind it.
    #[error("{0} is no quoted value")]
    Quotes(String),
    /// The pattern is no regular expression, or one that would be too large.
    #[error("{0}")]
    Pattern(String),
}

/// One condition on one label.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    operator: Operator,
    value: String,
    pattern: Option<Regex>,
}

impl Matcher {
    /// Reads `name=value`, `name!=value`, `name=~pattern` or `name!~pattern`; the value may be in double quotes.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let at = text.find(['=', '!']).ok_or_else(|| MatcherError::Operator(text.to_owned()))?;
        let (name, rest) = text.split_at(at);
        // The longer ones first: `=` begins `=~` too.
        let operators = [
            ("=~", Operator::Matches),
            ("!~", Operator::MatchesNot),
            ("!=", Operator::NotEqual),
            ("=", Operator::Equal),
        ];
        let (operator, value) = operators
            .iter()
            .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)))
            .ok_or_else(|| MatcherError::Operator(text.to_owned()))?;
        let value = value.trim();
        let value = if value.starts_with('"') {
            serde_json::from_str(value).map_err(|_not_json| MatcherError::Quotes(value.to_owned()))?
        } else {
            value.to_owned()
        };
        Self::new(name.trim(), operator, value)
    }

    /// A matcher of parts.
    pub fn new(name: &str, operator: Operator, value: String) -> Result<Self, MatcherError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
            return Err(MatcherError::Name(name.to_owned()));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(MatcherError::Length(value.len()));
        }
        let pattern = match operator {
            Operator::Equal | Operator::NotEqual => None,
            Operator::Matches | Operator::MatchesNot => Some(anchored(&value)?),
        };
        Ok(Self { name: name.to_owned(), operator, value, pattern })
    }

    /// Whether a series with these labels is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.name).map_or("", String::as_str);
        let is_match = self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(found));
        match self.operator {
            Operator::Equal => found == self.value,
            Operator::NotEqual => found != self.value,
            Operator::Matches => is_match,
            Operator::MatchesNot => !is_match,
        }
    }

    /// The label that is looked at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one value that matches, where there is just one.
    pub fn equal_to(&self) -> Option<&str> {
        (self.operator == Operator::Equal).then_some(self.value.as_str())
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.operator {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Matches => "=~",
            Operator::MatchesNot => "!~",
        };
        write!(f, "{}{sign}{:?}", self.name, self.value)
    }
}

fn anchored(pattern: &str) -> Result<Regex, MatcherError> {
    let compile = |text: &str| {
        RegexBuilder::new(text)
            .size_limit(PATTERN_MEMORY_MAX)
            .dfa_size_limit(PATTERN_MEMORY_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build()
            .map_err(|error| MatcherError::Pattern(error.to_string()))
    };
    // Alone first: `a)|(b` is no pattern, but would become one inside of the anchors.
    compile(pattern)?;
    compile(&format!("^(?s:{pattern})$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(matcher: &str, value: Option<&str>) -> bool {
        let labels = value.map(|value| ("env".to_owned(), value.to_owned())).into_iter().collect();
        Matcher::parse(matcher).unwrap().matches(&labels)
    }

    #[test]
    fn what_matches() {
        for (matcher, value, expected) in [
            ("env=prod", Some("prod"), true),
            ("env = \"prod\"", Some("prod"), true),
            ("env=prod", Some("production"), false),
            ("env!=prod", Some("test"), true),
            ("env!=prod", None, true),
            ("env=", None, true),
            ("env=\"\"", Some("x"), false),
            ("env!=\"\"", None, false),
            ("env=~pr.d", Some("prod"), true),
            ("env=~pr", Some("prod"), false),
            ("env=~pr|x", Some("prx"), false),
            ("env=~a=b", Some("a=b"), true),
            ("env=~.*", None, true),
            ("env=~a.b", Some("a\nb"), true),
            ("env!~p.*", Some("prod"), false),
            ("env!~p.*", None, true),
        ] {
            assert_eq!(matches(matcher, value), expected, "{matcher} {value:?}");
        }
    }

    #[test]
    fn what_is_no_matcher() {
        let long = format!("env={}", "x".repeat(VALUE_BYTES_MAX + 1));
        for bad in [
            "",
            "env",
            "=x",
            "e nv=x",
            "env=~(",
            "env=~a)|(b",
            "env=~(?x)a #",
            "env=\"x",
            "env=\"x\"y",
            "env!x",
            "env=~(a{1000}){1000}",
            &long,
        ] {
            assert!(Matcher::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["env=\"a\\\"b\"", "env!~\"x.*\"", "env!=\"\"", "env=~\"\\\\d\""] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!(matcher.to_string(), text);
        }
    }
}
