//! When those who fill something are to slow down, and when they may go on. Pure.
//!
//! Two marks, so that a level that stands at one of them does not change anybody's mind with every drop.

/// A level with a high and a low mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    high: u64,
    low: u64,
    over: bool,
}

impl Watermark {
    /// Over from `high` on, and until the level is at `low` or less. A low mark above the high one counts as the high one.
    pub fn new(high: u64, low: u64) -> Self {
        Self { high, low: low.min(high.saturating_sub(1)), over: false }
    }

    /// Takes the level as it is now; whether it is over.
    pub fn observe(&mut self, level: u64) -> bool {
        self.over = if self.over { level > self.low } else { level >= self.high };
        self.over
    }

    /// Whether it is over since the last look.
    pub fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_over_from_the_high_mark_to_the_low_one() {
        let mut mark = Watermark::new(10, 4);
        let over: Vec<bool> = [0, 9, 10, 9, 5, 4, 5, 9, 12, 0].map(|level| mark.observe(level)).into();
        assert_eq!(over, [false, false, true, true, true, false, false, false, true, false]);
    }

    proptest! {
        /// It changes only where a mark is passed, so between two changes the level went all the way.
        #[test]
        fn between_two_changes_the_level_went_from_mark_to_mark(
            high in 1u64..50, low in 0u64..60, levels in prop::collection::vec(0u64..60, 1..200)
        ) {
            let mut mark = Watermark::new(high, low);
            for level in levels {
                let before = mark.is_over();
                let over = mark.observe(level);
                prop_assert!(!over || level > low.min(high - 1));
                prop_assert!(over || level < high);
                if over != before {
                    let passed = if over { level >= high } else { level <= low };
                    prop_assert!(passed);
                }
            }
        }
    }
}
