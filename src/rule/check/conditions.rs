//! The part of the check that depends on the kind of a condition. Pure.

use super::super::catalogue::canonical;
use super::super::condition::{Direction, Leaf, LeafKind, Odd, Tree, WINDOW_POINTS_MAX};
use super::super::definition::ConditionDefinition;
use super::super::expression::Expression;
use super::super::reason::{Comparison, RateUnit};
use super::{Findings, SECONDS_MAX, WINDOW_SECONDS_MAX};
use crate::alert::Matcher;
use crate::ids::MetricName;

/// Most conditions on one metric in a composite: its reasons have a bit for each.
const LEAVES_MAX: usize = 16;
/// How deep composites may be nested.
const DEPTH_MAX: usize = 4;
/// Most matchers of a condition.
const MATCHERS_MAX: usize = 16;

/// What `window_points`, `samples_min` and `sigma` are when nothing is said.
const WINDOW_POINTS: u32 = 100;
const WINDOW_POINTS_MIN: u32 = 5;
const SAMPLES_MIN: u32 = 30;
const SIGMA: f64 = 3.0;
const SIGMA_MAX: f64 = 100.0;

const KINDS: &str = "threshold, rate, anomaly, absence, composite or expression";

/// Checks a condition and those in it. `None` where something was found.
pub(super) fn condition(
    definition: &ConditionDefinition,
    at: &str,
    depth: usize,
    findings: &mut Findings,
) -> Option<Tree> {
    let kind = definition.kind.as_str();
    match kind {
        "threshold" | "rate" | "anomaly" | "absence" | "composite" | "expression" => {}
        _ => {
            findings.add(format!("{at}/kind"), format!("must be {KINDS}, not {kind:?}"));
            return None;
        }
    }
    foreign_fields(definition, at, findings);
    if kind == "composite" {
        return composite(definition, at, depth, findings);
    }
    if kind == "expression" {
        return expression(definition, at, depth, findings);
    }
    let metric = metric(definition, at, findings);
    let matchers = matchers(definition, at, findings);
    let kind = match kind {
        "threshold" => threshold(definition, at, findings),
        "rate" => rate(definition, at, findings),
        "anomaly" => anomaly(definition, at, findings),
        _ => absence(definition, at, findings),
    };
    findings.leaves.push(Leaf { metric: metric?, matchers, kind: kind? });
    Some(Tree::Leaf(findings.leaves.len() - 1))
}

/// Fields that say something the kind does not know: they would be read as if they had an effect.
fn foreign_fields(c: &ConditionDefinition, at: &str, findings: &mut Findings) {
    let fields: [(&str, bool, &[&str]); 16] = [
        ("metric", c.metric.is_some(), &["threshold", "rate", "anomaly", "absence"]),
        ("matchers", !c.matchers.is_empty(), &["threshold", "rate", "anomaly", "absence"]),
        ("comparison", c.comparison.is_some(), &["threshold", "rate"]),
        ("value", c.value.is_some(), &["threshold", "rate"]),
        ("recovery_value", c.recovery_value.is_some(), &["threshold"]),
        ("unit", c.unit.is_some(), &["rate"]),
        ("window_seconds", c.window_seconds.is_some(), &["rate"]),
        ("absent_seconds", c.absent_seconds.is_some(), &["absence"]),
        ("window_points", c.window_points.is_some(), &["anomaly"]),
        ("samples_min", c.samples_min.is_some(), &["anomaly"]),
        ("sigma", c.sigma.is_some(), &["anomaly"]),
        ("direction", c.direction.is_some(), &["anomaly"]),
        ("seasonal", c.seasonal.is_some(), &["anomaly"]),
        ("expression", c.expression.is_some(), &["expression"]),
        ("op", c.op.is_some(), &["composite"]),
        ("conditions", !c.conditions.is_empty(), &["composite"]),
    ];
    for (name, is_given, kinds) in fields {
        if is_given && !kinds.contains(&c.kind.as_str()) {
            let message = format!("belongs to {}, not to {}", kinds.join(", "), c.kind);
            findings.add(format!("{at}/{name}"), message);
        }
    }
}

fn composite(c: &ConditionDefinition, at: &str, depth: usize, findings: &mut Findings) -> Option<Tree> {
    if depth > DEPTH_MAX {
        findings.add(format!("{at}/conditions"), format!("composites may be nested {DEPTH_MAX} deep"));
        return None;
    }
    let op = c.op.as_deref().unwrap_or_default();
    if !["and", "or", "not"].contains(&op) {
        findings.add(format!("{at}/op"), format!("must be and, or or not, not {op:?}"));
    }
    let allowed = if op == "not" { 1..=1 } else { 1..=LEAVES_MAX };
    if !allowed.contains(&c.conditions.len()) {
        let (least, most) = (allowed.start(), allowed.end());
        let message = format!("must be {least} to {most} conditions, not {}", c.conditions.len());
        findings.add(format!("{at}/conditions"), message);
        return None;
    }
    let inner = c.conditions.iter().enumerate();
    let mut parts = Vec::new();
    for (index, one) in inner {
        parts.extend(condition(one, &format!("{at}/conditions/{index}"), depth + 1, findings));
    }
    if depth == 1 && findings.leaves.len() > LEAVES_MAX {
        let message = format!("may have {LEAVES_MAX} conditions in all, not {}", findings.leaves.len());
        findings.add(format!("{at}/conditions"), message);
    }
    match op {
        "and" => Some(Tree::And(parts)),
        "or" => Some(Tree::Or(parts)),
        _ => parts.pop().map(|part| Tree::Not(Box::new(part))),
    }
}

fn expression(c: &ConditionDefinition, at: &str, depth: usize, findings: &mut Findings) -> Option<Tree> {
    let pointer = format!("{at}/expression");
    let read = match c.expression.as_deref().map(Expression::parse) {
        Some(Ok(read)) => read,
        Some(Err(error)) => {
            findings.add(pointer, error.to_string());
            return None;
        }
        None => {
            findings.add(pointer, "is missing");
            return None;
        }
    };
    let leaves = &mut findings.leaves;
    let own = leaves.len();
    let numbered = read.over(&mut |input| {
        let kind = LeafKind::Input { call: input.call };
        let leaf = Leaf { metric: canonical(&input.metric).to_owned(), matchers: input.matchers, kind };
        // The same input twice is looked at once.
        let known = leaves.iter().skip(own).position(|other| *other == leaf);
        known.map_or_else(
            || {
                leaves.push(leaf);
                leaves.len() - 1
            },
            |place| own + place,
        )
    });
    if depth == 1 && findings.leaves.len() > LEAVES_MAX {
        let message = format!("may have {LEAVES_MAX} series in all, not {}", findings.leaves.len());
        findings.add(pointer, message);
    }
    Some(Tree::Expression(numbered))
}

fn metric(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<String> {
    let Some(metric) = &c.metric else {
        findings.add(format!("{at}/metric"), "is missing");
        return None;
    };
    match MetricName::parse(metric) {
        Ok(name) => Some(canonical(name.as_str()).to_owned()),
        Err(error) => {
            findings.add(format!("{at}/metric"), error.to_string());
            None
        }
    }
}

fn matchers(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Vec<Matcher> {
    if c.matchers.len() > MATCHERS_MAX {
        let message = format!("may have {MATCHERS_MAX} entries, not {}", c.matchers.len());
        findings.add(format!("{at}/matchers"), message);
        return Vec::new();
    }
    let mut matchers = Vec::new();
    for (index, text) in c.matchers.iter().enumerate() {
        match Matcher::parse(text) {
            Ok(matcher) => matchers.push(matcher),
            Err(error) => findings.add(format!("{at}/matchers/{index}"), error.to_string()),
        }
    }
    matchers
}

/// The comparison and what is compared with.
fn comparison(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<(Comparison, f64)> {
    let sign = c.comparison.as_deref().unwrap_or_default();
    let comparison = Comparison::parse(sign);
    if comparison.is_none() {
        findings.add(format!("{at}/comparison"), format!("must be >, >=, <, <=, == or !=, not {sign:?}"));
    }
    let value = c.value.filter(|value| value.is_finite());
    if value.is_none() {
        findings.add(format!("{at}/value"), "must be a number");
    }
    Some((comparison?, value?))
}

fn threshold(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<LeafKind> {
    let (comparison, limit) = comparison(c, at, findings)?;
    if let Some(recovery) = c.recovery_value {
        let is_fine = (comparison.is_upward() && recovery <= limit)
            || (comparison.is_downward() && recovery >= limit && recovery.is_finite());
        if !is_fine {
            let message = "must be on the good side of value, and only with >, >=, < or <=";
            findings.add(format!("{at}/recovery_value"), message);
        }
    }
    Some(LeafKind::Threshold { comparison, limit, recovery: c.recovery_value })
}

fn rate(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<LeafKind> {
    let compared = comparison(c, at, findings);
    let unit = match c.unit.as_deref() {
        None | Some("per_second") => RateUnit::PerSecond,
        Some("percent") => RateUnit::Percent,
        Some(other) => {
            findings.add(format!("{at}/unit"), format!("must be per_second or percent, not {other:?}"));
            RateUnit::PerSecond
        }
    };
    let window_ms = required_seconds(c.window_seconds, at, "window_seconds", WINDOW_SECONDS_MAX, findings);
    let (comparison, limit) = compared?;
    Some(LeafKind::Rate { comparison, limit, unit, window_ms: window_ms? })
}

fn absence(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<LeafKind> {
    let absent_ms = required_seconds(c.absent_seconds, at, "absent_seconds", SECONDS_MAX, findings);
    Some(LeafKind::Absence { absent_ms: absent_ms? })
}

fn required_seconds(
    seconds: Option<f64>,
    at: &str,
    name: &str,
    max: f64,
    findings: &mut Findings,
) -> Option<u64> {
    let pointer = format!("{at}/{name}");
    let Some(seconds) = seconds else {
        findings.add(pointer, "is missing");
        return None;
    };
    Some(findings.seconds(&pointer, seconds, 1.0, max))
}

fn anomaly(c: &ConditionDefinition, at: &str, findings: &mut Findings) -> Option<LeafKind> {
    let window_points = c.window_points.unwrap_or(WINDOW_POINTS);
    if !(WINDOW_POINTS_MIN..=WINDOW_POINTS_MAX).contains(&window_points) {
        let message = format!("must be {WINDOW_POINTS_MIN} to {WINDOW_POINTS_MAX}, not {window_points}");
        findings.add(format!("{at}/window_points"), message);
    }
    let samples_min = c.samples_min.unwrap_or(SAMPLES_MIN.min(window_points));
    if !(2..=window_points).contains(&samples_min) {
        findings.add(format!("{at}/samples_min"), format!("must be 2 to window_points, not {samples_min}"));
    }
    let sigma = c.sigma.unwrap_or(SIGMA);
    if !(sigma > 0.0 && sigma <= SIGMA_MAX) {
        findings.add(format!("{at}/sigma"), format!("must be above 0 and at most {SIGMA_MAX}, not {sigma}"));
    }
    let direction = c.direction.as_deref().unwrap_or("both");
    let Some(direction) = Direction::parse(direction) else {
        findings.add(format!("{at}/direction"), format!("must be both, above or below, not {direction:?}"));
        return None;
    };
    let (window_points, samples_min) = (window_points as usize, samples_min as usize);
    let is_seasonal = c.seasonal.unwrap_or(false);
    Some(LeafKind::Anomaly(Odd { window_points, samples_min, sigma, direction, is_seasonal }))
}
