//! Whether a node is alive: `enrolling → online → late → offline → (online | retired)`. Pure.

use serde::Serialize;

/// Where a node is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Known by name, never heard of.
    Enrolling,
    /// Reports as it promised.
    Online,
    /// Two intervals without a word.
    Late,
    /// Silent for its time to live.
    Offline,
    /// Taken out of service.
    Retired,
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Enrolling, Self::Online, Self::Late, Self::Offline, Self::Retired];

    /// The state of that name; what has another was never heard of.
    pub(super) fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Enrolling)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolling => "enrolling",
            Self::Online => "online",
            Self::Late => "late",
            Self::Offline => "offline",
            Self::Retired => "retired",
        }
    }
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: State,
    /// What it is.
    pub to: State,
}

/// Missed intervals after which a node is late.
pub const LATE_INTERVALS: u64 = 2;

/// The life of one node. Times are monotonic milliseconds.
#[derive(Debug, Clone)]
pub struct Liveness {
    state: State,
    heard_ms: Option<u64>,
    interval_ms: u64,
    ttl_ms: u64,
}

impl Liveness {
    /// A node in a known state that was not heard since this process began.
    pub fn new(state: State, interval_ms: u64, ttl_ms: u64) -> Self {
        Self { state, heard_ms: None, interval_ms, ttl_ms }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The promised time between reports.
    pub fn interval_ms(&self) -> u64 {
        self.interval_ms
    }

    /// The silence after which it is offline.
    pub fn ttl_ms(&self) -> u64 {
        self.ttl_ms
    }

    /// The node promises other times.
    pub fn promise(&mut self, interval_ms: u64, ttl_ms: u64) {
        self.interval_ms = interval_ms;
        self.ttl_ms = ttl_ms;
    }

    /// The node was heard.
    pub fn heard(&mut self, now_ms: u64) -> Option<Transition> {
        self.heard_ms = Some(now_ms);
        self.become_state(State::Online)
    }

    /// What the silence until now means.
    pub fn check(&mut self, now_ms: u64) -> Option<Transition> {
        let silent_ms = now_ms.saturating_sub(self.heard_ms?);
        if !matches!(self.state, State::Online | State::Late) {
            return None;
        }
        if silent_ms >= self.ttl_ms {
            self.become_state(State::Offline)
        } else if silent_ms >= self.late_after_ms() {
            self.become_state(State::Late)
        } else {
            None
        }
    }

    /// When the next change happens if the node stays silent.
    pub fn due_ms(&self) -> Option<u64> {
        let heard_ms = self.heard_ms?;
        match self.state {
            State::Online => Some(heard_ms + self.late_after_ms().min(self.ttl_ms)),
            State::Late => Some(heard_ms + self.ttl_ms),
            _ => None,
        }
    }

    fn late_after_ms(&self) -> u64 {
        // The first missed report was due after one interval, the second after two; both are missed for sure
        // when the third is due.
        self.interval_ms * (LATE_INTERVALS + 1)
    }

    fn become_state(&mut self, to: State) -> Option<Transition> {
        let from = std::mem::replace(&mut self.state, to);
        (from != to).then_some(Transition { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to(transition: Option<Transition>) -> Option<State> {
        transition.map(|t| t.to)
    }

    #[test]
    fn silence_makes_late_then_offline_and_a_word_makes_online() {
        let mut node = Liveness::new(State::Enrolling, 1_000, 15_000);
        assert_eq!(node.check(99_999), None, "never heard: nothing to be late with");
        assert_eq!(to(node.heard(100_000)), Some(State::Online));
        assert_eq!(node.due_ms(), Some(103_000));
        assert_eq!(to(node.check(102_999)), None);
        assert_eq!(to(node.check(103_000)), Some(State::Late));
        assert_eq!(to(node.check(114_999)), None);
        assert_eq!(to(node.check(115_000)), Some(State::Offline));
        assert_eq!((node.check(999_999), node.due_ms()), (None, None));
        assert_eq!(to(node.heard(200_000)), Some(State::Online));
    }

    #[test]
    fn a_slow_reporter_goes_offline_by_its_time_to_live() {
        let mut node = Liveness::new(State::Online, 60_000, 15_000);
        node.heard(0);
        assert_eq!(node.due_ms(), Some(15_000));
        assert_eq!(to(node.check(15_000)), Some(State::Offline));
    }

    proptest! {
        #[test]
        fn the_state_depends_on_the_silence_alone(
            steps in prop::collection::vec((0u64..30_000, any::<bool>()), 1..40)
        ) {
            let mut node = Liveness::new(State::Enrolling, 1_000, 15_000);
            let (mut now_ms, mut heard_ms) = (0, None);
            for (pause_ms, heard) in steps {
                now_ms += pause_ms;
                node.check(now_ms);
                if heard {
                    node.heard(now_ms);
                    heard_ms = Some(now_ms);
                }
                let expected = match heard_ms.map(|h| now_ms - h) {
                    None => State::Enrolling,
                    Some(silent) if silent >= 15_000 => State::Offline,
                    Some(silent) if silent >= 3_000 => State::Late,
                    Some(_) => State::Online,
                };
                prop_assert_eq!(node.state(), expected);
            }
        }
    }
}
