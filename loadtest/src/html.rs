//! A result as one HTML file: no script, nothing from the network, light or dark as the reader's system is. Pure.

use std::fmt::Write as _;

use crate::plot::{Band, Series, bars, escaped, over_time};
use crate::result::{Point, RunResult, Status};
use crate::terminal::count;
use crate::thresholds::{bound, shown};

const STYLE: &str = include_str!("report.css");

/// The report of a run.
pub(crate) fn report(result: &RunResult) -> String {
    let (name, status) = (escaped(&result.name), status(result));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{name}: {status}</title><style>\n{STYLE}</style></head><body><main>\n\
         <header><h1>{name}</h1><span class=\"badge {status}\">{status}</span>\
         <span class=\"quiet\">{}, {:.1} s, {} connections</span></header>\n",
        result.scenario, result.duration_s, result.connections.planned
    );
    if let Some(failure) = &result.failure {
        let _ = writeln!(page, "<p class=\"failure\">{}</p>", escaped(failure));
    }
    tiles(result, &mut page);
    plots(result, &mut page);
    thresholds(result, &mut page);
    phases(result, &mut page);
    totals(result, &mut page);
    if let Some(plan) = result.plan.as_ref().and_then(|plan| serde_json::to_string_pretty(plan).ok()) {
        let _ =
            writeln!(page, "<section class=\"card\"><h2>Plan</h2><pre>{}</pre></section>", escaped(&plan));
    }
    page.push_str("</main></body></html>\n");
    page
}

fn status(result: &RunResult) -> &'static str {
    match result.status {
        Status::Completed => "completed",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}

fn tiles(result: &RunResult, page: &mut String) {
    let messages = &result.messages;
    let mut tiles = vec![
        ("success rate", format!("{} %", shown(result.success_rate))),
        ("delivered a second", count(result.deliveries_per_s)),
        ("p50", format!("{} ms", shown(result.latency.p50_ms))),
        ("p99", format!("{} ms", shown(result.latency.p99_ms))),
        ("lost", messages.lost.to_string()),
        ("twice or late", (messages.duplicated + messages.reordered).to_string()),
    ];
    if let Some(reconnects) = &result.reconnects {
        tiles.push(("came back", format!("{} of {}", reconnects.succeeded, reconnects.attempted)));
        tiles.push(("back within (p99)", format!("{} ms", shown(reconnects.back_p99_ms))));
    }
    if let Some(slow) = &result.slow_readers {
        tiles.push(("slow, closed", format!("{} of {}", slow.closed, slow.clients)));
    }
    if let Some(ingest) = &result.ingest {
        tiles.push(("frames durable", format!("{} of {}", ingest.acknowledged, ingest.frames)));
    }
    if let Some(cpu_s) = result.server_cpu_s_per_million {
        tiles.push(("server CPU a million", format!("{} s", shown(cpu_s))));
    }
    page.push_str("<dl class=\"tiles\">");
    for (label, value) in tiles {
        let _ = write!(page, "<div class=\"tile\"><dt>{label}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>\n");
}

fn bands(result: &RunResult) -> Vec<Band<'_>> {
    let mut from_s = 0.0;
    let bands = result.phases.iter().map(|phase| {
        let band = Band { name: &phase.name, from_s, to_s: from_s + phase.duration_s };
        from_s = band.to_s;
        band
    });
    bands.collect()
}

fn plots(result: &RunResult, page: &mut String) {
    let line = |of: fn(&Point) -> f64| result.timeline.iter().map(|point| (point.at_s, of(point))).collect();
    let bands = bands(result);
    page.push_str("<div class=\"plots\">\n");
    let deliveries = Series { label: "delivered", points: line(|point| point.deliveries_per_s) };
    page.push_str(&over_time("Deliveries a second", &[deliveries], &bands));
    let latencies = [
        Series { label: "p50", points: line(|point| point.p50_ms) },
        Series { label: "p99", points: line(|point| point.p99_ms) },
    ];
    page.push_str(&over_time("Latency, ms from the planned time", &latencies, &bands));
    page.push_str(&bars("Messages by latency, up to so many ms", &result.histogram));
    let connected = Series { label: "connected", points: line(|point| point.connected as f64) };
    page.push_str(&over_time("Connections", &[connected], &bands));
    if !result.server.is_empty() {
        let server = |of: fn(&crate::result::ServerSample) -> f64| {
            result.server.iter().map(|sample| (sample.at_s, of(sample))).collect()
        };
        let memory =
            Series { label: "memory", points: server(|sample| sample.rss_bytes as f64 / 1_048_576.0) };
        page.push_str(&over_time("Memory of the server, MiB", &[memory], &bands));
        let cpu = Series { label: "CPU", points: server(|sample| sample.cpu_percent) };
        page.push_str(&over_time("CPU of the server, % of a core", &[cpu], &bands));
        let fds = Series { label: "open files", points: server(|sample| sample.fds as f64) };
        page.push_str(&over_time("Open files of the server", &[fds], &bands));
    }
    page.push_str("\n</div>\n");
}

fn table(title: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>, page: &mut String) {
    let _ = write!(page, "<section class=\"card\"><h2>{title}</h2><table><tr>");
    for cell in head {
        let _ = write!(page, "<th>{cell}</th>");
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for cell in row {
            let _ = write!(page, "<td>{cell}</td>");
        }
        page.push_str("</tr>");
    }
    page.push_str("</table></section>\n");
}

fn thresholds(result: &RunResult, page: &mut String) {
    let rows = result.thresholds.iter().map(|threshold| {
        let verdict = if threshold.held { "held" } else { "missed" };
        vec![
            escaped(&threshold.name),
            shown(threshold.measured),
            format!("{} {}", bound(&threshold.name), shown(threshold.limit)),
            format!("<span class=\"{verdict}\">{verdict}</span>"),
        ]
    });
    table("Thresholds", &["threshold", "measured", "wanted", ""], rows, page);
}

fn phases(result: &RunResult, page: &mut String) {
    let head = [
        "phase",
        "kind",
        "seconds",
        "published",
        "delivered",
        "lost",
        "a second",
        "p50 ms",
        "p95",
        "p99",
        "p99.9",
        "max",
    ];
    let rows = result.phases.iter().map(|phase| {
        let latency = &phase.latency;
        let mut row = vec![
            escaped(&phase.name),
            phase.kind.name().to_owned(),
            format!("{:.1}", phase.duration_s),
            phase.published.to_string(),
            phase.delivered.to_string(),
            phase.lost.to_string(),
            count(phase.deliveries_per_s),
        ];
        row.extend(
            [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.p999_ms, latency.max_ms].map(shown),
        );
        row
    });
    table("Phases", &head, rows, page);
}

fn totals(result: &RunResult, page: &mut String) {
    let (connections, messages) = (&result.connections, &result.messages);
    let mut rows = vec![
        ("connections planned", connections.planned.to_string()),
        ("connected", connections.connected.to_string()),
        ("failed", connections.failed.to_string()),
        ("lost", connections.lost.to_string()),
        ("connects a second", shown(result.connects.per_s)),
        ("connect p99", format!("{} ms", shown(result.connects.latency.p99_ms))),
        ("messages published", messages.published.to_string()),
        ("due", messages.expected.to_string()),
        ("delivered", messages.delivered.to_string()),
        ("lost", messages.lost.to_string()),
        ("duplicated", messages.duplicated.to_string()),
        ("reordered", messages.reordered.to_string()),
        ("refused", messages.refused.to_string()),
        ("bytes in", result.bytes_in.to_string()),
        ("CPU of the load test", format!("{} %", shown(result.client_cpu_percent))),
    ];
    if let Some(reconnects) = &result.reconnects {
        rows.push(("told that nothing is missing", reconnects.recovered.to_string()));
        rows.push(("gaps after coming back", reconnects.gaps.to_string()));
    }
    let rows = rows.into_iter().map(|(label, value)| vec![label.to_owned(), value]);
    table("Totals", &["", ""], rows, page);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::ServerSample;

    #[test]
    fn the_report_is_one_file_without_script_or_network() {
        let mut result = RunResult { name: "<b>run</b>".into(), ..RunResult::example() };
        let plain = report(&result);
        for part in ["&lt;b&gt;run", "prefers-color-scheme: dark", "Deliveries a second", "badge completed"] {
            assert!(plain.contains(part), "{part}");
        }
        for part in ["<script", "http://", "https://", "<b>run", "url(", "<link", "NaN"] {
            assert!(!plain.contains(part), "{part}");
        }
        assert_eq!(plain.matches("<svg").count(), 4);
        result.server = vec![ServerSample { at_s: 1.0, rss_bytes: 1 << 20, fds: 9, cpu_percent: 5.0 }];
        result.failure = Some("p99_ms is 61".into());
        let with_server = report(&result);
        assert_eq!(with_server.matches("<svg").count(), 7);
        assert!(with_server.contains("class=\"failure\">p99_ms is 61"));
    }
}
