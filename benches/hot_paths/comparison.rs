//! Whether the hot paths have grown: the instructions of this build beside those in the repository. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a case may grow before the check fails, in percent.
const GROWTH_PERCENT_MAX: f64 = 5.0;

/// Instructions, and what they were counted with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Numbers {
    /// The compiler that they are of.
    pub(crate) rustc: String,
    /// The CPU's architecture, and whether it has AVX2, by which libraries choose their code.
    pub(crate) cpu: String,
    /// Instructions a run, by case.
    pub(crate) instructions: BTreeMap<String, u64>,
}

/// Both beside each other.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What to print, line by line.
    pub(crate) lines: Vec<String>,
    /// Whether the check fails.
    pub(crate) fails: bool,
}

/// Fails when a case has grown by more than 5 %, or has a number on one side only. Numbers of another compiler or CPU
/// only warn.
pub(crate) fn compare(known: &Numbers, found: &Numbers) -> Comparison {
    let mut lines = vec![row("instructions a run", "committed", "now", "  change", "")];
    let mut is_over = false;
    for (name, now) in &found.instructions {
        let Some(before) = known.instructions.get(name) else {
            lines.push(row(
                name,
                "-",
                &now.to_string(),
                "",
                "  not committed: make bench-check ARGS=--update",
            ));
            is_over = true;
            continue;
        };
        let percent = (*now as f64 / *before as f64 - 1.0) * 100.0;
        let verdict = match percent {
            _ if percent > GROWTH_PERCENT_MAX => "  more than allowed",
            _ if percent < -GROWTH_PERCENT_MAX => "  better: make bench-check ARGS=--update",
            _ => "",
        };
        let change = format!("{percent:>+7.1}%");
        lines.push(row(name, &before.to_string(), &now.to_string(), &change, verdict));
        is_over |= percent > GROWTH_PERCENT_MAX;
    }
    for (name, before) in
        known.instructions.iter().filter(|(name, _)| !found.instructions.contains_key(*name))
    {
        lines.push(row(name, &before.to_string(), "-", "", "  no such case: make bench-check ARGS=--update"));
        is_over = true;
    }
    let comparable = (&known.rustc, &known.cpu) == (&found.rustc, &found.cpu);
    if !comparable {
        lines.push(format!("the committed numbers are of {} on {}: this only warns", known.rustc, known.cpu));
    }
    Comparison { lines, fails: comparable && is_over }
}

fn row(name: &str, before: &str, now: &str, change: &str, verdict: &str) -> String {
    format!("{name:<32} {before:>12} {now:>12} {change:>8}{verdict}")
}
