//! Time as an input: wall and monotonic clock behind one value, so that tests move it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Faults;

/// Where the time comes from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    /// May move the wall clock on purpose.
    faults: Option<Arc<Faults>>,
}

#[derive(Debug, Clone)]
enum Source {
    /// When the clock was made, by both of the machine's clocks.
    System(Instant, u64),
    Manual(Arc<AtomicU64>),
}

impl Source {
    fn unix_ms(&self) -> u64 {
        match self {
            Self::System(..) => system_unix_ms(),
            Self::Manual(cell) => cell.load(Ordering::Relaxed),
        }
    }
}

impl Clock {
    /// The machine's clocks.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    pub fn system() -> Self {
        Self { source: Source::System(Instant::now(), system_unix_ms()), faults: None }
    }

    /// A clock that stands still at `unix_ms` until it is advanced.
    pub fn manual(unix_ms: u64) -> (Self, ManualClock) {
        let cell = Arc::new(AtomicU64::new(unix_ms));
        (Self { source: Source::Manual(cell.clone()), faults: None }, ManualClock(cell))
    }

    /// The same clock, whose wall time a fault may move. The monotonic time goes on as it does.
    #[must_use]
    pub fn with_faults(mut self, faults: Option<Arc<Faults>>) -> Self {
        self.faults = faults;
        self
    }

    /// Wall time in milliseconds since 1970-01-01 UTC.
    pub fn unix_ms(&self) -> u64 {
        let unix_ms = self.source.unix_ms();
        match &self.faults {
            Some(faults) => unix_ms.saturating_add_signed(faults.clock_offset_ms()),
            None => unix_ms,
        }
    }

    /// Unix time in milliseconds as it was when this clock was made, moved on by the monotonic time: for how long ago
    /// something was that outlives the process. It does not jump.
    pub fn steady_unix_ms(&self) -> u64 {
        match &self.source {
            Source::System(_, made_ms) => made_ms + self.monotonic_ms(),
            Source::Manual(cell) => cell.load(Ordering::Relaxed),
        }
    }

    /// Monotonic time in milliseconds since this clock was made.
    pub fn monotonic_ms(&self) -> u64 {
        self.monotonic_us() / 1_000
    }

    /// The same in microseconds.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    pub fn monotonic_us(&self) -> u64 {
        match &self.source {
            Source::System(start, _) => Instant::now().duration_since(*start).as_micros() as u64,
            Source::Manual(cell) => cell.load(Ordering::Relaxed) * 1_000,
        }
    }
}

/// The hand that moves a manual clock.
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Moves both times forward by `ms`.
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

/// Wall time of the machine; for the few callers that take a plain function.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
pub fn system_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// `unix_ms` as RFC 3339 in UTC with milliseconds, e.g. `2026-11-21T01:15:22.042Z`.
/// Times outside years 1-9999 are clamped to the nearest that can be written.
pub fn rfc3339(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    let at = jiff::tz::Offset::UTC.to_datetime(at);
    // By hand: every frame has one, and a pattern costs ten times as much.
    let mut text = String::with_capacity("2026-11-21T01:15:22.042Z".len());
    write_digits(&mut text, at.year().unsigned_abs().into(), 4);
    for (before, part) in
        [('-', at.month()), ('-', at.day()), ('T', at.hour()), (':', at.minute()), (':', at.second())]
    {
        text.push(before);
        write_digits(&mut text, part.unsigned_abs().into(), 2);
    }
    text.push('.');
    write_digits(&mut text, at.millisecond().unsigned_abs().into(), 3);
    text.push('Z');
    text
}

/// The last `digits` decimal digits of a number.
fn write_digits(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10u32.pow(place) % 10;
        text.push(char::from(b'0' + digit as u8));
    }
}

/// Reads an RFC 3339 time (any offset) into milliseconds since 1970; `None` when it is not one or lies before 1970.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(rfc3339(1_795_223_722_042), "2026-11-21T01:15:22.042Z");
        assert_eq!(parse_rfc3339("2026-11-21T01:15:22.042Z"), Some(1_795_223_722_042));
        assert_eq!(parse_rfc3339("2026-11-21T02:15:22.042+01:00"), Some(1_795_223_722_042));
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let (clock, hand) = Clock::manual(1_000);
        assert_eq!((clock.unix_ms(), clock.monotonic_ms()), (1_000, 1_000));
        hand.advance_ms(250);
        assert_eq!(clock.unix_ms(), 1_250);
    }

    #[test]
    fn a_jump_moves_the_wall_and_nothing_else() {
        let (clock, _hand) = Clock::manual(10_000);
        let faults = Faults::new();
        let clock = clock.with_faults(Some(faults.clone()));
        for (offset_ms, expected) in [(5_000, 15_000), (-4_000, 6_000), (-20_000, 0), (0, 10_000)] {
            faults.jump_clock(offset_ms);
            assert_eq!((clock.unix_ms(), clock.monotonic_ms()), (expected, 10_000));
            assert_eq!(clock.steady_unix_ms(), 10_000);
        }
    }
}
