//! The command `compare`: two stored results side by side.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::cli::Outcome;
use crate::result::RunResult;
use crate::thresholds::shown;

/// Below it a difference is taken for the machine's noise.
const NOISE: f64 = 0.25;

/// What `compare` is told.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A result that `run --json` wrote
    a: PathBuf,
    /// Another one
    b: PathBuf,
}

/// Takes a figure from a result.
type Figure = fn(&RunResult) -> f64;

/// One figure of two results.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    a: f64,
    b: f64,
}

impl Row {
    /// B to A; `None` when A is nothing to compare with.
    fn ratio(&self) -> Option<f64> {
        (self.a != 0.0).then(|| self.b / self.a)
    }

    /// Whether the two differ by more than noise.
    fn differs(&self) -> bool {
        match self.ratio() {
            Some(ratio) => !(1.0 / (1.0 + NOISE)..=1.0 + NOISE).contains(&ratio),
            None => self.b != 0.0,
        }
    }
}

/// Prints the table.
pub(crate) fn compare(args: &CompareArgs, out: &mut impl Write) -> Result<Outcome> {
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    write!(out, "{}", table(&a, &b))?;
    Ok(Outcome::Held)
}

fn read(path: &Path) -> Result<RunResult> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no result of a run", path.display()))
}

fn rows(a: &RunResult, b: &RunResult) -> Vec<Row> {
    let figures: [(&str, Figure); 17] = [
        ("success rate %", |r| r.success_rate),
        ("connected", |r| r.connections.connected as f64),
        ("failed or lost", |r| (r.connections.failed + r.connections.lost) as f64),
        ("connects/s", |r| r.connects.per_s),
        ("published", |r| r.messages.published as f64),
        ("delivered", |r| r.messages.delivered as f64),
        ("lost", |r| r.messages.lost as f64),
        ("duplicated", |r| r.messages.duplicated as f64),
        ("reordered", |r| r.messages.reordered as f64),
        ("deliveries/s", |r| r.deliveries_per_s),
        ("p50 ms", |r| r.latency.p50_ms.unwrap_or_default()),
        ("p95 ms", |r| r.latency.p95_ms.unwrap_or_default()),
        ("p99 ms", |r| r.latency.p99_ms.unwrap_or_default()),
        ("p99.9 ms", |r| r.latency.p999_ms.unwrap_or_default()),
        ("max ms", |r| r.latency.max_ms.unwrap_or_default()),
        ("bytes in", |r| r.bytes_in as f64),
        ("server CPU s/million", |r| r.server_cpu_s_per_million.unwrap_or_default()),
    ];
    let mut rows: Vec<Row> =
        figures.iter().map(|(name, of)| Row { name: (*name).to_owned(), a: of(a), b: of(b) }).collect();
    for phase in &a.phases {
        let Some(other) = b.phases.iter().find(|other| other.name == phase.name) else { continue };
        let name = |figure: &str| format!("{}: {figure}", phase.name);
        if phase.published + other.published > 0 {
            let [a, b] = [phase, other].map(|phase| phase.latency.p99_ms.unwrap_or_default());
            rows.push(Row { name: name("p99 ms"), a, b });
            rows.push(Row {
                name: name("deliveries/s"),
                a: phase.deliveries_per_s,
                b: other.deliveries_per_s,
            });
        }
    }
    rows
}

fn table(a: &RunResult, b: &RunResult) -> String {
    let mut text = format!("A: {} ({})\nB: {} ({})\n", a.name, a.scenario, b.name, b.scenario);
    if a.scenario != b.scenario {
        text.push_str("These are different scenarios; ratios mean little.\n");
    }
    text.push_str(&format!("\n  {:<24} {:>14} {:>14} {:>8}\n", "", "A", "B", "B/A"));
    for row in rows(a, b) {
        let mark = if row.differs() { '*' } else { ' ' };
        let ratio = row.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let (a, b) = (shown(row.a), shown(row.b));
        text.push_str(&format!("{mark} {:<24} {a:>14} {b:>14} {ratio:>8}\n", row.name));
    }
    text.push_str("\n* differs by more than 25 %; less is noise on most machines\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_either_way_is_noise() {
        let row = |a, b| Row { name: String::new(), a, b };
        let table = [
            (1.0, 1.25, false),
            (1.0, 1.26, true),
            (1.0, 0.8, false),
            (1.0, 0.79, true),
            (0.0, 0.0, false),
            (0.0, 1.0, true),
            (1.0, 0.0, true),
        ];
        for (a, b, differs) in table {
            assert_eq!(row(a, b).differs(), differs, "{a} {b}");
        }
    }

    #[test]
    fn what_differs_is_marked_and_the_rest_is_not() {
        let a = RunResult::example();
        let mut b = a.clone();
        b.latency.p99_ms = Some(8.0);
        b.phases[0].latency.p99_ms = Some(8.0);
        let table = table(&a, &b);
        let marked: Vec<&str> = table.lines().filter(|line| line.starts_with('*')).collect();
        assert_eq!(marked.len(), 3, "two figures and the legend: {table}");
        assert!(marked[0].starts_with("* p99 ms") && marked[0].ends_with("2.00"), "{table}");
        assert!(marked[1].starts_with("* steady: p99 ms"), "{table}");
        assert!(!table.contains("different scenarios"));
    }
}
