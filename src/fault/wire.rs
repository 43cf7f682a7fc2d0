//! Faults on the way to clients. Pure: chance is an input.

use super::covers;

/// What is written to matching clients is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latency {
    /// Client ids: a name, `*` or `prefix*`.
    pub clients: String,
    /// How long in any case, in milliseconds.
    pub delay_ms: u64,
    /// Up to so much longer by chance, in milliseconds.
    pub jitter_ms: u64,
}

/// Data frames that something happens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames {
    /// Client ids: a name, `*` or `prefix*`.
    pub clients: String,
    /// Topics, in the same way.
    pub topics: String,
    /// How many of a hundred, by chance.
    pub percent: u8,
}

/// What becomes of a data frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes out as it is.
    Whole,
    /// It does not go out.
    Dropped,
    /// It goes out twice.
    Twice,
}

#[derive(Debug, Default)]
pub(super) struct Wire {
    pub(super) latency: Option<Latency>,
    pub(super) dropped: Option<Frames>,
    pub(super) duplicated: Option<Frames>,
}

impl Frames {
    /// `chance` is in `[0, 1)`.
    fn hits(&self, client: &str, topic: &str, chance: f64) -> bool {
        covers(&self.clients, client)
            && covers(&self.topics, topic)
            && chance * 100.0 < f64::from(self.percent)
    }
}

impl Wire {
    /// Whether anything happens to data frames.
    pub(super) fn tampers(&self) -> bool {
        self.dropped.is_some() || self.duplicated.is_some()
    }

    /// `chance` is in `[0, 1)`.
    pub(super) fn latency_ms(&self, client: &str, chance: f64) -> Option<u64> {
        let latency = self.latency.as_ref().filter(|latency| covers(&latency.clients, client))?;
        Some(latency.delay_ms + ((latency.jitter_ms + 1) as f64 * chance) as u64)
    }

    /// What is dropped is not duplicated as well.
    pub(super) fn fate(&self, client: &str, topic: &str, chance: f64) -> Fate {
        let hits = |frames: &Option<Frames>| frames.as_ref().is_some_and(|f| f.hits(client, topic, chance));
        if hits(&self.dropped) {
            Fate::Dropped
        } else if hits(&self.duplicated) {
            Fate::Twice
        } else {
            Fate::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(clients: &str, topics: &str, percent: u8) -> Option<Frames> {
        Some(Frames { clients: clients.into(), topics: topics.into(), percent })
    }

    #[test]
    fn only_what_both_patterns_name_is_hit() {
        let wire =
            Wire { dropped: frames("a*", "bench:*", 100), duplicated: frames("*", "*", 100), latency: None };
        assert_eq!(wire.fate("ann", "bench:t", 0.99), Fate::Dropped);
        assert_eq!(wire.fate("bob", "bench:t", 0.99), Fate::Twice);
        assert_eq!(wire.fate("ann", "events", 0.99), Fate::Twice);
    }

    proptest! {
        #[test]
        fn so_many_of_a_hundred_and_never_beyond_the_jitter(chance in 0.0..1.0f64, percent in 0u8..=100, jitter_ms in 0u64..1_000) {
            let latency = Some(Latency { clients: "*".into(), delay_ms: 10, jitter_ms });
            let wire = Wire { dropped: frames("*", "*", percent), duplicated: None, latency };
            prop_assert_eq!(wire.fate("c", "t", chance) == Fate::Dropped, chance * 100.0 < f64::from(percent));
            prop_assert!((10..=10 + jitter_ms).contains(&wire.latency_ms("c", chance).unwrap()));
            let ends = [0.0, 1.0_f64.next_down()].map(|chance| wire.latency_ms("c", chance));
            prop_assert_eq!(ends, [Some(10), Some(10 + jitter_ms)]);
        }
    }
}
