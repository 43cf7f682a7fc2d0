//! Which alerts, or which series, something is about: `name="value"`, `!=`, `=~`, `!~`. A label that is missing is empty.
//!
//! Regular expressions match the whole value, in time linear in its length, and are bounded in size.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::fingerprint::Labels;

/// Longest name and value, in bytes.
const NAME_BYTES_MAX: usize = 128;
const VALUE_BYTES_MAX: usize = 1_000;

/// What a compiled expression may take, in bytes.
const PATTERN_BYTES_MAX: usize = 128 << 10;

/// How deep groups of an expression may be nested.
const PATTERN_DEPTH_MAX: u32 = 50;

/// Most matchers of one list.
pub const MATCHERS_MAX: usize = 32;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `=~`
    Matches,
    /// `!~`
    MatchesNot,
}

impl Operator {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

/// Why something is no matcher.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// Nothing to compare by.
    #[error("must be a label, one of = != =~ !~, and a value, not {0:?}")]
    Form(String),
    /// No label is called so.
    #[error("a label's name has 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 _ . : / -, not {0:?}")]
    Name(String),
    /// The value is too long.
    #[error("a value has at most {VALUE_BYTES_MAX} bytes, not {0}")]
    Length(usize),
    /// A quotation mark without its other one.
    #[error("a value in quotation marks ends with one; inside, \\\" \\\\ and \\n stand for themselves")]
    Quotes,
    /// It is no regular expression, or too big a one.
    #[error("{pattern:?} is no regular expression that can be used: {why}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// Too many at once.
    #[error("there may be at most {MATCHERS_MAX} matchers, not {0}")]
    TooMany(usize),
}

/// One condition on one label. Written and read as text, `name=~"value"`; read from Alertmanager's
/// `{name, value, isRegex, isEqual}` too.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "Wire", into = "String")]
pub struct Matcher {
    name: String,
    operator: Operator,
    value: String,
    pattern: Option<Regex>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Parts {
        name: String,
        value: String,
        #[serde(default)]
        is_regex: bool,
        #[serde(default = "yes")]
        is_equal: bool,
    },
}

fn yes() -> bool {
    true
}

impl TryFrom<Wire> for Matcher {
    type Error = MatcherError;

    fn try_from(wire: Wire) -> Result<Self, MatcherError> {
        match wire {
            Wire::Text(text) => Self::parse(&text),
            Wire::Parts { name, value, is_regex, is_equal } => {
                let operator = match (is_regex, is_equal) {
                    (false, true) => Operator::Is,
                    (false, false) => Operator::IsNot,
                    (true, true) => Operator::Matches,
                    (true, false) => Operator::MatchesNot,
                };
                Self::new(&name, operator, &value)
            }
        }
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.to_string()
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.value) == (&other.name, other.operator, &other.value)
    }
}

impl Matcher {
    /// Checks name and value, and compiles an expression.
    pub fn new(name: &str, operator: Operator, value: &str) -> Result<Self, MatcherError> {
        let is_name = !name.is_empty()
            && name.len() <= NAME_BYTES_MAX
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte));
        if !is_name {
            return Err(MatcherError::Name(shown(name)));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(MatcherError::Length(value.len()));
        }
        let pattern = match operator {
            Operator::Is | Operator::IsNot => None,
            Operator::Matches | Operator::MatchesNot => Some(compile(value)?),
        };
        Ok(Self { name: name.to_owned(), operator, value: value.to_owned(), pattern })
    }

    /// Reads `name=~"value"`; the quotation marks may be left out.
    pub fn parse(text: &str) -> Result<Self, MatcherError> {
        let text = text.trim();
        let at = text.find(['=', '!']).ok_or_else(|| MatcherError::Form(shown(text)))?;
        let (name, rest) = text.split_at(at);
        let operators = [Operator::Matches, Operator::MatchesNot, Operator::IsNot, Operator::Is];
        let (operator, value) = operators
            .into_iter()
            .find_map(|operator| Some((operator, rest.strip_prefix(operator.as_str())?)))
            .ok_or_else(|| MatcherError::Form(shown(text)))?;
        Self::new(name.trim(), operator, &unquoted(value.trim())?)
    }

    /// Reads `{a="b", c=~"d"}`; the braces may be left out.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, MatcherError> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let parts: Vec<_> = parts(text).into_iter().filter(|part| !part.trim().is_empty()).collect();
        if parts.len() > MATCHERS_MAX {
            return Err(MatcherError::TooMany(parts.len()));
        }
        parts.into_iter().map(Self::parse).collect()
    }

    /// The label that it looks at.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// What it compares with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The one value that matches, where there is just one.
    pub fn equal_to(&self) -> Option<&str> {
        (self.operator == Operator::Is).then_some(self.value.as_str())
    }

    /// Whether something with these labels is meant.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).map(String::as_str))
    }

    /// Whether a label with this value is meant; `None`: there is no such label, which is as if it were empty.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let value = value.unwrap_or_default();
        let is_match = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.operator {
            Operator::Is => self.value == value,
            Operator::IsNot => self.value != value,
            Operator::Matches => is_match(&self.pattern),
            Operator::MatchesNot => !is_match(&self.pattern),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}\"", self.name, self.operator.as_str())?;
        for char in self.value.chars() {
            match char {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str("\"")
    }
}

fn compile(pattern: &str) -> Result<Regex, MatcherError> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX)
            .build()
    };
    // By itself first: `a)|(b` is an expression only with the brackets around it.
    build(pattern).and_then(|_alone| build(&format!("\\A(?s:{pattern})\\z"))).map_err(|error| {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        MatcherError::Pattern { pattern: shown(pattern), why: why.to_owned() }
    })
}

fn unquoted(text: &str) -> Result<String, MatcherError> {
    let Some(rest) = text.strip_prefix('"') else { return Ok(text.to_owned()) };
    let mut value = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            Some('"') if chars.as_str().is_empty() => return Ok(value),
            Some('\\') => match chars.next() {
                Some('n') => value.push('\n'),
                Some(char @ ('"' | '\\')) => value.push(char),
                // The escapes of an expression: `\d` is what it was.
                Some(other) => value.extend(['\\', other]),
                None => return Err(MatcherError::Quotes),
            },
            Some('"') | None => return Err(MatcherError::Quotes),
            Some(char) => value.push(char),
        }
    }
}

/// Splits at the commas outside of quotation marks.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_are_compared_and_a_missing_one_is_empty() {
        let rows = [
            (r#"env="prod""#, Some("prod"), true),
            ("env=prod", Some("prod"), true),
            (" env = \"prod\" ", Some("prod"), true),
            (r#"env="""#, None, true),
            (r#"env!="prod""#, None, true),
            (r#"env!="prod""#, Some("prod"), false),
            (r#"env=~"pro""#, Some("prod"), false),
            (r#"env=~"pro.""#, Some("prod"), true),
            (r#"env=~"a|b""#, Some("bc"), false),
            (r#"env=~".*""#, None, true),
            (r#"env=~".+""#, None, false),
            (r#"env!~".+""#, None, true),
            ("env!~p.*", Some("prod"), false),
            ("env=~a=b", Some("a=b"), true),
            (r#"env=~"a.b""#, Some("a\nb"), true),
            (r#"env=~"\d+\.\d""#, Some("12.5"), true),
            (r#"env="say \"hi\" \\ there""#, Some(r#"say "hi" \ there"#), true),
        ];
        for (text, value, expected) in rows {
            assert_eq!(Matcher::parse(text).unwrap().matches(value), expected, "{text} {value:?}");
        }
    }

    #[test]
    fn what_is_no_matcher_says_what_is_wrong() {
        let big = format!("a=~\"{}\"", "(x{100}){100}");
        let deep = format!("a=~{}x{}", "(".repeat(60), ")".repeat(60));
        let long = format!("a={}", "x".repeat(2_000));
        let rows = [
            ("env", "must be a label, one of"),
            ("env!prod", "must be a label, one of"),
            ("=prod", "a label's name has"),
            ("e nv=prod", "a label's name has"),
            ("env=\"prod", "ends with one"),
            ("env=\"pr\"od", "ends with one"),
            ("env=~\"(\"", "is no regular expression"),
            ("env=~\"a)|(b\"", "is no regular expression"),
            ("env=~(?x)a #", "is no regular expression"),
            (&*deep, "is no regular expression"),
            (&*big, "is no regular expression"),
            (&*long, "at most 1000 bytes, not 2000"),
        ];
        for (text, expected) in rows {
            let error = Matcher::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(Matcher::parse_all(&"a=b,".repeat(33)), Err(MatcherError::TooMany(33)));
    }

    #[test]
    fn labels_are_looked_up_and_only_an_equal_one_has_its_value() {
        let labels = Labels::from([("env".to_owned(), "prod".to_owned())]);
        for (text, is_match, equal_to) in [
            ("env=prod", true, Some("prod")),
            ("env=test", false, Some("test")),
            ("env=~prod", true, None),
            ("env!=prod", false, None),
            ("zone=", true, Some("")),
        ] {
            let matcher = Matcher::parse(text).unwrap();
            assert_eq!((matcher.matches_labels(&labels), matcher.equal_to()), (is_match, equal_to), "{text}");
        }
    }

    #[test]
    fn lists_and_the_parts_of_alertmanager_are_read() {
        let all = Matcher::parse_all(r#"{a="b,c", d=~"e|f", }"#).unwrap();
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"a="b,c""#, r#"d=~"e|f""#]);
        assert_eq!(Matcher::parse_all(" {} ").unwrap(), []);
        let parts = r#"{"name":"d","value":"e|f","isRegex":true,"isEqual":false}"#;
        let matcher: Matcher = serde_json::from_str(parts).unwrap();
        assert_eq!(serde_json::to_string(&matcher).unwrap(), r#""d!~\"e|f\"""#);
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written(name in "[a-z_.]{1,8}", value in "\\PC{0,20}|[\"\\\\\n,a]{0,9}") {
            for operator in [Operator::Is, Operator::IsNot] {
                let matcher = Matcher::new(&name, operator, &value).unwrap();
                prop_assert_eq!(&Matcher::parse(&matcher.to_string()).unwrap(), &matcher);
                let both = Matcher::parse_all(&format!("{{{matcher},{matcher}}}")).unwrap();
                prop_assert_eq!(both, [matcher.clone(), matcher]);
            }
        }

        #[test]
        fn no_text_is_too_strange(text in "[a-z=!~\"\\\\,{}()*+?|]{0,30}") {
            let _any_outcome = (Matcher::parse(&text), Matcher::parse_all(&text));
        }
    }
}
