//! When to ping whom: one wheel a worker, no timer a connection. Pure.
//!
//! A connection's slot decides its turn, so pings spread over the interval. The check for the pong comes
//! a fixed number of ticks after the ping.

use crate::config::ConnectionSection;

/// Longest time between ticks, in milliseconds.
const TICK_MS_MAX: u64 = 1_000;

/// The turning wheel.
#[derive(Debug, Clone)]
pub struct Wheel {
    tick_ms: u64,
    ping_ticks: usize,
    grace_ticks: usize,
    now: usize,
}

/// What is due at a tick: slots `first, first + step, ...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The first slot.
    pub first: usize,
    /// Distance to the next.
    pub step: usize,
}

impl Turn {
    /// The slots of this turn below `slots`.
    pub fn slots(self, slots: usize) -> impl Iterator<Item = usize> {
        (self.first..slots).step_by(self.step)
    }
}

impl Wheel {
    /// A wheel for these settings.
    pub fn new(settings: &ConnectionSection) -> Self {
        let shortest_ms = settings.ping_interval_ms.min(settings.pong_grace_ms);
        let tick_ms = (shortest_ms / 4).clamp(10, TICK_MS_MAX);
        let ticks = |ms: u64| usize::try_from(ms.div_ceil(tick_ms)).unwrap_or(usize::MAX).max(1);
        Self {
            tick_ms,
            ping_ticks: ticks(settings.ping_interval_ms),
            grace_ticks: ticks(settings.pong_grace_ms),
            now: 0,
        }
    }

    /// Time between ticks, in milliseconds.
    pub fn tick_ms(&self) -> u64 {
        self.tick_ms
    }

    /// Turns by one tick: who must have answered by now, and who is pinged.
    pub fn turn(&mut self) -> (Turn, Turn) {
        self.now = self.now.wrapping_add(1);
        let step = self.ping_ticks;
        let check = Turn { first: (self.now + step - self.grace_ticks % step) % step, step };
        (check, Turn { first: self.now % step, step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wheel(ping_interval_ms: u64, pong_grace_ms: u64) -> Wheel {
        Wheel::new(&ConnectionSection { ping_interval_ms, pong_grace_ms, ..ConnectionSection::default() })
    }

    #[test]
    fn each_slot_is_pinged_once_an_interval_and_checked_after_the_grace() {
        let mut wheel = wheel(25_000, 8_000);
        assert_eq!(wheel.tick_ms(), 1_000);
        let (mut pinged, mut checked) = (Vec::new(), Vec::new());
        for tick in 0..50 {
            let (check, ping) = wheel.turn();
            checked.extend(check.slots(60).filter(|s| *s == 33).map(|_| tick));
            pinged.extend(ping.slots(60).filter(|s| *s == 33).map(|_| tick));
        }
        assert_eq!(pinged.len(), 2);
        assert_eq!(pinged[1] - pinged[0], 25);
        assert!(checked.contains(&(pinged[0] + 8)), "{pinged:?} {checked:?}");
    }

    #[test]
    fn short_intervals_tick_finer() {
        assert_eq!(wheel(400, 200).tick_ms(), 50);
        assert_eq!(wheel(100, 50).tick_ms(), 12);
    }
}
