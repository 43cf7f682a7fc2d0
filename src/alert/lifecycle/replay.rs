//! Where a history leads to.

use super::super::entity::{State, Transition};
use super::may_step;

/// What a history leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Where the alert is.
    pub state: State,
    /// When it fired, Unix milliseconds.
    pub fired_at_ms: Option<u64>,
    /// Who acknowledged it, and when.
    pub acknowledged: Option<(String, u64)>,
    /// Who resolved it, and when.
    pub resolved: Option<(String, u64)>,
    /// Why it is in its state.
    pub reason: String,
}

/// Goes through a history, oldest first. `None` when it is none: empty, with a gap, or with a step that no life has.
pub fn replay<'a>(history: impl IntoIterator<Item = &'a Transition>) -> Option<Replayed> {
    let mut replayed: Option<Replayed> = None;
    for Transition { at_ms, from, to, actor, reason, .. } in history {
        if replayed.as_ref().map(|before| before.state) != *from || !may_step(*from, *to) {
            return None;
        }
        let mut now = replayed.take().unwrap_or_else(|| Replayed {
            state: *to,
            fired_at_ms: None,
            acknowledged: None,
            resolved: None,
            reason: String::new(),
        });
        now.state = *to;
        now.reason.clone_from(reason);
        let by = || Some((actor.clone(), *at_ms));
        match to {
            State::Pending => {}
            State::Firing => now.fired_at_ms = Some(*at_ms),
            State::Suppressed => now.fired_at_ms = now.fired_at_ms.or(Some(*at_ms)),
            State::Acknowledged => now.acknowledged = by(),
            State::Resolved => now.resolved = by(),
        }
        replayed = Some(now);
    }
    replayed
}
