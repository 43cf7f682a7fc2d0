//! What a run found: one line for people, one JSON object for programs.

use std::fmt;

use serde::Serialize;

use crate::bench::tally::Tally;
use crate::latencies::ms;

/// The result of one run. Latencies are from the planned time of a message in the open loop, from
/// its sending in the closed one.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) label: String,
    pub(crate) mode: &'static str,
    pub(crate) subs: usize,
    pub(crate) ready: usize,
    pub(crate) connects_per_s: f64,
    pub(crate) connect_p99_ms: f64,
    pub(crate) deliveries_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    /// Messages times subscribers; what is missing was lost.
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    pub(crate) wire_bytes_per_message: f64,
    pub(crate) messages_per_read: f64,
    pub(crate) client_cpu_percent: f64,
    pub(crate) server_cpu_percent: Option<f64>,
    pub(crate) server_cpu_s_per_million: Option<f64>,
    pub(crate) idle_bytes_per_connection: Option<f64>,
    pub(crate) lost_clients: usize,
    pub(crate) first_failure: Option<String>,
}

impl Report {
    pub(crate) fn tally(&mut self, tally: &Tally) {
        let quantiles = [0.5, 0.99, 0.999, 1.0].map(|quantile| ms(&tally.latencies, quantile));
        [self.p50_ms, self.p99_ms, self.p999_ms, self.max_ms] = quantiles;
        self.delivered = tally.counts.delivered;
        self.lost = self.expected.saturating_sub(self.delivered);
        self.duplicates = tally.counts.duplicated;
        self.reordered = tally.counts.reordered;
        self.wire_bytes_per_message = tally.wire_bytes as f64 / self.delivered.max(1) as f64;
    }

    /// Whether everything published arrived everywhere, once and in order.
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.duplicates + self.reordered == 0 && self.lost_clients == 0 && self.ready == self.subs
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<11} {:<6} {:>5} subs", self.label, self.mode, self.ready)?;
        match self.mode {
            "storm" => {
                write!(f, "  {:.0} connects/s, p99 {:.1} ms", self.connects_per_s, self.connect_p99_ms)?;
            }
            "idle" => {
                let bytes = self.idle_bytes_per_connection.unwrap_or_default();
                write!(f, "  {bytes:.0} bytes per connection")?;
            }
            _ => {
                write!(f, "  {:.0}/s  p50 {:.2}", self.deliveries_per_s, self.p50_ms)?;
                write!(f, " p99 {:.2} p99.9 {:.2} ms", self.p99_ms, self.p999_ms)?;
                write!(f, "  {:.0} B/message", self.wire_bytes_per_message)?;
                write!(f, "  lost {} dup {} late {}", self.lost, self.duplicates, self.reordered)?;
                write!(f, "  client CPU {:.0} %", self.client_cpu_percent)?;
            }
        }
        if let (Some(percent), Some(s)) = (self.server_cpu_percent, self.server_cpu_s_per_million) {
            write!(f, "  server CPU {percent:.0} %, {s:.2} s/million")?;
        }
        if let Some(failure) = &self.first_failure {
            write!(f, "  {} clients lost, the first: {failure}", self.lost_clients)?;
        }
        Ok(())
    }
}
