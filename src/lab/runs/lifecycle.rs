//! One run from its start to its end. Pure: it is told what happened and answers what to do.
//!
//! ```text
//! opening ──▶ running ──▶ ending ──▶ keeping ──▶ over
//!    │           └───────────────────────▲
//!    └───────────────────────────────────┘
//! ```

use infrawatch_loadtest::result::Progress;

use super::figures::{Detail, Figures};
use super::lines::{Line, Outcome};
use super::run::{Status, StoredRun};

/// Time between two messages about the progress, at least, in milliseconds; what comes this much too early is let
/// through, and the next one waits for longer.
pub const TELL_INTERVAL_MS: u64 = 500;
const TELL_EARLY_MS: u64 = 100;

/// Why a run does not go on to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked for it.
    Asked,
    /// The hub stops.
    Drained,
    /// It takes longer than its plan and some.
    Late,
}

/// What to do with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Tell it to end; it may say what it has.
    Terminate,
    /// End it.
    Kill,
}

/// How the engine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// In words.
    pub how: String,
    /// What it said last on stderr.
    pub complaint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The store is asked to keep that it begins.
    Opening,
    Running,
    /// The engine is told to end.
    Ending,
    /// The store is asked to keep how it ended.
    Keeping,
}

/// A run under way.
#[derive(Debug)]
pub struct Lifecycle {
    run: StoredRun,
    stage: Stage,
    stop: Option<Stop>,
    progress: Option<Box<Progress>>,
    outcome: Option<Box<Outcome>>,
    unreadable_lines: u64,
    /// When the next message about the progress may go out.
    tell_ms: u64,
}

impl Lifecycle {
    /// A run that is not in the store yet.
    pub fn new(run: StoredRun) -> Self {
        Self {
            run,
            stage: Stage::Opening,
            stop: None,
            progress: None,
            outcome: None,
            unreadable_lines: 0,
            tell_ms: 0,
        }
    }

    /// A run whose engine is gone with the former life of the actor; or that was over then, and may not be kept yet.
    pub fn abandoned(mut run: StoredRun, why: &str, now_ms: u64) -> Self {
        run.end(Status::Failed, Some(why.to_owned()), now_ms);
        Self { stage: Stage::Keeping, ..Self::new(run) }
    }

    /// The run as it stands; figures come with its end.
    pub fn run(&self) -> &StoredRun {
        &self.run
    }

    /// Whether it is over but for the store.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Keeping
    }

    /// The store has that it begins: true when the engine is to be started, false when the run was stopped meanwhile
    /// and is over.
    pub fn opened(&mut self, now_ms: u64) -> bool {
        if self.stop.is_none() {
            self.stage = Stage::Running;
            return true;
        }
        self.close(None, now_ms);
        false
    }

    /// The engine cannot be started.
    pub fn not_started(&mut self, why: String, now_ms: u64) {
        self.run.end(Status::Failed, Some(why), now_ms);
        self.stage = Stage::Keeping;
    }

    /// The engine said something. The line is handed back when it is to be published.
    pub fn line(&mut self, text: &str, now_ms: u64) -> Option<Box<serde_json::value::RawValue>> {
        match Line::read(text) {
            Some(Line::Progress(progress, raw)) => {
                self.progress = Some(progress);
                (now_ms + TELL_EARLY_MS >= self.tell_ms).then(|| {
                    self.tell_ms = self.tell_ms.max(now_ms) + TELL_INTERVAL_MS;
                    raw
                })
            }
            Some(Line::Result(outcome)) => {
                self.outcome = Some(outcome);
                None
            }
            None => {
                self.unreadable_lines += 1;
                None
            }
        }
    }

    /// Brings what is known so far into the run as it is shown.
    pub fn show(&self, run: &mut StoredRun) {
        if let Some(progress) = &self.progress {
            run.figures = Figures::so_far(progress, self.run.figures.connections.planned);
            run.detail = Some(Detail::so_far(progress));
        }
    }

    /// Ends it before its time; what to do with the engine, if there is one.
    pub fn stop(&mut self, stop: Stop) -> Option<Order> {
        let order = match (stop, self.stage) {
            (_, Stage::Keeping) => return None,
            (_, Stage::Opening) => None,
            (Stop::Asked, Stage::Running) => Some(Order::Terminate),
            (Stop::Asked, Stage::Ending) => None,
            (Stop::Drained | Stop::Late, _) => Some(Order::Kill),
        };
        // The first reason counts.
        self.stop.get_or_insert(stop);
        if order.is_some() {
            self.stage = Stage::Ending;
        }
        order
    }

    /// The engine ended.
    pub fn exited(&mut self, exit: &Exit, now_ms: u64) {
        self.close(Some(exit), now_ms);
    }

    fn close(&mut self, exit: Option<&Exit>, now_ms: u64) {
        let planned = self.run.figures.connections.planned;
        let outcome = self.outcome.take();
        let (mut status, mut failure) = match (&outcome, exit) {
            (Some(outcome), _) => (outcome.status, outcome.failure.clone()),
            (None, exit) => (Status::Failed, exit.map(|exit| self.complaint(exit))),
        };
        match self.stop {
            Some(Stop::Asked) => (status, failure) = (Status::Cancelled, None),
            Some(Stop::Drained) => {
                (status, failure) = (Status::Cancelled, Some("the hub was stopped".to_owned()));
            }
            Some(Stop::Late) => {
                (status, failure) =
                    (Status::Failed, Some("it took much longer than planned and was ended".to_owned()));
            }
            None => {}
        }
        let known = match outcome {
            Some(outcome) => Some((outcome.figures, outcome.detail)),
            None => self
                .progress
                .take()
                .map(|progress| (Figures::so_far(&progress, planned), Detail::so_far(&progress))),
        };
        if let Some((figures, detail)) = known {
            // Of a run that was cut short nobody knows who would have got everything.
            let success_rate = figures.success_rate.filter(|_| self.stop.is_none());
            self.run.figures = Figures { success_rate, ..figures };
            self.run.detail = Some(detail);
        }
        self.run.end(status, failure, now_ms);
        self.stage = Stage::Keeping;
    }

    fn complaint(&self, exit: &Exit) -> String {
        let Exit { how, complaint } = exit;
        let mut text = format!("the load test ended without a result ({how})");
        if self.unreadable_lines > 0 {
            text.push_str(&format!(", after {} lines that cannot be read", self.unreadable_lines));
        }
        if !complaint.is_empty() {
            text.push_str(": ");
            text.push_str(complaint);
        }
        text
    }
}

#[cfg(test)]
mod tests;
