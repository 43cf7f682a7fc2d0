//! Which scenarios are active, which were, and when they end. Pure.

use std::collections::VecDeque;

use super::FaultError;
use super::parameters::Parameters;
use super::table::Scenario;

/// Ended scenarios that are remembered; the oldest is forgotten first.
pub const RECENT_MAX: usize = 50;

/// How long a scenario is active when nobody says, in seconds.
pub const DURATION_S_DEFAULT: u64 = 30;

/// The time, as the machine has it: no scenario moves it.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Wall time, unix milliseconds.
    pub unix_ms: u64,
    /// Monotonic milliseconds.
    pub monotonic_ms: u64,
}

/// Why a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its time was over.
    Expired,
    /// It was disabled.
    Disabled,
    /// All were ended.
    Reset,
    /// The hub stops.
    Drain,
    /// The actor of the scenarios crashed.
    Crashed,
}

impl Why {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Reset => "reset",
            Self::Drain => "drain",
            Self::Crashed => "crashed",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which.
    pub scenario: Scenario,
    /// What it is told.
    pub parameters: Parameters,
    /// How long it is active, in seconds, within its row.
    pub duration_s: u64,
    /// Who asks.
    pub by: String,
}

/// One run of a scenario.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its identity.
    pub id: String,
    /// Which.
    pub scenario: Scenario,
    /// What it was told.
    pub parameters: Parameters,
    /// When it began, unix milliseconds.
    pub started_ms: u64,
    /// When it ends by itself, unix milliseconds.
    pub ends_ms: u64,
    /// The same, monotonic.
    due_ms: u64,
    /// Who enabled it.
    pub started_by: String,
    /// What its metric showed before.
    pub before: u64,
    /// When it ended, unix milliseconds, and why; `None` while it is active.
    pub ended: Option<(u64, Why)>,
    /// What its metric showed then.
    pub after: Option<u64>,
}

/// Which runs are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one of this scenario's name, or with this id.
    One(String),
    /// All.
    All,
}

impl Which {
    fn means(&self, run: &Run) -> bool {
        match self {
            Self::One(text) => run.id == *text || run.scenario.row().name == text,
            Self::All => true,
        }
    }
}

/// The runs of one hub.
#[derive(Debug, Default)]
pub struct Lifecycle {
    active: Vec<Run>,
    /// Oldest first.
    recent: VecDeque<Run>,
    /// When scenarios that need a rest were last started, monotonic milliseconds.
    started: Vec<(Scenario, u64)>,
    closed: bool,
}

impl Lifecycle {
    /// Begins a run; `before` is what its metric shows. At most one of each scenario is active.
    pub fn start(&mut self, wish: Wish, id: String, before: u64, now: Now) -> Result<Run, FaultError> {
        if self.closed {
            return Err(FaultError::Draining);
        }
        let row = wish.scenario.row();
        if let Some(run) = self.active.iter().find(|run| run.scenario == wish.scenario) {
            return Err(FaultError::AlreadyActive { name: row.name, ends_ms: run.ends_ms });
        }
        let last =
            self.started.iter().find(|(scenario, _)| *scenario == wish.scenario).map(|(_, at_ms)| *at_ms);
        let rested_ms = last.map_or(u64::MAX, |at_ms| now.monotonic_ms.saturating_sub(at_ms));
        if rested_ms < row.again_after_s * 1_000 {
            return Err(FaultError::TooSoon {
                name: row.name,
                wait_ms: row.again_after_s * 1_000 - rested_ms,
            });
        }
        self.started.retain(|(scenario, _)| *scenario != wish.scenario);
        self.started.push((wish.scenario, now.monotonic_ms));
        let duration_ms = wish.duration_s.clamp(1, row.duration_s_max) * 1_000;
        let run = Run {
            id,
            scenario: wish.scenario,
            parameters: wish.parameters,
            started_ms: now.unix_ms,
            ends_ms: now.unix_ms + duration_ms,
            due_ms: now.monotonic_ms + duration_ms,
            started_by: wish.by,
            before,
            ended: None,
            after: None,
        };
        self.active.push(run.clone());
        Ok(run)
    }

    /// Ends runs. What they were is remembered.
    pub fn end(&mut self, which: &Which, why: Why, now: Now) -> Vec<Run> {
        self.end_those(|run| which.means(run), why, now)
    }

    /// Ends runs whose time is over.
    pub fn expire(&mut self, now: Now) -> Vec<Run> {
        self.end_those(|run| run.due_ms <= now.monotonic_ms, Why::Expired, now)
    }

    /// Ends all, and lets none begin any more.
    pub fn close(&mut self, now: Now) -> Vec<Run> {
        self.closed = true;
        self.end(&Which::All, Why::Drain, now)
    }

    fn end_those(&mut self, is_meant: impl Fn(&Run) -> bool, why: Why, now: Now) -> Vec<Run> {
        let (over, active) = std::mem::take(&mut self.active).into_iter().partition(is_meant);
        self.active = active;
        let mut over: Vec<Run> = over;
        for run in &mut over {
            run.ended = Some((now.unix_ms, why));
            if self.recent.len() == RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(run.clone());
        }
        over
    }

    /// Notes what the metric of a run that ended showed at the end.
    pub fn note_after(&mut self, id: &str, after: u64) {
        if let Some(run) = self.recent.iter_mut().find(|run| run.id == id) {
            run.after = Some(after);
        }
    }

    /// Takes a run back that could not take effect: it is in no list.
    pub fn take_back(&mut self, id: &str) {
        self.active.retain(|run| run.id != id);
    }

    /// Active runs, oldest first.
    pub fn active(&self) -> &[Run] {
        &self.active
    }

    /// Ended runs, newest first.
    pub fn recent(&self) -> impl Iterator<Item = &Run> {
        self.recent.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;

    fn now(ms: u64) -> Now {
        Now { unix_ms: 1_000_000 + ms, monotonic_ms: ms }
    }

    fn wish(scenario: Scenario, duration_s: u64) -> Wish {
        let parameters = Parameters::read(scenario.row().parameters, &Map::new()).unwrap();
        Wish { scenario, parameters, duration_s, by: "ann".into() }
    }

    fn start(
        lifecycle: &mut Lifecycle,
        scenario: Scenario,
        duration_s: u64,
        ms: u64,
    ) -> Result<Run, FaultError> {
        lifecycle.start(wish(scenario, duration_s), format!("{scenario:?}-{ms}"), 7, now(ms))
    }

    #[test]
    fn a_run_ends_by_itself_on_disable_and_on_reset() {
        let mut all = Lifecycle::default();
        start(&mut all, Scenario::Latency, 10, 0).unwrap();
        start(&mut all, Scenario::StoreGone, 20, 0).unwrap();
        let again = start(&mut all, Scenario::Latency, 1, 5).unwrap_err();
        assert_eq!(again, FaultError::AlreadyActive { name: "latency", ends_ms: 1_010_000 });
        assert!(all.expire(now(9_999)).is_empty());
        assert_eq!(all.expire(now(10_000)).len(), 1);
        let run = start(&mut all, Scenario::Latency, 10, 10_001).unwrap();
        let ended = all.end(&Which::One(run.id), Why::Disabled, now(10_002));
        assert_eq!(
            ended.iter().map(|run| run.ended.unwrap()).collect::<Vec<_>>(),
            [(1_010_002, Why::Disabled)]
        );
        assert!(all.end(&Which::One("latency".into()), Why::Disabled, now(10_003)).is_empty());
        assert_eq!(all.end(&Which::All, Why::Reset, now(11_000)).len(), 1);
        let told: Vec<_> = all.recent().map(|run| (run.scenario.row().name, run.ended.unwrap().1)).collect();
        let expected = [("store_gone", Why::Reset), ("latency", Why::Disabled), ("latency", Why::Expired)];
        assert_eq!(told, expected);
    }

    #[test]
    fn no_run_is_longer_than_its_row_allows() {
        let mut all = Lifecycle::default();
        let run = start(&mut all, Scenario::ExpiredTokens, u64::MAX / 2_000, 0).unwrap();
        assert_eq!(run.ends_ms - run.started_ms, 60_000);
        assert_eq!(all.expire(now(60_000)).len(), 1);
    }

    #[test]
    fn what_needs_a_rest_gets_it_however_it_ended() {
        let mut all = Lifecycle::default();
        start(&mut all, Scenario::ActorPanic, 10, 1_000).unwrap();
        all.end(&Which::All, Why::Reset, now(2_000));
        let refused = start(&mut all, Scenario::ActorPanic, 10, 3_500).unwrap_err();
        assert_eq!(refused, FaultError::TooSoon { name: "actor_panic", wait_ms: 57_500 });
        start(&mut all, Scenario::ActorPanic, 10, 61_000).unwrap();
    }

    #[test]
    fn a_hub_that_stops_begins_none() {
        let mut all = Lifecycle::default();
        start(&mut all, Scenario::HotTopic, 10, 0).unwrap();
        assert_eq!(all.close(now(1)).len(), 1);
        assert_eq!(start(&mut all, Scenario::Latency, 10, 2).unwrap_err(), FaultError::Draining);
    }

    proptest! {
        #[test]
        fn at_most_one_of_each_and_a_bounded_memory(steps in prop::collection::vec((0usize..super::super::SCENARIOS.len(), 1u64..200, 0u64..9), 0..300)) {
            let mut all = Lifecycle::default();
            let mut ms = 0;
            for (scenario, seconds, action) in steps {
                ms += seconds * 100;
                let scenario = super::super::SCENARIOS[scenario].scenario;
                match action {
                    0 => drop(all.end(&Which::All, Why::Reset, now(ms))),
                    1 => drop(all.end(&Which::One(scenario.row().name.into()), Why::Disabled, now(ms))),
                    2 => drop(all.expire(now(ms))),
                    _ => drop(start(&mut all, scenario, seconds, ms)),
                }
                let mut names: Vec<_> = all.active().iter().map(|run| run.scenario.row().name).collect();
                let many = names.len();
                names.sort_unstable();
                names.dedup();
                prop_assert_eq!(names.len(), many);
                prop_assert!(all.recent().count() <= RECENT_MAX);
                prop_assert!(all.active().iter().all(|run| run.ends_ms <= run.started_ms + 300_000));
            }
            ms += 300_000;
            all.expire(now(ms));
            prop_assert!(all.active().is_empty(), "every run ends by itself");
        }
    }
}
