//! What was received: every subscriber's sequence, and how late.

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::marker::Marker;

/// The longest latency told apart, one minute in nanoseconds.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// One subscriber's place in the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    next: u32,
    missing: u32,
}

impl Sequence {
    /// The number of the message that comes next.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }
}

/// Sums over all subscribers of a run.
pub(crate) struct Tally {
    /// Distinct messages times subscribers.
    pub(crate) delivered: u64,
    pub(crate) duplicates: u64,
    /// Messages that came after a later one; they are among the delivered.
    pub(crate) reordered: u64,
    /// The frames that brought them, headers included.
    pub(crate) wire_bytes: u64,
    pub(crate) reads: u64,
    pub(crate) lost_clients: usize,
    /// Markers before this time belong to an earlier run.
    pub(crate) run_start_ns: u64,
    /// Latency is recorded of messages that were due from this time on.
    pub(crate) record_from_ns: u64,
    latency_ns: Histogram<u64>,
    connect_ns: Histogram<u64>,
    return_ns: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self> {
        let histogram = || Histogram::new_with_bounds(1_000, LATENCY_NS_MAX, 3);
        Ok(Self {
            delivered: 0,
            duplicates: 0,
            reordered: 0,
            wire_bytes: 0,
            reads: 0,
            lost_clients: 0,
            run_start_ns: u64::MAX,
            record_from_ns: u64::MAX,
            latency_ns: histogram()?,
            connect_ns: histogram()?,
            return_ns: histogram()?,
        })
    }

    /// A subscriber is ready, this long after its socket was opened.
    pub(crate) fn connected(&mut self, took_ns: u64) {
        self.connect_ns.saturating_record(took_ns);
    }

    /// A subscriber that was cut off is subscribed again, this long after the cut.
    pub(crate) fn returned(&mut self, took_ns: u64) {
        self.return_ns.saturating_record(took_ns);
    }

    /// A marker arrived.
    pub(crate) fn count(&mut self, at: &mut Sequence, marker: Marker, received_ns: u64) {
        if marker.due_ns < self.run_start_ns {
            return;
        }
        if marker.sequence < at.next {
            // Late after a gap, or there already.
            if at.missing == 0 {
                self.duplicates += 1;
                return;
            }
            at.missing -= 1;
            self.reordered += 1;
        } else {
            at.missing += marker.sequence - at.next;
            at.next = marker.sequence + 1;
        }
        self.delivered += 1;
        if marker.due_ns >= self.record_from_ns {
            self.latency_ns.saturating_record(received_ns.saturating_sub(marker.due_ns));
        }
    }

    /// Milliseconds below which this share of the latencies lies.
    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    /// The same of the time from the cut to being subscribed again.
    pub(crate) fn return_ms(&self, quantile: f64) -> f64 {
        self.return_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    /// The same of the time from opening a socket to being subscribed.
    pub(crate) fn connect_ms(&self, quantile: f64) -> f64 {
        self.connect_ns.value_at_quantile(quantile) as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(sequences: &[u32]) -> (Tally, Sequence) {
        let (mut tally, mut at) = (Tally::new().unwrap(), Sequence::default());
        (tally.run_start_ns, tally.record_from_ns) = (100, 200);
        for &sequence in sequences {
            tally.count(&mut at, Marker { due_ns: 250, sequence }, 2_000_250);
        }
        (tally, at)
    }

    #[test]
    fn loss_duplicates_and_disorder_are_told_apart() {
        let table: &[(&[u32], u64, u64, u64, u32)] = &[
            (&[0, 1, 2], 3, 0, 0, 0),
            (&[0, 2, 3], 3, 0, 0, 1),
            (&[0, 2, 1, 3], 4, 0, 1, 0),
            (&[0, 1, 1, 2], 3, 1, 0, 0),
            (&[3], 1, 0, 0, 3),
        ];
        for (sequences, delivered, duplicates, reordered, missing) in table {
            let (tally, at) = tally_of(sequences);
            let got = (tally.delivered, tally.duplicates, tally.reordered, at.missing);
            assert_eq!(got, (*delivered, *duplicates, *reordered, *missing), "{sequences:?}");
        }
    }

    #[test]
    fn an_earlier_run_does_not_count_and_warming_up_is_not_recorded() {
        let (mut tally, mut at) = tally_of(&[0]);
        tally.count(&mut at, Marker { due_ns: 99, sequence: 9 }, 1_000);
        assert_eq!((tally.delivered, at.next), (1, 1));
        tally.count(&mut at, Marker { due_ns: 150, sequence: 1 }, 50_000_000);
        assert_eq!(tally.delivered, 2);
        assert!((1.9..2.1).contains(&tally.latency_ms(1.0)), "{}", tally.latency_ms(1.0));
    }
}
