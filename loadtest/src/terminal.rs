//! A run on a terminal: one calm line while it goes on, a small table at the end.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddrV4;

use crate::plan::Plan;
use crate::result::{Progress, RunResult, Status};
use crate::thresholds::{bound, shown};

const BAR_CHARS: usize = 12;
/// Of a terminal that does not say how wide it is.
const COLUMNS: usize = 100;

/// What is about to be done.
pub(crate) fn headline(plan: &Plan, address: SocketAddrV4) -> String {
    let Plan { name, scenario, connections, .. } = plan;
    format!("{name}: {scenario}, {connections} connections, {} s against {address}", shown(plan.run_s()))
}

/// Where a run stands, in one line.
pub(crate) fn status_line(progress: &Progress, run_s: f64) -> String {
    let Progress { phase, elapsed_s, connected, delivered, recent, .. } = progress;
    let rate = count(progress.deliveries_per_s);
    let wrong = progress.lost + progress.duplicated + progress.reordered;
    let trouble = if wrong == 0 {
        String::new()
    } else {
        format!("  lost {} dup {} late {}", progress.lost, progress.duplicated, progress.reordered)
    };
    format!(
        "{phase:<10} {elapsed_s:>5.1}/{} s  {connected} connected  {rate}/s  {delivered} delivered  p50 {} p99 {} ms{trouble}",
        shown(run_s),
        shown(recent.p50_ms),
        shown(recent.p99_ms)
    )
}

/// 1,234 as it is, 12,345 as 12.3k.
pub(crate) fn count(value: f64) -> String {
    match value {
        value if value >= 10_000_000.0 => format!("{:.1}M", value / 1e6),
        value if value >= 10_000.0 => format!("{:.1}k", value / 1e3),
        value => format!("{value:.0}"),
    }
}

/// The line that is written over.
pub(crate) struct Live {
    run_s: f64,
    columns: usize,
}

impl Live {
    pub(crate) fn new(run_s: f64) -> Self {
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let columns = size.map_or(COLUMNS, |size| size.ws_col.into());
        Self { run_s, columns: if columns == 0 { COLUMNS } else { columns } }
    }

    pub(crate) fn show(&mut self, progress: &Progress, out: &mut impl Write) -> io::Result<()> {
        let done = (progress.elapsed_s / self.run_s.max(0.1)).min(1.0);
        let full = (done * BAR_CHARS as f64).round() as usize;
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR_CHARS - full));
        let line = format!("{bar} {}", status_line(progress, self.run_s));
        // A line that wraps cannot be written over.
        let line: String = line.chars().take(self.columns.saturating_sub(1)).collect();
        write!(out, "\r\x1b[2K{line}")?;
        out.flush()
    }

    pub(crate) fn end(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "\r\x1b[2K")
    }
}

/// What a run found, as a table.
pub(crate) fn summary(result: &RunResult) -> String {
    let mut text = String::new();
    let status = match result.status {
        Status::Completed => "completed",
        Status::Failed => "FAILED",
        Status::Cancelled => "cancelled",
    };
    // Writing to a string cannot fail.
    let _ = write_summary(result, status, &mut text);
    text
}

fn write_summary(result: &RunResult, status: &str, text: &mut String) -> std::fmt::Result {
    let (messages, connections) = (&result.messages, &result.connections);
    writeln!(
        text,
        "{}: {status} after {:.1} s, success rate {:.2} %",
        result.name, result.duration_s, result.success_rate
    )?;
    if let Some(failure) = &result.failure {
        writeln!(text, "  why          {failure}")?;
    }
    writeln!(
        text,
        "  connections  {} planned, {} connected, {} failed, {} lost",
        connections.planned, connections.connected, connections.failed, connections.lost
    )?;
    writeln!(
        text,
        "  messages     {} published, {} of {} delivered ({}/s), {} lost, {} duplicated, {} reordered, {} refused",
        messages.published,
        messages.delivered,
        messages.expected,
        count(result.deliveries_per_s),
        messages.lost,
        messages.duplicated,
        messages.reordered,
        messages.refused
    )?;
    if let Some(reconnects) = &result.reconnects {
        writeln!(
            text,
            "  reconnects   {} of {} back, {} recovered, {} gaps, {} duplicates, p50 {} p99 {} ms",
            reconnects.succeeded,
            reconnects.attempted,
            reconnects.recovered,
            reconnects.gaps,
            reconnects.duplicates,
            shown(reconnects.back_p50_ms),
            shown(reconnects.back_p99_ms)
        )?;
    }
    if let Some(slow) = &result.slow_readers {
        writeln!(text, "  slow         {} stopped reading, the hub closed {}", slow.clients, slow.closed)?;
    }
    if let Some(ingest) = &result.ingest {
        writeln!(
            text,
            "  ingest       {} agents, {} of {} frames durable, {} samples, p50 {} p99 {} ms",
            ingest.agents,
            ingest.acknowledged,
            ingest.frames,
            ingest.samples,
            shown(ingest.latency.p50_ms),
            shown(ingest.latency.p99_ms)
        )?;
    }
    write_phases(result, text)?;
    for threshold in &result.thresholds {
        let (held, bound) = (if threshold.held { "held" } else { "MISSED" }, bound(&threshold.name));
        let (measured, limit) = (shown(threshold.measured), shown(threshold.limit));
        writeln!(text, "  {:<19} {measured:>10}  {bound} {limit}: {held}", threshold.name)?;
    }
    Ok(())
}

fn write_phases(result: &RunResult, text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n  {:<12} {:>8} {:>10} {:>10} {:>6} {:>10} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "phase", "seconds", "published", "delivered", "lost", "per s", "p50 ms", "p95", "p99", "p99.9", "max"
    )?;
    for phase in &result.phases {
        let latency = [
            phase.latency.p50_ms,
            phase.latency.p95_ms,
            phase.latency.p99_ms,
            phase.latency.p999_ms,
            phase.latency.max_ms,
        ];
        let [p50, p95, p99, p999, max] = latency.map(shown);
        writeln!(
            text,
            "  {:<12} {:>8.1} {:>10} {:>10} {:>6} {:>10} {p50:>8} {p95:>8} {p99:>8} {p999:>8} {max:>8}",
            phase.name,
            phase.duration_s,
            phase.published,
            phase.delivered,
            phase.lost,
            count(phase.deliveries_per_s)
        )?;
    }
    let cpu = result.server_cpu_s_per_million.map(|s| format!(", server CPU {} s a million", shown(s)));
    writeln!(
        text,
        "  {} bytes in, client CPU {:.0} %{}\n",
        count(result.bytes_in as f64),
        result.client_cpu_percent,
        cpu.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_of_trouble_only_when_there_is_some() {
        let calm = Progress { phase: "steady".into(), deliveries_per_s: 12_345.0, ..Progress::default() };
        let line = status_line(&calm, 4.0);
        assert!(line.starts_with("steady       0.0/4 s") && line.contains("12.3k/s"), "{line}");
        assert!(!line.contains("lost"), "{line}");
        assert!(status_line(&Progress { lost: 3, ..calm }, 4.0).ends_with("lost 3 dup 0 late 0"));
    }

    #[test]
    fn the_live_line_is_written_over() {
        let mut out = Vec::new();
        let mut live = Live { run_s: 4.0, columns: 40 };
        live.show(&Progress { elapsed_s: 2.0, ..Progress::default() }, &mut out).unwrap();
        live.end(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("\r\x1b[2K██████░░░░░░ ") && !text.contains('\n'), "{text}");
        assert!(text.chars().count() <= 40 + 2 * "\r\x1b[2K".len(), "{text}");
    }

    #[test]
    fn the_summary_says_what_was_missed() {
        let mut result = RunResult::example();
        assert!(summary(&result).contains("held"));
        result.thresholds[0].held = false;
        (result.status, result.failure) = (Status::Failed, Some("p99_ms is 61".into()));
        let summary = summary(&result);
        for part in ["evening run: FAILED", "why          p99_ms is 61", "MISSED", "1000 of 1000"] {
            assert!(summary.contains(part), "{part}: {summary}");
        }
    }
}
