//! Faults of actors: which are to panic, and which do not get a turn. Supervisors ask before they poll.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::covers;

/// Where in its life an actor panics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the handler of a message, which goes through the mailbox like any other.
    Handler,
    /// In a `run_later` callback.
    Timer,
    /// When it is started, just before its `started`.
    Started,
    /// In `restarting`, before it is rebuilt.
    Restarting,
}

/// The faults of actors that are still to happen in one hub.
#[derive(Debug, Default)]
pub struct ActorFaults {
    panics: Mutex<Vec<Panic>>,
    hung: Mutex<Vec<Hung>>,
    /// How many of both; spares every poll the locks while there are none.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Panic {
    kind: String,
    instance: String,
    phase: Phase,
    times: u32,
}

#[derive(Debug)]
struct Hung {
    kind: String,
    instance: String,
}

impl ActorFaults {
    /// Whether any are due.
    pub fn is_on(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Actors of `kind` whose instance matches (a name, `*` or `prefix*`) are to panic in `phase`, `times` times
    /// in all.
    pub fn arm(&self, kind: &str, instance: &str, phase: Phase, times: u32) {
        let panic = Panic { kind: kind.into(), instance: instance.into(), phase, times };
        self.panics.lock().push(panic);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Uses up one panic of this phase for an actor, if one is armed.
    pub fn is_due(&self, kind: &str, instance: &str, phase: Phase) -> bool {
        if !self.is_on() {
            return false;
        }
        let mut panics = self.panics.lock();
        let fits =
            |panic: &Panic| panic.phase == phase && panic.kind == kind && covers(&panic.instance, instance);
        let Some(at) = panics.iter().position(fits) else { return false };
        let Some(panic) = panics.get_mut(at) else { return false };
        panic.times = panic.times.saturating_sub(1);
        if panic.times == 0 {
            panics.swap_remove(at);
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
        true
    }

    /// Actors of `kind` whose instance matches get no turn from now on.
    pub fn hang(&self, kind: &str, instance: &str) {
        self.hung.lock().push(Hung { kind: kind.into(), instance: instance.into() });
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether an actor gets no turn.
    pub fn is_hung(&self, kind: &str, instance: &str) -> bool {
        let hangs = |hung: &Hung| hung.kind == kind && covers(&hung.instance, instance);
        self.is_on() && self.hung.lock().iter().any(hangs)
    }

    /// Actors that got no turn get theirs again; their supervisors must be woken.
    pub fn release(&self) {
        let mut hung = self.hung.lock();
        self.count.fetch_sub(hung.len(), Ordering::AcqRel);
        hung.clear();
    }

    /// Takes back all panics that have not happened. Returns how often they still would have.
    pub fn disarm(&self) -> u32 {
        let mut panics = self.panics.lock();
        self.count.fetch_sub(panics.len(), Ordering::AcqRel);
        panics.drain(..).map(|panic| panic.times).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_used_up_by_whom_it_names_and_taken_back_by_disarm() {
        let faults = ActorFaults::default();
        assert!(!faults.is_due("topic", "a", Phase::Handler));
        faults.arm("topic", "a*", Phase::Handler, 2);
        faults.arm("room", "b", Phase::Timer, 3);
        assert!(!faults.is_due("topic", "b", Phase::Handler) && !faults.is_due("topic", "a", Phase::Timer));
        assert!(faults.is_due("topic", "a", Phase::Handler) && faults.is_due("topic", "ab", Phase::Handler));
        assert!(!faults.is_due("topic", "a", Phase::Handler), "used up");
        assert_eq!((faults.disarm(), faults.is_on()), (3, false));
    }

    #[test]
    fn who_hangs_is_released_by_release_and_by_nothing_else() {
        let faults = ActorFaults::default();
        faults.hang("topic", "a");
        assert_eq!(faults.disarm(), 0);
        assert!(
            faults.is_hung("topic", "a") && !faults.is_hung("topic", "b") && !faults.is_hung("room", "a")
        );
        faults.release();
        assert!(!faults.is_hung("topic", "a") && !faults.is_on());
    }
}
