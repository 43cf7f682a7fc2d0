//! Alerts that come and go: too many steps within a window, and they are held back until they have been quiet for as
//! long.

use std::collections::VecDeque;

/// When an alert flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapLimit {
    /// Steps within the window from which on it does; at least 2.
    pub transitions: u32,
    /// The window, milliseconds.
    pub window_ms: u64,
}

/// The most steps that are remembered of one alert.
pub const TRANSITIONS_MAX: u32 = 64;

impl Default for FlapLimit {
    /// 6 in 10 minutes.
    fn default() -> Self {
        Self { transitions: 6, window_ms: 600_000 }
    }
}

/// The steps of one fingerprint, and whether it is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flapping {
    at_ms: VecDeque<u64>,
    held: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flap {
    /// Hold the alert back; why, in words.
    Hold(String),
    /// It was quiet for a whole window: let it go.
    Release,
}

impl Flapping {
    /// Its condition began or ceased to hold. Returns what changes by that.
    pub fn step(&mut self, limit: &FlapLimit, now_ms: u64) -> Option<Flap> {
        self.forget(limit, now_ms);
        if self.at_ms.len() >= TRANSITIONS_MAX as usize {
            self.at_ms.pop_front();
        }
        self.at_ms.push_back(now_ms);
        let enough = self.at_ms.len() >= limit.transitions.clamp(2, TRANSITIONS_MAX) as usize;
        if !enough || self.held {
            return None;
        }
        self.held = true;
        Some(Flap::Hold(self.reason(limit)))
    }

    /// Time passed. Returns what changes by that.
    pub fn tick(&mut self, limit: &FlapLimit, now_ms: u64) -> Option<Flap> {
        self.forget(limit, now_ms);
        if !self.held || !self.at_ms.is_empty() {
            return None;
        }
        self.held = false;
        Some(Flap::Release)
    }

    /// Whether it is held back.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether nothing of it needs to be remembered.
    pub fn is_quiet(&self) -> bool {
        !self.held && self.at_ms.is_empty()
    }

    /// When [`Flapping::tick`] may change something, Unix milliseconds.
    pub fn due_ms(&self, limit: &FlapLimit) -> Option<u64> {
        self.at_ms.back().map(|last_ms| last_ms.saturating_add(limit.window_ms))
    }

    /// In words, e.g. `flapping, 7 transitions in 10 min`.
    pub fn reason(&self, limit: &FlapLimit) -> String {
        let window = match limit.window_ms / 1_000 {
            seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        };
        format!("flapping, {} transitions in {window}", self.at_ms.len())
    }

    fn forget(&mut self, limit: &FlapLimit, now_ms: u64) {
        while self.at_ms.front().is_some_and(|at_ms| at_ms.saturating_add(limit.window_ms) <= now_ms) {
            self.at_ms.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: FlapLimit = FlapLimit { transitions: 3, window_ms: 600_000 };

    #[test]
    fn too_many_steps_hold_it_and_a_quiet_window_lets_it_go() {
        let mut flapping = Flapping::default();
        assert_eq!((flapping.step(&LIMIT, 0), flapping.step(&LIMIT, 1_000)), (None, None));
        let held = flapping.step(&LIMIT, 599_999);
        assert_eq!(held, Some(Flap::Hold("flapping, 3 transitions in 10 min".into())));
        assert_eq!((flapping.step(&LIMIT, 600_500), flapping.is_held()), (None, true), "held once");
        assert_eq!(flapping.due_ms(&LIMIT), Some(1_200_500));
        assert_eq!(flapping.tick(&LIMIT, 1_200_499), None);
        assert_eq!(flapping.tick(&LIMIT, 1_200_500), Some(Flap::Release));
        assert_eq!((flapping.tick(&LIMIT, 1_200_500), flapping.is_quiet()), (None, true));
    }

    #[test]
    fn slow_steps_are_no_flapping_and_memory_is_bounded() {
        let mut flapping = Flapping::default();
        for n in 0..100 {
            assert_eq!(flapping.step(&LIMIT, n * 300_000), None, "{n}");
        }
        let all = FlapLimit { transitions: 1_000, ..LIMIT };
        let holds = (0..1_000).filter(|n| flapping.step(&all, 30_000_000 + n).is_some()).count();
        assert_eq!((holds, flapping.at_ms.len()), (1, TRANSITIONS_MAX as usize));
        let seconds = FlapLimit { window_ms: 90_000, ..LIMIT };
        assert!(flapping.reason(&seconds).ends_with("in 90 s"));
    }
}
