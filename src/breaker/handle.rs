//! The breakers of a hub, as everybody sees them. Letting a call through a closed one is an atomic load, its
//! success an atomic addition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::state::{Breaker, Pass, Shut, State};
use super::table::Subsystem;
use super::window::Tally;
use crate::clock::Clock;
use crate::config::BreakerSection;
use crate::telemetry::{Counter, Gauge};

/// Changes that wait to be told; more at once than breakers can make in any sensible time.
const CHANGES_MAX: usize = 256;

/// A breaker refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is degraded; {}", .subsystem.name(), wait_words(*.retry_after_ms))]
pub struct Refused {
    /// Whose.
    pub subsystem: Subsystem,
    /// When to try again; `None` when somebody must reset it.
    pub retry_after_ms: Option<u64>,
}

/// How long to wait when nobody knows, in milliseconds: somebody opened it by hand.
const FORCED_RETRY_MS: u64 = 5_000;

fn wait_words(retry_after_ms: Option<u64>) -> String {
    match retry_after_ms {
        Some(ms) => format!("try again in {} s", ms.div_ceil(1_000)),
        None => "it was switched off until an operator recovers it".to_owned(),
    }
}

impl Refused {
    /// How long a caller should wait in any case.
    pub fn wait_ms(&self) -> u64 {
        self.retry_after_ms.unwrap_or(FORCED_RETRY_MS)
    }
}

/// A breaker changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub subsystem: Subsystem,
    /// What it is now.
    pub state: State,
    /// Whether it stays open until it is reset.
    pub forced: bool,
    /// When, unix milliseconds.
    pub unix_ms: u64,
    /// Why.
    pub reason: String,
}

/// One breaker at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The last change.
    pub change: Change,
    /// When to try again, while it is open by itself.
    pub retry_after_ms: Option<u64>,
    /// Calls within the window.
    pub tally: Tally,
    /// How often it opened.
    pub opened: u64,
    /// Calls it did not let through.
    pub refused: u64,
}

/// All breakers. Cheap to clone.
#[derive(Clone)]
pub struct Breakers(Arc<Shared>);

struct Shared {
    guards: [Guard; 4],
    settings: BreakerSection,
    clock: Clock,
    changes: Mutex<VecDeque<Change>>,
    changed: Notify,
}

struct Guard {
    subsystem: Subsystem,
    /// Copy of the state, for those who only look.
    state: AtomicU8,
    /// Successes that the breaker has not counted yet.
    good: AtomicU64,
    refused: AtomicU64,
    opened: AtomicU64,
    breaker: Mutex<(Breaker, Change)>,
}

impl Breakers {
    /// Closed breakers.
    pub fn new(settings: &BreakerSection, clock: &Clock) -> Self {
        let guards = Subsystem::ALL.map(|subsystem| {
            let breaker = Breaker::new(settings.clone(), clock.monotonic_ms());
            Gauge::BreakerState.set_for(subsystem.name(), 0);
            let change = Change {
                subsystem,
                state: State::Closed,
                forced: false,
                unix_ms: clock.unix_ms(),
                reason: breaker.reason().to_string(),
            };
            Guard {
                subsystem,
                state: AtomicU8::new(State::Closed as u8),
                good: AtomicU64::new(0),
                refused: AtomicU64::new(0),
                opened: AtomicU64::new(0),
                breaker: Mutex::new((breaker, change)),
            }
        });
        Self(Arc::new(Shared {
            guards,
            settings: settings.clone(),
            clock: clock.clone(),
            changes: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// The settings.
    pub fn settings(&self) -> &BreakerSection {
        &self.0.settings
    }

    /// Asks for a call to go through. Its verdict belongs into the [`Call`].
    pub fn enter(&self, subsystem: Subsystem) -> Result<Call<'_>, Refused> {
        let guard = self.guard(subsystem);
        if guard.state.load(Ordering::Relaxed) == State::Closed as u8 {
            return Ok(Call { breakers: self, guard, pass: None });
        }
        let entered = self.with(guard, |breaker, now_ms| breaker.enter(now_ms));
        match entered {
            Ok(pass) => Ok(Call { breakers: self, guard, pass: Some(pass) }),
            Err(Shut { retry_after_ms }) => {
                guard.refused.fetch_add(1, Ordering::Relaxed);
                Counter::BreakerRefused.add_for(subsystem.name(), 1);
                Err(Refused { subsystem, retry_after_ms })
            }
        }
    }

    /// Whether calls go through; says nothing about probes.
    pub fn is_closed(&self, subsystem: Subsystem) -> bool {
        self.guard(subsystem).state.load(Ordering::Relaxed) == State::Closed as u8
    }

    /// Verdicts of work that is always done, whatever the breaker says.
    pub fn observe(&self, subsystem: Subsystem, good: u64, bad: u64) {
        let guard = self.guard(subsystem);
        if bad == 0 && guard.state.load(Ordering::Relaxed) == State::Closed as u8 {
            guard.good.fetch_add(good, Ordering::Relaxed);
        } else if good + bad > 0 {
            self.with(guard, |breaker, now_ms| breaker.observe(now_ms, good, bad));
        }
    }

    /// Opens a breaker until it is reset.
    pub fn degrade(&self, subsystem: Subsystem, by: &str) {
        self.with(self.guard(subsystem), |breaker, now_ms| breaker.degrade(now_ms, by.into()));
    }

    /// Closes a breaker; false when it was closed.
    pub fn recover(&self, subsystem: Subsystem, by: &str) -> bool {
        self.with(self.guard(subsystem), |breaker, now_ms| breaker.recover(now_ms, by.into()))
    }

    /// Time passes; counts what was good since the last time.
    pub fn tick(&self) {
        for guard in &self.0.guards {
            self.with(guard, |breaker, now_ms| breaker.tick(now_ms));
        }
    }

    /// All breakers, in the order of the table.
    pub fn views(&self) -> Vec<View> {
        self.0.guards.iter().map(|guard| self.view(guard)).collect()
    }

    /// One breaker.
    pub fn one(&self, subsystem: Subsystem) -> View {
        self.view(self.guard(subsystem))
    }

    /// Resolves when there are changes to take.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The changes since the last time, oldest first.
    pub fn take_changes(&self) -> Vec<Change> {
        self.0.changes.lock().drain(..).collect()
    }

    /// Changes that could not be told: they are taken first the next time.
    pub fn put_back(&self, untold: Vec<Change>) {
        let mut changes = self.0.changes.lock();
        for change in untold.into_iter().rev() {
            changes.push_front(change);
        }
    }

    fn guard(&self, subsystem: Subsystem) -> &Guard {
        &self.0.guards[subsystem as usize]
    }

    fn view(&self, guard: &Guard) -> View {
        let (change, retry_after_ms, tally) = {
            let now_ms = self.0.clock.monotonic_ms();
            let mut inner = guard.breaker.lock();
            fold(guard, &mut inner.0, now_ms);
            (inner.1.clone(), inner.0.retry_after_ms(now_ms), inner.0.counted(now_ms))
        };
        let count = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        View { change, retry_after_ms, tally, opened: count(&guard.opened), refused: count(&guard.refused) }
    }

    /// Does something to a breaker, and notes what it changed.
    fn with<T>(&self, guard: &Guard, work: impl FnOnce(&mut Breaker, u64) -> T) -> T {
        let now_ms = self.0.clock.monotonic_ms();
        let mut inner = guard.breaker.lock();
        fold(guard, &mut inner.0, now_ms);
        let result = work(&mut inner.0, now_ms);
        let breaker = &inner.0;
        let (state, forced, reason) = (breaker.state(), breaker.is_forced(), breaker.reason().to_string());
        if (state, forced) == (inner.1.state, inner.1.forced) {
            return result;
        }
        let unix_ms = self.0.clock.unix_ms();
        let change = Change { subsystem: guard.subsystem, state, forced, unix_ms, reason };
        tracing::warn!(
            subsystem = guard.subsystem.name(),
            state = state.as_str(),
            reason = change.reason,
            "breaker changed"
        );
        if state == State::Open && inner.1.state != State::Open {
            guard.opened.fetch_add(1, Ordering::Relaxed);
            Counter::BreakerOpened.add_for(guard.subsystem.name(), 1);
        }
        Gauge::BreakerState.set_for(guard.subsystem.name(), state as u64);
        guard.good.store(0, Ordering::Relaxed);
        guard.state.store(state as u8, Ordering::Relaxed);
        inner.1 = change.clone();
        // Noted under the breaker's lock, so that changes are told in their order.
        let mut changes = self.0.changes.lock();
        if changes.len() == CHANGES_MAX {
            changes.pop_front();
            Counter::Dropped.add_for("breaker_change", 1);
        }
        changes.push_back(change);
        drop(changes);
        self.0.changed.notify_one();
        result
    }
}

/// Counts the successes that were only added up so far.
fn fold(guard: &Guard, breaker: &mut Breaker, now_ms: u64) {
    let good = guard.good.swap(0, Ordering::Relaxed);
    if good > 0 && breaker.state() == State::Closed {
        breaker.observe(now_ms, good, 0);
    }
}

/// A call that goes through. Dropped without a verdict it does not count.
#[must_use = "its verdict tells the breaker how the subsystem does"]
pub struct Call<'a> {
    breakers: &'a Breakers,
    guard: &'a Guard,
    /// `None` while the breaker is closed.
    pass: Option<Pass>,
}

impl Call<'_> {
    /// It worked.
    pub fn succeeded(mut self) {
        if let Some(pass) = self.pass.take() {
            self.breakers.with(self.guard, |breaker, now_ms| breaker.verdict(now_ms, pass, true));
        } else {
            self.guard.good.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// It failed, and not by its caller's fault.
    pub fn failed(mut self) {
        let pass = self.pass.take();
        self.breakers.with(self.guard, |breaker, now_ms| match pass {
            Some(pass) => breaker.verdict(now_ms, pass, false),
            // It began while the breaker was closed; by now it may be open, which counts nothing.
            None if breaker.state() == State::Closed => breaker.observe(now_ms, 0, 1),
            None => {}
        });
    }

    /// It is under way, and its verdict comes by [`Breakers::observe`].
    pub fn sent(mut self) {
        self.pass = None;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.breakers.with(self.guard, |breaker, _now_ms| breaker.give_back(pass));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breakers() -> (Breakers, crate::clock::ManualClock) {
        let (clock, hand) = Clock::manual(1_000);
        (Breakers::new(&BreakerSection::default(), &clock), hand)
    }

    #[test]
    fn failures_open_one_breaker_and_probes_close_it() {
        let (breakers, hand) = breakers();
        for _ in 0..10 {
            breakers.enter(Subsystem::Events).unwrap().succeeded();
            breakers.enter(Subsystem::Events).unwrap().failed();
        }
        let refused = breakers.enter(Subsystem::Events).err().unwrap();
        assert_eq!(refused.to_string(), "events is degraded; try again in 30 s");
        assert!(breakers.enter(Subsystem::Alerts).is_ok(), "one's own trouble");
        hand.advance_ms(30_000);
        breakers.tick();
        let probes: Vec<_> = (0..3).map(|_| breakers.enter(Subsystem::Events).unwrap()).collect();
        assert!(breakers.enter(Subsystem::Events).is_err());
        probes.into_iter().for_each(Call::succeeded);
        let told: Vec<_> = breakers.take_changes().into_iter().map(|c| (c.subsystem, c.state)).collect();
        let events = [State::Open, State::HalfOpen, State::Closed].map(|state| (Subsystem::Events, state));
        assert_eq!(told, events);
        let view = breakers.one(Subsystem::Events);
        assert_eq!((view.opened, view.refused), (1, 2));
    }

    #[test]
    fn successes_count_in_the_window_in_which_they_happened() {
        let (breakers, hand) = breakers();
        for _ in 0..1_000 {
            breakers.enter(Subsystem::Events).unwrap().succeeded();
        }
        breakers.tick();
        hand.advance_ms(20_000);
        for _ in 0..20 {
            breakers.enter(Subsystem::Events).unwrap().failed();
        }
        assert!(!breakers.is_closed(Subsystem::Events), "what was good long ago excuses nothing");
    }

    #[test]
    fn a_probe_without_a_verdict_gives_its_place_back() {
        let (breakers, hand) = breakers();
        breakers.observe(Subsystem::Store, 0, 20);
        hand.advance_ms(30_000);
        for _ in 0..10 {
            drop(breakers.enter(Subsystem::Store).unwrap());
        }
        for _ in 0..3 {
            breakers.enter(Subsystem::Store).unwrap().sent();
        }
        assert!(breakers.enter(Subsystem::Store).is_err());
        breakers.observe(Subsystem::Store, 3, 0);
        assert!(breakers.is_closed(Subsystem::Store));
    }

    #[test]
    fn forced_open_says_that_only_recover_helps() {
        let (breakers, hand) = breakers();
        breakers.degrade(Subsystem::Streaming, "ann");
        hand.advance_ms(1 << 40);
        breakers.tick();
        let refused = breakers.enter(Subsystem::Streaming).err().unwrap();
        assert_eq!((refused.retry_after_ms, refused.wait_ms()), (None, 5_000));
        assert!(refused.to_string().contains("until an operator recovers it"));
        assert!(breakers.recover(Subsystem::Streaming, "ann") && !breakers.recover(Subsystem::Alerts, "ann"));
        assert!(breakers.enter(Subsystem::Streaming).is_ok());
    }
}
