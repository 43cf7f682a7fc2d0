//! What is written down while a run goes on: latencies by phase, and the points in time.

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::latencies::{self, histogram, percentiles};
use crate::process::Usage;
use crate::result::{Bucket, Latency, Point, ServerSample, TIMELINE_POINTS_MAX};

/// The shortest time between two points, in nanoseconds; also that between two lines of progress.
pub(crate) const INTERVAL_NS: u64 = 500_000_000;

/// Latencies of one phase: what came since the last point, and what came before that.
struct PhaseBook {
    recent: Histogram<u64>,
    before: Histogram<u64>,
}

/// Sums at the last point.
#[derive(Default)]
struct Mark {
    at_ns: u64,
    published: u64,
    delivered: u64,
}

/// The books of a run.
pub(crate) struct Books {
    phases: Vec<PhaseBook>,
    all: Histogram<u64>,
    recent: Histogram<u64>,
    pub(crate) connects: Histogram<u64>,
    pub(crate) returns: Histogram<u64>,
    pub(crate) acknowledgements: Histogram<u64>,
    /// Messages due in each phase.
    pub(crate) published: Vec<u64>,
    pub(crate) timeline: Vec<Point>,
    pub(crate) server: Vec<ServerSample>,
    /// Time between two points, in nanoseconds.
    step_ns: u64,
    mark: Mark,
    point_mark: Mark,
    server_cpu_s: Option<(u64, f64)>,
}

impl Books {
    pub(crate) fn new(phases: usize, run_ns: u64) -> Result<Self> {
        let book = |_| Ok(PhaseBook { recent: histogram()?, before: histogram()? });
        Ok(Self {
            phases: (0..phases).map(book).collect::<Result<_>>()?,
            all: histogram()?,
            recent: histogram()?,
            connects: histogram()?,
            returns: histogram()?,
            acknowledgements: histogram()?,
            published: vec![0; phases],
            timeline: Vec::new(),
            server: Vec::new(),
            // The last messages may come up to half a minute after the last phase.
            step_ns: INTERVAL_NS.max((run_ns + 40_000_000_000) / TIMELINE_POINTS_MAX as u64),
            mark: Mark::default(),
            point_mark: Mark::default(),
            server_cpu_s: None,
        })
    }

    /// So many messages that were due in this phase came this late.
    pub(crate) fn record(&mut self, phase: usize, latency_ns: u64, count: u32) {
        if let Some(book) = self.phases.get_mut(phase) {
            book.recent.saturating_record_n(latency_ns, count.into());
        }
    }

    /// Closes the time since the last call: what was recent is in the sums afterwards. Deliveries a second meanwhile.
    pub(crate) fn turn(&mut self, at_ns: u64, published: u64, delivered: u64) -> Result<f64> {
        self.recent.reset();
        for book in &mut self.phases {
            if !book.recent.is_empty() {
                self.recent.add(&book.recent)?;
                self.all.add(&book.recent)?;
                book.before.add(&book.recent)?;
                book.recent.reset();
            }
        }
        let rate = per_s(delivered - self.mark.delivered, at_ns - self.mark.at_ns);
        self.mark = Mark { at_ns, published, delivered };
        Ok(rate)
    }

    /// Adds a point when it is time for one; after [`Books::turn`].
    pub(crate) fn point(&mut self, connected: u64, server: Option<Usage>, fds: impl FnOnce() -> u64) {
        let Mark { at_ns, published, delivered } = self.mark;
        let since_ns = at_ns - self.point_mark.at_ns;
        if since_ns < self.step_ns || self.timeline.len() >= TIMELINE_POINTS_MAX {
            return;
        }
        let recent = self.recent();
        self.timeline.push(Point {
            at_s: at_ns as f64 / 1e9,
            connected,
            published_per_s: per_s(published - self.point_mark.published, since_ns),
            deliveries_per_s: per_s(delivered - self.point_mark.delivered, since_ns),
            p50_ms: recent.p50_ms.unwrap_or_default(),
            p99_ms: recent.p99_ms.unwrap_or_default(),
        });
        self.point_mark = Mark { at_ns, published, delivered };
        if let Some(Usage { cpu_s, rss_bytes }) = server {
            let (before_ns, before_s) = self.server_cpu_s.replace((at_ns, cpu_s)).unwrap_or((at_ns, cpu_s));
            let cpu_percent = (cpu_s - before_s) * 100.0 * 1e9 / (at_ns - before_ns).max(1) as f64;
            self.server.push(ServerSample { at_s: at_ns as f64 / 1e9, rss_bytes, fds: fds(), cpu_percent });
        }
    }

    pub(crate) fn all(&self) -> Latency {
        percentiles(&self.all)
    }

    pub(crate) fn recent(&self) -> Latency {
        percentiles(&self.recent)
    }

    pub(crate) fn phase(&self, phase: usize) -> (u64, Latency) {
        self.phases
            .get(phase)
            .map_or((0, Latency::default()), |book| (book.before.len(), percentiles(&book.before)))
    }

    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        latencies::buckets(&self.all)
    }
}

fn per_s(count: u64, ns: u64) -> f64 {
    count as f64 * 1e9 / ns.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recent_is_in_the_sums_after_the_turn() {
        let mut books = Books::new(2, 1_000_000_000).unwrap();
        books.record(0, 1_000_000, 1);
        books.record(1, 3_000_000, 1);
        books.record(7, 1, 1);
        assert!((3.9..4.1).contains(&books.turn(500_000_000, 1, 2).unwrap()));
        books.point(5, Some(Usage { cpu_s: 1.0, rss_bytes: 10 }), || 7);
        books.record(1, 5_000_000, 1);
        books.turn(1_000_000_000, 2, 3).unwrap();
        books.point(5, Some(Usage { cpu_s: 1.25, rss_bytes: 20 }), || 8);
        assert_eq!((books.phase(0).0, books.phase(1).0), (1, 2));
        let p50s = [books.recent().p50_ms, books.all().p50_ms].map(Option::unwrap);
        assert!((4.9..5.1).contains(&p50s[0]) && (2.9..3.1).contains(&p50s[1]), "{p50s:?}");
        assert_eq!(books.buckets().iter().map(|bucket| bucket.count).sum::<u64>(), 3);
        assert_eq!(books.timeline.len(), 2);
        assert_eq!((books.timeline[1].at_s, books.timeline[1].deliveries_per_s), (1.0, 2.0));
        assert_eq!((books.server[1].rss_bytes, books.server[1].fds), (20, 8));
        assert!((49.0..51.0).contains(&books.server[1].cpu_percent));
    }

    #[test]
    fn long_runs_have_no_more_points_than_short_ones() {
        let hour_ns = 3_600_000_000_000;
        let mut books = Books::new(1, hour_ns).unwrap();
        for at_ns in (0..hour_ns).step_by(500_000_000) {
            books.turn(at_ns, 0, 0).unwrap();
            books.point(0, None, || 0);
        }
        assert!((200..=TIMELINE_POINTS_MAX).contains(&books.timeline.len()), "{}", books.timeline.len());
    }
}
