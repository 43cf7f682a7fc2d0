//! What was received: how much, and how late.

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::latencies::histogram;
use crate::marker::Marker;
use crate::received::{Counts, Received};

/// Sums over all subscribers of a run.
pub(crate) struct Tally {
    pub(crate) counts: Counts,
    /// The frames that brought the messages, headers included.
    pub(crate) wire_bytes: u64,
    pub(crate) reads: u64,
    pub(crate) lost_clients: usize,
    /// Markers before this time belong to an earlier run.
    pub(crate) run_start_ns: u64,
    /// Latency is recorded of messages that were due from this time on.
    pub(crate) record_from_ns: u64,
    pub(crate) latencies: Histogram<u64>,
    /// From opening a socket to being subscribed.
    pub(crate) connects: Histogram<u64>,
    /// From the cut to being subscribed again.
    pub(crate) returns: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            counts: Counts::default(),
            wire_bytes: 0,
            reads: 0,
            lost_clients: 0,
            run_start_ns: u64::MAX,
            record_from_ns: u64::MAX,
            latencies: histogram()?,
            connects: histogram()?,
            returns: histogram()?,
        })
    }

    /// A subscriber got a message.
    #[inline]
    pub(crate) fn count(&mut self, received: &mut Received, marker: Marker, received_ns: u64) {
        if marker.due_ns < self.run_start_ns || !self.counts.take(received, marker.sequence) {
            return;
        }
        if marker.due_ns >= self.record_from_ns {
            self.latencies.saturating_record(received_ns.saturating_sub(marker.due_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latencies::ms;

    #[test]
    fn an_earlier_run_does_not_count_and_warming_up_is_not_recorded() {
        let (mut tally, mut received) = (Tally::new().unwrap(), Received::default());
        (tally.run_start_ns, tally.record_from_ns) = (100, 200);
        tally.count(&mut received, Marker { due_ns: 250, sequence: 0 }, 2_000_250);
        tally.count(&mut received, Marker { due_ns: 99, sequence: 9 }, 1_000);
        assert_eq!((tally.counts.delivered, received.next()), (1, 1));
        tally.count(&mut received, Marker { due_ns: 150, sequence: 1 }, 50_000_000);
        assert_eq!(tally.counts.delivered, 2);
        assert!((1.9..2.1).contains(&ms(&tally.latencies, 1.0)), "{}", ms(&tally.latencies, 1.0));
    }
}
