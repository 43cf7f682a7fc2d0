//! Texts with placeholders in the labels and annotations of a rule. Pure.
//!
//! `{{ labels.node }}`, `{{ value }}`, `{{ metric }}`, `{{ rule }}`, `{{ severity }}`; with a `$` in front, as
//! Prometheus writes the first two, as well. There are no functions.

use std::collections::BTreeMap;

/// Longest template, in bytes.
const BYTES_MAX: usize = 4_000;
/// Longest rendered text, in bytes; the rest is cut.
const RENDERED_BYTES_MAX: usize = 8_000;

/// What a template may speak of.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Name of the rule.
    pub rule: &'a str,
    /// Metric of the series.
    pub metric: &'a str,
    /// Labels of the series.
    pub labels: &'a BTreeMap<String, String>,
    /// What the condition looked at.
    pub value: Option<f64>,
    /// Name of the severity.
    pub severity: &'a str,
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Label(String),
    Value,
    Metric,
    Rule,
    Severity,
}

impl Template {
    /// Reads a template; the error says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("a template may have {BYTES_MAX} bytes, not {}", text.len()));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((front, behind)) = rest.split_once("{{") {
            if !front.is_empty() {
                parts.push(Part::Text(front.to_owned()));
            }
            let (inside, after) = behind.split_once("}}").ok_or("a {{ has no }}")?;
            parts.push(placeholder(inside.trim())?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// The text with the facts filled in. What is missing is empty.
    pub fn render(&self, facts: &Facts<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                Part::Label(name) => text.push_str(facts.labels.get(name).map_or("", String::as_str)),
                Part::Value => text.push_str(&facts.value.map_or_else(String::new, super::reason::number)),
                Part::Metric => text.push_str(facts.metric),
                Part::Rule => text.push_str(facts.rule),
                Part::Severity => text.push_str(facts.severity),
            }
        }
        text.truncate(text.floor_char_boundary(RENDERED_BYTES_MAX));
        text
    }
}

fn placeholder(inside: &str) -> Result<Part, String> {
    let name = inside.strip_prefix('$').or_else(|| inside.strip_prefix('.')).unwrap_or(inside);
    match name {
        "value" => Ok(Part::Value),
        "metric" => Ok(Part::Metric),
        "rule" => Ok(Part::Rule),
        "severity" => Ok(Part::Severity),
        _ => match name.strip_prefix("labels.") {
            Some(label) if !label.is_empty() && !label.contains([' ', '|', '(']) => {
                Ok(Part::Label(label.to_owned()))
            }
            _ => Err(format!(
                "{{{{ {inside} }}}} is unknown; there are labels.NAME, value, metric, rule and severity"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled() {
        let labels = BTreeMap::from([("node".to_owned(), "web-1".to_owned())]);
        let facts = Facts {
            rule: "CPU",
            metric: "cpu_percent",
            labels: &labels,
            value: Some(93.25),
            severity: "error",
        };
        for (template, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("{{value}} on {{ labels.node }}", "93.25 on web-1"),
            ("{{ $labels.node }}={{ $value }}", "web-1=93.25"),
            ("{{ rule }}/{{ metric }}/{{ severity }}{{ labels.none }}", "CPU/cpu_percent/error"),
            ("a } b } c", "a } b } c"),
        ] {
            assert_eq!(Template::parse(template).unwrap().render(&facts), expected, "{template}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for bad in ["{{", "{{ x }}", "{{ labels. }}", "{{ labels.a | upper }}", "{{ value | humanize }}"] {
            assert!(Template::parse(bad).is_err(), "{bad}");
        }
        assert!(Template::parse(&"x".repeat(BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_rendered_text_is_bounded() {
        let labels = BTreeMap::from([("l".to_owned(), "ä".repeat(500))]);
        let facts = Facts { rule: "", metric: "", labels: &labels, value: None, severity: "" };
        let text = Template::parse(&"{{ labels.l }}".repeat(100)).unwrap().render(&facts);
        assert_eq!(text.len(), RENDERED_BYTES_MAX);
    }
}
