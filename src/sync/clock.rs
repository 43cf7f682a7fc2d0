//! Hybrid logical time: wall time as long as it moves on, a counter where it does not. Pure.
//!
//! Written as an RFC 3339 time with nine digits: the milliseconds are wall time, the six digits behind them
//! count what happened within one. So it sorts as text, and every reader of times can read it.

use std::fmt;

/// Counter steps in a millisecond: the digits behind it.
const STEPS_PER_MS: u64 = 1_000_000;

/// One moment of hybrid time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HybridTime(u64);

impl HybridTime {
    /// The first moment of a millisecond.
    pub fn at(unix_ms: u64) -> Self {
        Self(unix_ms.saturating_mul(STEPS_PER_MS))
    }

    /// As the store has it: steps since 1970, a million a millisecond.
    pub fn from_steps(steps: u64) -> Self {
        Self(steps)
    }

    /// Steps since 1970.
    pub fn steps(self) -> u64 {
        self.0
    }

    /// The part that is wall time.
    pub fn unix_ms(self) -> u64 {
        self.0 / STEPS_PER_MS
    }

    /// The moment right behind this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Reads what [`fmt::Display`] wrote, and any other RFC 3339 time since 1970.
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(at.as_nanosecond()).ok().map(Self)
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{}", at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ"))
    }
}

impl serde::Serialize for HybridTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A time that no honest clock can have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`timestamp` is {ahead_ms} ms ahead of the hub, at most {ahead_ms_max} ms are allowed")]
pub struct TooFarAhead {
    /// How far.
    pub ahead_ms: u64,
    /// How far is allowed.
    pub ahead_ms_max: u64,
}

/// Gives times that only grow, and stay behind no time that it has seen.
#[derive(Debug, Clone)]
pub struct HybridClock(HybridTime);

impl HybridClock {
    /// A clock that has seen `last`.
    pub fn after(last: HybridTime) -> Self {
        Self(last)
    }

    /// The latest time that it gave or saw.
    pub fn last(&self) -> HybridTime {
        self.0
    }

    /// The next time, when the wall says `wall_ms`.
    pub fn now(&mut self, wall_ms: u64) -> HybridTime {
        self.0 = HybridTime::at(wall_ms).max(self.0.next());
        self.0
    }

    /// Takes note of a time from elsewhere; refuses one that is too far ahead of the wall.
    pub fn see(&mut self, seen: HybridTime, wall_ms: u64, ahead_ms_max: u64) -> Result<(), TooFarAhead> {
        let ahead_ms = seen.unix_ms().saturating_sub(wall_ms);
        if ahead_ms > ahead_ms_max {
            return Err(TooFarAhead { ahead_ms, ahead_ms_max });
        }
        self.0 = self.0.max(seen);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let time = HybridTime::from_steps(HybridTime::at(1_795_223_722_042).steps() + 3);
        assert_eq!(time.to_string(), "2026-11-21T01:15:22.042000003Z");
        assert_eq!(HybridTime::parse(&time.to_string()), Some(time));
        assert_eq!(
            HybridTime::parse("2026-11-21T02:15:22.042+01:00"),
            Some(HybridTime::at(1_795_223_722_042))
        );
        for bad in ["", "yesterday", "1969-12-31T23:59:59Z", "7"] {
            assert_eq!(HybridTime::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_minute_ahead_is_taken_and_more_is_refused() {
        let mut clock = HybridClock::after(HybridTime::at(0));
        clock.see(HybridTime::at(70_000), 10_000, 60_000).unwrap();
        assert_eq!(clock.now(10_000), HybridTime::at(70_000).next(), "what was seen is behind");
        let refused = clock.see(HybridTime::at(70_001), 10_000, 60_000).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`timestamp` is 60001 ms ahead of the hub, at most 60000 ms are allowed"
        );
    }

    proptest! {
        #[test]
        fn it_only_grows_whatever_the_wall_says(steps in prop::collection::vec((0u64..100, prop::option::of(0u64..100)), 1..50)) {
            let mut clock = HybridClock::after(HybridTime::at(0));
            let mut last = HybridTime::at(0);
            for (wall_ms, seen) in steps {
                if let Some(seen) = seen.map(HybridTime::at) && clock.see(seen, wall_ms, 10).is_ok() {
                    last = last.max(seen);
                }
                let now = clock.now(wall_ms);
                prop_assert!(now > last && now >= HybridTime::at(wall_ms));
                last = now;
            }
        }

        #[test]
        fn order_is_that_of_the_text(a in 0u64..4_000_000_000_000_000_000, b in 0u64..4_000_000_000_000_000_000) {
            let (a, b) = (HybridTime::from_steps(a), HybridTime::from_steps(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
