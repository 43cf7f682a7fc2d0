//! Rules of Prometheus as definitions, as far as they have a counterpart. Pure.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::{Parsed, Skipped, id, wording};
use crate::rule::checked::Rule;
use crate::rule::definition::{ConditionDefinition, Definition, NoData, SeverityDefinition};
use crate::rule::expression::{Expression, Input, seconds};

/// `absent(x)` holds for Prometheus as soon as it looks back on nothing: five minutes.
const ABSENT_SECONDS: f64 = 300.0;

/// A group. What it says of how often it is evaluated has no meaning here: samples are judged as they arrive.
#[derive(Deserialize)]
pub(super) struct Group {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    rules: Vec<Spanned<Written>>,
}

/// A rule of a group.
#[derive(Deserialize)]
struct Written {
    alert: Option<String>,
    record: Option<String>,
    /// A text; YAML makes a number of `1`.
    expr: Value,
    #[serde(rename = "for")]
    for_duration: Option<Value>,
    keep_firing_for: Option<Value>,
    #[serde(default)]
    labels: BTreeMap<String, Value>,
    #[serde(default)]
    annotations: BTreeMap<String, Value>,
}

/// How bad, by the words that people use for it; in lower case.
const SEVERITIES: [(&str, &[&str]); 4] = [
    ("critical", &["critical", "crit", "page", "fatal", "emergency", "disaster", "p1"]),
    ("error", &["error", "high", "major", "p2"]),
    ("warning", &["warning", "warn", "medium", "minor", "average", "ticket", "p3"]),
    ("info", &["info", "information", "informational", "low", "notice", "none", "debug", "p4", "p5"]),
];

impl Group {
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn read(self, path: &str, ids: &mut HashSet<String>, parsed: &mut Parsed) {
        for Spanned { value: mut written, referenced, .. } in self.rules {
            for (name, value) in &self.labels {
                written.labels.entry(name.clone()).or_insert_with(|| Value::from(value.clone()));
            }
            let name = written.alert.clone().or_else(|| written.record.clone()).unwrap_or_default();
            match written.definition() {
                Ok(mut definition) => {
                    let id = free_id(path, &definition, ids);
                    definition.id = Some(id.clone());
                    parsed.rules.push((id, definition));
                }
                Err(reason) => parsed.skipped.push(Skipped {
                    file: path.to_owned(),
                    line: Some(referenced.line()),
                    group: self.name.clone(),
                    name,
                    reason,
                }),
            }
        }
    }
}

/// Alerts of one name, for instance one a severity, are usual there.
fn free_id(path: &str, definition: &Definition, ids: &mut HashSet<String>) -> String {
    let plain = id(path, &definition.name);
    let SeverityDefinition::One(severity) = &definition.severity else { return plain };
    let with_severity = format!("{plain}-{severity}");
    let numbered = (2..).map(|number| format!("{with_severity}-{number}"));
    let mut all = [plain.clone(), with_severity.clone()].into_iter().chain(numbered);
    all.find(|id| ids.insert(id.clone())).unwrap_or(plain)
}

impl Written {
    fn definition(self) -> Result<Definition, String> {
        let Some(name) = self.alert else {
            return Err(
                "recording rules have no counterpart: write what they record into the rules that use it"
                    .to_owned(),
            );
        };
        let text = text_of(&self.expr);
        let mut labels: BTreeMap<String, String> = self
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), wording::translated(&text_of(value))))
            .collect();
        let severity = severity(labels.remove("severity").as_deref());
        let mut annotations: BTreeMap<String, String> = BTreeMap::new();
        let mut runbook_url = None;
        for (name, value) in &self.annotations {
            let value = text_of(value);
            let name = match name.as_str() {
                "summary" if !self.annotations.contains_key("title") => "title",
                "description" if !self.annotations.contains_key("message") => "message",
                "runbook_url" | "runbook" if value.starts_with("http") && !value.contains("{{") => {
                    runbook_url = Some(value);
                    continue;
                }
                other => other,
            };
            annotations.insert(name.to_owned(), wording::translated(&value));
        }
        let definition = Definition {
            id: None,
            name,
            enabled: true,
            condition: condition(text.trim())?,
            for_duration_seconds: time("for", self.for_duration.as_ref())?,
            keep_firing_seconds: time("keep_firing_for", self.keep_firing_for.as_ref())?,
            severity: SeverityDefinition::One(severity.to_owned()),
            labels,
            annotations,
            group_by: Vec::new(),
            runbook_url,
            // There, an alert whose series ended is over.
            no_data: NoData::Ok,
            no_data_seconds: None,
            escalation_policy_id: None,
            auto_resolve_seconds: None,
            flap: None,
        };
        match Rule::check(definition.clone()) {
            Ok(_) => Ok(definition),
            Err(errors) => {
                let all = errors.iter().map(|error| format!("{} {}", error.pointer, error.message));
                Err(all.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

/// What must hold: an expression, or an absence.
fn condition(expr: &str) -> Result<ConditionDefinition, String> {
    let inside = expr.strip_prefix("absent").map(str::trim).and_then(|rest| rest.strip_prefix('('));
    if let Some(inside) = inside.and_then(|rest| rest.strip_suffix(')')) {
        // A series alone is read as one side of a comparison.
        let read = Expression::parse(&format!("{inside} > 0")).map_err(|error| error.to_string())?;
        let Some(Input { metric, matchers, call: None }) = read.one_input().cloned() else {
            return Err("absent is known of one series alone".to_owned());
        };
        return Ok(ConditionDefinition {
            kind: "absence".to_owned(),
            metric: Some(metric),
            matchers: matchers.iter().map(ToString::to_string).collect(),
            absent_seconds: Some(ABSENT_SECONDS),
            ..ConditionDefinition::default()
        });
    }
    Expression::parse(expr).map_err(|error| error.to_string())?;
    Ok(ConditionDefinition {
        kind: "expression".to_owned(),
        expression: Some(expr.to_owned()),
        ..ConditionDefinition::default()
    })
}

fn time(field: &str, value: Option<&Value>) -> Result<f64, String> {
    let Some(value) = value else { return Ok(0.0) };
    let text = text_of(value);
    seconds(&text).ok_or_else(|| format!("{field} must be a duration such as 5m, not {text:?}"))
}

fn severity(word: Option<&str>) -> &'static str {
    let word = word.unwrap_or_default().to_lowercase();
    let known = SEVERITIES.iter().find(|(_, words)| words.contains(&word.as_str()));
    known.map_or("warning", |(severity, _)| severity)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
