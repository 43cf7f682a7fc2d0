//! How late the event loops are: a small actor on each asks to be woken and sees how long it took.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::supervision::{Restart, supervised};
use crate::telemetry::Gauge;

/// Time between wake-ups, in milliseconds.
const WAKE_INTERVAL_MS: u64 = 500;

/// What the probes of all loops saw last. Cheap to clone.
#[derive(Clone, Default)]
pub struct LoopLag(Arc<Mutex<BTreeMap<Arc<str>, Seen>>>);

#[derive(Debug, Clone, Copy)]
struct Seen {
    at_ms: u64,
    lag_ms: u64,
}

impl LoopLag {
    /// A loop was woken that much too late.
    fn note(&self, event_loop: &Arc<str>, at_ms: u64, lag_ms: u64) {
        self.0.lock().insert(event_loop.clone(), Seen { at_ms, lag_ms });
    }

    /// How late each loop is. Times are monotonic milliseconds.
    pub fn each(&self, now_ms: u64) -> BTreeMap<Arc<str>, u64> {
        let seen = self.0.lock();
        let late = seen.iter().map(|(event_loop, seen)| {
            let overdue_ms = now_ms.saturating_sub(seen.at_ms).saturating_sub(WAKE_INTERVAL_MS);
            (event_loop.clone(), seen.lag_ms.max(overdue_ms))
        });
        late.collect()
    }

    /// The loop that is latest and by how much; a loop that hangs right now is as late as its wake-up is
    /// overdue. `None` before the first probe. Times are monotonic milliseconds.
    pub fn worst(&self, now_ms: u64) -> Option<(Arc<str>, u64)> {
        self.each(now_ms).into_iter().max_by_key(|(_, lag_ms)| *lag_ms)
    }
}

/// The probe of one event loop. A crash loses nothing but one reading.
pub struct LagActor {
    event_loop: Arc<str>,
    lag: LoopLag,
    clock: Clock,
    woken_ms: u64,
}

impl LagActor {
    /// A probe of the loop that it is started on.
    pub fn new(event_loop: impl Into<Arc<str>>, lag: LoopLag, clock: Clock) -> Self {
        Self { event_loop: event_loop.into(), lag, clock, woken_ms: 0 }
    }

    fn wake(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let lag_ms = now_ms.saturating_sub(self.woken_ms).saturating_sub(WAKE_INTERVAL_MS);
        self.woken_ms = now_ms;
        self.lag.note(&self.event_loop, now_ms, lag_ms);
        Gauge::EventLoopLagMs.set(self.lag.worst(now_ms).map_or(0, |(_, lag_ms)| lag_ms));
    }
}

impl Restart for LagActor {
    const KIND: &'static str = "lag_probe";

    fn fresh(&self) -> Self {
        Self::new(self.event_loop.clone(), self.lag.clone(), self.clock.clone())
    }
}

supervised!(LagActor);

impl Actor for LagActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.woken_ms = self.clock.monotonic_ms();
        ctx.run_interval(Duration::from_millis(WAKE_INTERVAL_MS), |actor, _ctx| actor.wake());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_loop_counts_and_a_hanging_one_is_seen_by_the_others() {
        let lag = LoopLag::default();
        assert_eq!(lag.worst(0), None);
        let (one, two): (Arc<str>, Arc<str>) = ("worker-0".into(), "worker-1".into());
        lag.note(&one, 1_000, 3);
        lag.note(&two, 1_100, 9);
        assert_eq!(lag.worst(1_200), Some((two.clone(), 9)));
        lag.note(&two, 1_600, 0);
        lag.note(&two, 2_100, 0);
        assert_eq!(lag.worst(2_200), Some((one, 700)));
    }

    #[test]
    fn a_probe_measures_what_its_clock_says() {
        let (clock, hand) = Clock::manual(10_000);
        let lag = LoopLag::default();
        let mut probe = LagActor::new("worker-0", lag.clone(), clock);
        probe.woken_ms = 10_000;
        hand.advance_ms(WAKE_INTERVAL_MS + 40);
        probe.wake();
        assert_eq!(lag.worst(10_540).unwrap().1, 40);
        hand.advance_ms(WAKE_INTERVAL_MS);
        probe.wake();
        assert_eq!(lag.worst(11_040).unwrap().1, 0);
    }
}
