//! Checks a definition: every field, not just the first bad one. Pure.

mod conditions;

use std::collections::BTreeMap;

use super::checked::{Flap, Rule, SeverityChoice, Times};
use super::condition::{Leaf, LeafKind, Tree};
use super::definition::{Definition, SeverityDefinition};
use super::template::Template;
use crate::alert::{FieldError, Severity};

/// Longest name of a rule, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Longest address of a run book, id of a rule or of a policy, in bytes.
const URL_BYTES_MAX: usize = 2_000;
const ID_BYTES_MAX: usize = 128;
/// Most labels, and most annotations.
const LABELS_MAX: usize = 32;
/// Most labels to group by.
const GROUP_BY_MAX: usize = 16;
/// Longest name of a label, in bytes.
const LABEL_NAME_BYTES_MAX: usize = 128;
/// Longest time of a rule: thirty days.
const SECONDS_MAX: f64 = 2_592_000.0;
/// When `no_data_seconds` says nothing.
const NO_DATA_SECONDS: f64 = 300.0;
/// Most transitions of `flap`.
const TRANSITIONS_MAX: u32 = 1_000;
/// Longest window of `flap` and `rate`: a day.
const WINDOW_SECONDS_MAX: f64 = 86_400.0;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    errors: Vec<FieldError>,
    leaves: Vec<Leaf>,
}

impl Findings {
    fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.errors.push(FieldError::new(pointer, message));
    }

    /// Seconds within bounds, in milliseconds.
    fn seconds(&mut self, pointer: &str, seconds: f64, min: f64, max: f64) -> u64 {
        if !(min..=max).contains(&seconds) {
            self.add(pointer, format!("must be {min} to {max} seconds, not {seconds}"));
            return 0;
        }
        // Within thirty days: no digit is lost.
        (seconds * 1_000.0).round() as u64
    }
}

pub(super) fn check(definition: Definition) -> Result<Rule, Vec<FieldError>> {
    let mut findings = Findings::default();
    texts(&definition, &mut findings);
    let tree = conditions::condition(&definition.condition, "", 1, &mut findings);
    let times = times(&definition, &mut findings);
    let flap = definition.flap.map(|flap| {
        if !(2..=TRANSITIONS_MAX).contains(&flap.transitions) {
            let message = format!("must be 2 to {TRANSITIONS_MAX}, not {}", flap.transitions);
            findings.add("/flap/transitions", message);
        }
        let seconds = flap.window_seconds;
        let window_ms = findings.seconds("/flap/window_seconds", seconds, 1.0, WINDOW_SECONDS_MAX);
        Flap { transitions: flap.transitions, window_ms }
    });
    let labels = templates("/labels", &definition.labels, &mut findings);
    let annotations = templates("/annotations", &definition.annotations, &mut findings);
    let severity = severity(&definition.severity, tree.as_ref(), &mut findings);
    let Findings { errors, leaves } = findings;
    match (tree, severity) {
        (Some(tree), Some(severity)) if errors.is_empty() => {
            let has_absence = leaves.iter().any(Leaf::is_absence);
            let texts: Vec<String> = leaves.iter().filter(|leaf| leaf.is_input()).map(Leaf::text).collect();
            let inputs = if texts.is_empty() { 0 } else { crc32fast::hash(texts.join("\n").as_bytes()) };
            Ok(Rule {
                definition,
                tree,
                leaves,
                has_absence,
                inputs,
                times,
                severity,
                labels,
                annotations,
                flap,
            })
        }
        _ => Err(errors),
    }
}

fn texts(definition: &Definition, findings: &mut Findings) {
    let chars = definition.name.chars().count();
    if definition.name.trim().is_empty() || chars > NAME_CHARS_MAX {
        findings.add("/name", format!("must have 1 to {NAME_CHARS_MAX} characters, not {chars}"));
    }
    for (pointer, id) in
        [("/id", &definition.id), ("/escalation_policy_id", &definition.escalation_policy_id)]
    {
        if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > ID_BYTES_MAX) {
            findings.add(pointer, format!("must have 1 to {ID_BYTES_MAX} characters"));
        }
    }
    if let Some(url) = &definition.runbook_url {
        let is_web =
            ["http://", "https://"].iter().any(|start| url.len() > start.len() && url.starts_with(start));
        if !is_web || url.len() > URL_BYTES_MAX || url.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            findings.add(
                "/runbook_url",
                format!("must be an http or https address of at most {URL_BYTES_MAX} bytes"),
            );
        }
    }
    if definition.group_by.len() > GROUP_BY_MAX {
        findings
            .add("/group_by", format!("may have {GROUP_BY_MAX} labels, not {}", definition.group_by.len()));
    }
    for (index, name) in definition.group_by.iter().enumerate().take(GROUP_BY_MAX) {
        label_name(&format!("/group_by/{index}"), name, findings);
    }
}

fn label_name(pointer: &str, name: &str, findings: &mut Findings) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
    if name.is_empty() || name.len() > LABEL_NAME_BYTES_MAX || !name.chars().all(allowed) {
        let message =
            format!("a label must have 1 to {LABEL_NAME_BYTES_MAX} of A-Z a-z 0-9 and ._:/-, not {name:?}");
        findings.add(pointer, message);
    }
}

fn times(definition: &Definition, findings: &mut Findings) -> Times {
    let d = definition;
    Times {
        for_ms: findings.seconds("/for_duration_seconds", d.for_duration_seconds, 0.0, SECONDS_MAX),
        keep_firing_ms: findings.seconds("/keep_firing_seconds", d.keep_firing_seconds, 0.0, SECONDS_MAX),
        no_data: d.no_data,
        no_data_ms: findings.seconds(
            "/no_data_seconds",
            d.no_data_seconds.unwrap_or(NO_DATA_SECONDS),
            1.0,
            SECONDS_MAX,
        ),
        auto_resolve_ms: d
            .auto_resolve_seconds
            .map(|seconds| findings.seconds("/auto_resolve_seconds", seconds, 1.0, SECONDS_MAX)),
    }
}

fn templates(
    pointer: &str,
    texts: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Vec<(String, Template)> {
    if texts.len() > LABELS_MAX {
        findings.add(pointer, format!("may have {LABELS_MAX} entries, not {}", texts.len()));
        return Vec::new();
    }
    let mut checked = Vec::new();
    for (name, text) in texts {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        label_name(&pointer, name, findings);
        match Template::parse(text) {
            Ok(template) => checked.push((name.clone(), template)),
            Err(message) => findings.add(pointer, message),
        }
    }
    checked
}

fn severity(
    definition: &SeverityDefinition,
    tree: Option<&Tree>,
    findings: &mut Findings,
) -> Option<SeverityChoice> {
    let allowed = "info, warning, error or critical (or low, medium, high)";
    let by_value = match definition {
        SeverityDefinition::One(name) => {
            let severity = Severity::parse(name);
            if severity.is_none() {
                findings.add("/severity", format!("must be {allowed}, not {name:?}"));
            }
            return severity.map(SeverityChoice::One);
        }
        SeverityDefinition::ByValue(by_value) => by_value,
    };
    let mut bounds = Vec::new();
    for (name, bound) in by_value {
        match Severity::parse(name) {
            Some(severity) if bound.is_finite() => bounds.push((severity, *bound)),
            _ => findings.add("/severity", format!("must be by {allowed}, not {name:?}")),
        }
    }
    bounds.sort_by_key(|(severity, _)| *severity);
    let comparison = match tree {
        Some(Tree::Leaf(number)) => findings.leaves.get(*number).and_then(|leaf| match leaf.kind {
            LeafKind::Threshold { comparison, .. } | LeafKind::Rate { comparison, .. } => Some(comparison),
            LeafKind::Anomaly(_) | LeafKind::Absence { .. } | LeafKind::Input { .. } => None,
        }),
        Some(Tree::Expression(expression)) => expression.direction(),
        // Told already why there is none.
        None => return None,
        Some(_) => None,
    };
    let Some(comparison) = comparison.filter(|c| c.is_upward() || c.is_downward()) else {
        findings.add(
            "/severity",
            "only a threshold, a rate or one comparison with >, >=, < or <= has severities by value",
        );
        return None;
    };
    // Every worse one must need a worse value.
    let is_rising = bounds.windows(2).all(|pair| {
        let ((milder, mild_bound), (worse, worse_bound)) = (pair[0], pair[1]);
        milder != worse
            && if comparison.is_upward() { mild_bound < worse_bound } else { mild_bound > worse_bound }
    });
    if bounds.is_empty() || !is_rising {
        findings.add(
            "/severity",
            "needs a value for at least one severity, and a worse value for each worse one",
        );
    }
    Some(SeverityChoice::ByValue { comparison, bounds })
}
