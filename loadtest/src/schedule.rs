//! When what is due: phases as stretches of time with a load, and events at fixed times within them. Pure; times are
//! nanoseconds since the start of the run.

use crate::plan::Phase;

/// A phase in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) begin_ns: u64,
    pub(crate) end_ns: u64,
    /// The load as a multiple of the plan's.
    pub(crate) load: f64,
}

impl Span {
    pub(crate) fn seconds(&self) -> f64 {
        (self.end_ns - self.begin_ns) as f64 / 1e9
    }
}

/// The phases of a run, one behind the other.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    pub(crate) spans: Vec<Span>,
}

impl Timetable {
    pub(crate) fn new(phases: &[Phase]) -> Self {
        let mut begin_ns = 0;
        let spans = phases.iter().map(|phase| {
            let end_ns = begin_ns + (phase.duration_s * 1e9) as u64;
            let span = Span { begin_ns, end_ns, load: phase.load() };
            begin_ns = end_ns;
            span
        });
        Self { spans: spans.collect() }
    }

    pub(crate) fn end_ns(&self) -> u64 {
        self.spans.last().map_or(0, |span| span.end_ns)
    }

    /// When publishing begins.
    pub(crate) fn load_begin_ns(&self) -> u64 {
        self.spans.iter().find(|span| span.load > 0.0).map_or(0, |span| span.begin_ns)
    }

    /// The phase of this moment; the last one after the end.
    pub(crate) fn phase_at(&self, at_ns: u64) -> usize {
        self.spans.partition_point(|span| span.end_ns <= at_ns).min(self.spans.len().saturating_sub(1))
    }

    /// Seconds of load: each phase's length times its load.
    pub(crate) fn load_s(&self) -> f64 {
        self.spans.iter().map(|span| span.seconds() * span.load).sum()
    }

    /// Events at `rate_hz` times the load of each phase.
    pub(crate) fn ticks(&self, rate_hz: f64) -> Ticks {
        let mut ticks = Ticks { spans: self.spans.clone(), rate_hz, at: 0, before: 0.0, number: 0 };
        ticks.settle();
        ticks
    }

    /// How many of `total` clients should have been opened: one after the other while ramping up, else all at once.
    pub(crate) fn arrived(&self, total: usize, at_ns: u64) -> usize {
        match self.spans.first() {
            Some(ramp) if ramp.load == 0.0 && at_ns < ramp.end_ns => {
                let share = (at_ns - ramp.begin_ns) as f64 / (ramp.end_ns - ramp.begin_ns) as f64;
                ((total as f64 * share) as usize + 1).min(total)
            }
            _ => total,
        }
    }
}

/// Events at fixed times, evenly spaced in each phase; the number of all is exact, whatever the phases.
#[derive(Debug, Clone)]
pub(crate) struct Ticks {
    spans: Vec<Span>,
    rate_hz: f64,
    /// The phase of the next event.
    at: usize,
    /// Events of the phases before it.
    before: f64,
    number: u64,
}

impl Ticks {
    /// When the next event is due; `None` when there is no further one.
    pub(crate) fn peek(&self) -> Option<u64> {
        let span = self.spans.get(self.at)?;
        let into_s = (self.number as f64 - self.before) / (self.rate_hz * span.load);
        Some(span.begin_ns + (into_s.max(0.0) * 1e9) as u64)
    }

    /// Takes the next event if it is due.
    pub(crate) fn take(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.peek().filter(|due_ns| *due_ns <= now_ns)?;
        self.number += 1;
        self.settle();
        Some(due_ns)
    }

    /// Finds the phase in which the next event is due.
    fn settle(&mut self) {
        while let Some(span) = self.spans.get(self.at) {
            let events = self.rate_hz * span.load * span.seconds();
            // What rounding leaves over is no event.
            if (self.number as f64) < self.before + events - 1e-6 {
                break;
            }
            self.before += events;
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PhaseKind;

    fn timetable(phases: &[(PhaseKind, f64, Option<f64>)]) -> Timetable {
        let phase = |(kind, duration_s, factor): &(PhaseKind, f64, Option<f64>)| Phase {
            name: kind.name().into(),
            kind: *kind,
            duration_s: *duration_s,
            factor: *factor,
        };
        Timetable::new(&phases.iter().map(phase).collect::<Vec<_>>())
    }

    fn four() -> Timetable {
        timetable(&[
            (PhaseKind::RampUp, 1.0, None),
            (PhaseKind::Steady, 2.0, None),
            (PhaseKind::Spike, 1.0, Some(4.0)),
            (PhaseKind::Recovery, 1.0, None),
        ])
    }

    fn all(mut ticks: Ticks) -> Vec<u64> {
        std::iter::from_fn(|| ticks.take(u64::MAX)).collect()
    }

    #[test]
    fn events_are_evenly_spaced_and_a_spike_has_more() {
        let due = all(four().ticks(10.0));
        assert_eq!(due.len(), 20 + 40 + 10);
        assert_eq!((due[0], due[1]), (1_000_000_000, 1_100_000_000), "nothing while ramping up");
        assert_eq!((due[20], due[21], due[60]), (3_000_000_000, 3_025_000_000, 4_000_000_000));
        assert!(due.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(due.iter().all(|at| *at < four().end_ns()));
    }

    #[test]
    fn a_rate_that_fits_no_phase_exactly_loses_no_event() {
        let due =
            all(timetable(&[(PhaseKind::Steady, 0.5, None), (PhaseKind::Steady, 0.5, None)]).ticks(3.0));
        assert_eq!(due, [0, 333_333_333, 666_666_666]);
        assert_eq!(all(four().ticks(200.0 / four().load_s())).len(), 200);
    }

    #[test]
    fn an_event_is_taken_when_it_is_due_and_not_before() {
        let mut ticks = four().ticks(10.0);
        assert_eq!(ticks.take(999_999_999), None);
        assert_eq!(ticks.take(1_250_000_000), Some(1_000_000_000), "late, but counted from its time");
        assert_eq!(ticks.peek(), Some(1_100_000_000));
    }

    #[test]
    fn clients_come_one_by_one_while_ramping_up_else_at_once() {
        let arrived: Vec<_> =
            [0, 500_000_000, 999_999_999, 5_000_000_000].map(|at| four().arrived(10, at)).into();
        assert_eq!(arrived, [1, 6, 10, 10]);
        assert_eq!(timetable(&[(PhaseKind::Steady, 1.0, None)]).arrived(10, 0), 10);
    }

    #[test]
    fn every_moment_belongs_to_a_phase() {
        let phases: Vec<_> = [0, 1_000_000_000, 3_999_999_999, 4_000_000_000, 9_000_000_000]
            .map(|at| four().phase_at(at))
            .into();
        assert_eq!(phases, [0, 1, 2, 3, 3]);
        assert_eq!((four().load_begin_ns(), four().load_s()), (1_000_000_000, 7.0));
    }
}
