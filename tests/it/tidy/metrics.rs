//! Every metric is documented, named by the conventions of Prometheus, and counted somewhere.

use std::collections::BTreeSet;

use infrawatch::telemetry::metrics::{Counter, Gauge, Histogram};

use super::{none, sources};

/// Enum, variant, name, help.
type Row = (&'static str, String, &'static str, &'static str);

fn rows() -> Vec<Row> {
    let counters = Counter::ALL.iter().map(|m| ("Counter", format!("{m:?}"), m.row().0, m.row().2));
    let gauges = Gauge::ALL.iter().map(|m| ("Gauge", format!("{m:?}"), m.row().0, m.row().2));
    let histograms = Histogram::ALL.iter().map(|m| ("Histogram", format!("{m:?}"), m.row().0, m.row().2));
    counters.chain(gauges).chain(histograms).collect()
}

fn naming(rows: &[Row]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (kind, variant, name, help) in rows {
        if help.len() < 10 || help.ends_with('.') {
            findings
                .push(format!("{kind}::{variant}: the help text says what is counted, without a full stop"));
        }
        if !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            findings.push(format!("{kind}::{variant}: {name} is not snake case"));
        }
        if *kind == "Counter" && name.ends_with("_total") {
            findings.push(format!("{kind}::{variant}: {name}: _total is appended on export"));
        }
        if *kind == "Histogram" && !name.ends_with("_seconds") {
            findings.push(format!("{kind}::{variant}: {name}: durations are seconds, and the unit is last"));
        }
        if !seen.insert(name) {
            findings.push(format!("{kind}::{variant}: {name} is taken by another row"));
        }
    }
    findings
}

#[test]
fn every_metric_is_documented_and_well_named() {
    none(&naming(&rows()));
}

#[test]
fn every_metric_is_counted_somewhere() {
    let code = sources(&["src"], &[".rs"]);
    let uses = |needle: &str| {
        code.iter().filter(|file| file.path != "src/telemetry/metrics.rs").any(|file| {
            file.text.match_indices(needle).any(|(at, _)| {
                !file.text[at + needle.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    };
    let unused = rows().into_iter().filter(|(kind, variant, ..)| !uses(&format!("{kind}::{variant}")));
    let findings =
        unused.map(|(kind, variant, ..)| format!("{kind}::{variant} is exported and never changes"));
    none(&findings.collect::<Vec<_>>());
}

#[test]
fn bad_rows_are_found() {
    let row = |kind, name, help| (kind, "X".to_owned(), name, help);
    let good = row("Counter", "frames_in", "Frames received from clients");
    assert!(naming(std::slice::from_ref(&good)).is_empty());
    for bad in [
        row("Counter", "frames_out", ""),
        row("Counter", "frames_out", "Frames sent to clients."),
        row("Counter", "framesOut", "Frames sent to clients"),
        row("Counter", "frames_total", "Frames sent to clients"),
        row("Histogram", "write_ms", "Time to write a frame"),
        row("Gauge", "frames_in", "Frames that wait in outboxes"),
    ] {
        assert_eq!(naming(&[good.clone(), bad.clone()]).len(), 1, "{bad:?}");
    }
}
