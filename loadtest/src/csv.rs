//! A result as a table for spreadsheets: a line a phase, and one for the whole run. Pure.

use std::fmt::Write as _;

use crate::result::{Latency, RunResult};

const HEAD: &str = "run,scenario,status,phase,kind,duration_s,published,delivered,lost,duplicated,reordered,\
                    deliveries_per_s,p50_ms,p95_ms,p99_ms,p999_ms,max_ms,success_rate\n";

fn quoted(text: &str) -> String {
    // A leading sign would make a formula of it.
    let text = text.trim_start_matches(['=', '+', '-', '@']);
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn latency(latency: &Latency) -> String {
    let Latency { p50_ms, p95_ms, p99_ms, p999_ms, max_ms } = latency;
    let cell = |ms: &Option<f64>| ms.map(|ms| format!("{ms:.3}")).unwrap_or_default();
    [p50_ms, p95_ms, p99_ms, p999_ms, max_ms].map(cell).join(",")
}

/// The table with its head.
pub(crate) fn table(result: &RunResult) -> String {
    let run = format!("{},{},{}", quoted(&result.name), result.scenario, status(result));
    let mut text = HEAD.to_owned();
    for phase in &result.phases {
        let (name, kind, latency) = (quoted(&phase.name), phase.kind.name(), latency(&phase.latency));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{run},{name},{kind},{:.3},{},{},{},,,{:.1},{latency},",
            phase.duration_s, phase.published, phase.delivered, phase.lost, phase.deliveries_per_s
        );
    }
    let messages = &result.messages;
    let _ = writeln!(
        text,
        "{run},\"whole run\",,{:.3},{},{},{},{},{},{:.1},{},{:.3}",
        result.duration_s,
        messages.published,
        messages.delivered,
        messages.lost,
        messages.duplicated,
        messages.reordered,
        result.deliveries_per_s,
        latency(&result.latency),
        result.success_rate
    );
    text
}

fn status(result: &RunResult) -> String {
    format!("{:?}", result.status).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_columns_of_the_head() {
        let result = RunResult { name: "=SUM(\"a\")".into(), ..RunResult::example() };
        let table = table(&result);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        for line in &lines {
            assert_eq!(line.matches(',').count(), HEAD.matches(',').count(), "{line}");
        }
        assert!(
            lines[1].starts_with(r#""SUM(""a"")",paced,completed,"steady",steady,4.000,40,1000,0,"#),
            "{table}"
        );
        assert!(lines[2].ends_with(",100.000"), "{table}");
    }
}
