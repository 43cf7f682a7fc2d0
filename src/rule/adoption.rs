//! How an evaluation goes on from the alerts that are open, which are the truth about what was told: its own saved state
//! may be older, or gone. Pure.

use super::cell::Cell;
use super::checked::Rule;
use super::evaluator::Evaluator;
use super::series::Series;
use super::timer::Phase;
use crate::alert::fingerprint;

/// An open alert of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// That of the alert, see [`Rule::fingerprint`] and [`Rule::silence_fingerprint`].
    pub fingerprint: String,
    /// Pending or firing.
    pub phase: Phase,
    /// Since when the condition holds, Unix milliseconds.
    pub since_ms: u64,
}

impl Rule {
    /// What makes a further breach of a series the same alert.
    pub fn fingerprint(&self, series: &Series) -> String {
        fingerprint::of_rule(self.id(), pairs(series))
    }

    /// What makes a further silence of a series the same alert, which is another than that of its breaches.
    pub fn silence_fingerprint(&self, series: &Series) -> String {
        fingerprint::of_silence(self.id(), pairs(series))
    }

    fn id(&self) -> &str {
        self.definition().id.as_deref().unwrap_or_default()
    }
}

fn pairs(series: &Series) -> impl Iterator<Item = (&str, &str)> {
    series.labels().iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

impl Evaluator {
    /// Takes up open alerts after [`Evaluator::restore`]. A series is at least as far as its alert; one that is not known
    /// is when it comes.
    pub fn adopt(&mut self, open: impl IntoIterator<Item = Adopted>) {
        self.awaited = open.into_iter().map(|one| (one.fingerprint.clone(), one)).collect();
        if self.awaited.is_empty() {
            return;
        }
        let mut cells = std::mem::take(&mut self.cells);
        for (key, cell) in &mut cells {
            self.resume(&key.0, cell);
        }
        self.cells = cells;
        self.due_ms = Some(0);
    }

    /// A series that is there takes up its open alerts.
    pub(super) fn resume(&mut self, series: &Series, cell: &mut Cell) {
        if self.awaited.is_empty() {
            return;
        }
        if let Some(open) = self.awaited.remove(&self.rule.fingerprint(series))
            && cell.clock.phase < open.phase
        {
            cell.clock.resume(open.phase, open.since_ms);
            // It was opened by a sample of that time; those before led to it, should they come again.
            cell.seen_ms = cell.seen_ms.max(Some(open.since_ms));
        }
        if self.rule.alerts_on_silence()
            && let Some(open) = self.awaited.remove(&self.rule.silence_fingerprint(series))
        {
            cell.clock.resume_silence(open.since_ms);
        }
    }

    /// Fingerprints of open alerts whose series did not come yet.
    pub fn awaited(&self) -> impl Iterator<Item = &str> {
        self.awaited.keys().map(String::as_str)
    }

    /// They are waited for no more.
    pub fn give_up_awaited(&mut self) -> Vec<String> {
        std::mem::take(&mut self.awaited).into_keys().collect()
    }
}
