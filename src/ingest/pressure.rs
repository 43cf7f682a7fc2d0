//! Whether those who send samples are to slow down: how much waits for the store, and for how long. Pure.

use crate::mailbox::Watermark;

/// Something waits for the store for so long, in milliseconds: senders slow down. Far more than a commit takes.
const AGE_HIGH_MS: u64 = 500;
/// Nothing waits for longer than that: they may go on.
const AGE_LOW_MS: u64 = 100;

/// The same of how full the mailbox or the store's queue is, in percent.
const FILL_HIGH_PERCENT: u64 = 50;
const FILL_LOW_PERCENT: u64 = 25;

/// Looks in a row that must find everything low: a store that is slow has short moments without work.
const CALM_LOOKS: u32 = 4;

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Level {
    /// How long the oldest has waited, in milliseconds.
    pub age_ms: u64,
    /// How full the fuller queue is, in percent.
    pub fill_percent: u64,
}

/// The two marks of each.
#[derive(Debug)]
pub struct Pressure {
    age: Watermark,
    fill: Watermark,
    /// Looks that found everything low, since senders were told to slow down; `None` while they are not.
    calm: Option<u32>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            age: Watermark::new(AGE_HIGH_MS, AGE_LOW_MS),
            fill: Watermark::new(FILL_HIGH_PERCENT, FILL_LOW_PERCENT),
            calm: None,
        }
    }
}

impl Pressure {
    /// Looks at the level; whether senders are to be slow now.
    pub fn observe(&mut self, level: Level) -> bool {
        let over = self.age.observe(level.age_ms) | self.fill.observe(level.fill_percent);
        self.calm = match (over, self.calm) {
            (true, _) => Some(0),
            (false, Some(looks)) if looks + 1 < CALM_LOOKS => Some(looks + 1),
            (false, _) => None,
        };
        self.calm.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(age_ms: u64) -> Level {
        Level { age_ms, fill_percent: 0 }
    }

    #[test]
    fn what_waits_for_long_slows_senders_until_it_is_calm() {
        let mut pressure = Pressure::default();
        assert!(!pressure.observe(aged(499)));
        assert!(pressure.observe(aged(500)));
        assert!(pressure.observe(aged(101)), "between the marks nothing changes");
        for _ in 1..CALM_LOOKS {
            assert!(pressure.observe(aged(100)));
        }
        assert!(!pressure.observe(aged(100)));
        assert!(!pressure.observe(aged(499)));
    }

    #[test]
    fn a_moment_without_work_is_not_calm() {
        let mut pressure = Pressure::default();
        assert!(pressure.observe(aged(2_000)));
        for look in 0..20 {
            assert!(pressure.observe(aged(if look % 4 == 0 { 600 } else { 0 })));
        }
    }

    #[test]
    fn a_queue_that_is_half_full_slows_senders_however_young_it_is() {
        let mut pressure = Pressure::default();
        let filled = |fill_percent| Level { age_ms: 0, fill_percent };
        assert!(!pressure.observe(filled(49)));
        assert!(pressure.observe(filled(50)));
        for _ in 0..CALM_LOOKS * 2 {
            assert!(pressure.observe(filled(26)));
        }
        let calm: Vec<bool> = (0..CALM_LOOKS).map(|_| pressure.observe(filled(25))).collect();
        assert_eq!(calm, [true, true, true, false]);
    }
}
