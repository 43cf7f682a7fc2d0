//! What was received: how much, and how late.

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::latencies::histogram;
use crate::received::{Counts, Received};
use crate::scanner::Run;

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

    /// A subscriber got messages.
    #[inline]
    pub(crate) fn count(&mut self, received: &mut Received, run: Run, received_ns: u64) {
        if run.due_ns < self.run_start_ns {
            return;
        }
        let new = self.counts.take(received, run.first, run.count);
        if new > 0 && run.due_ns >= self.record_from_ns {
            self.latencies.saturating_record_n(received_ns.saturating_sub(run.due_ns), new.into());
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
        tally.count(&mut received, Run { due_ns: 250, first: 0, count: 3 }, 2_000_250);
        tally.count(&mut received, Run { due_ns: 99, first: 9, count: 1 }, 1_000);
        assert_eq!((tally.counts.delivered, received.next()), (3, 3));
        tally.count(&mut received, Run { due_ns: 150, first: 3, count: 1 }, 50_000_000);
        assert_eq!((tally.counts.delivered, tally.latencies.len()), (4, 3));
        tally.count(&mut received, Run { due_ns: 250, first: 2, count: 3 }, 1_000_250);
        assert_eq!((tally.counts.delivered, tally.counts.duplicated, tally.latencies.len()), (5, 2, 4));
        assert!((1.9..2.1).contains(&ms(&tally.latencies, 1.0)), "{}", ms(&tally.latencies, 1.0));
    }
}
