//! How an evaluation goes on from the alerts that are open, which are the truth about what was told: its own saved state
//! may be older, or gone. Pure.

use super::checked::Rule;
use super::evaluator::Evaluator;
use super::series::Series;
use super::timer::Phase;
use crate::alert::fingerprint;

/// An open alert of the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// That of the alert, see [`Rule::fingerprint`].
    pub fingerprint: String,
    /// Pending or firing.
    pub phase: Phase,
    /// Since when the condition holds, Unix milliseconds.
    pub since_ms: u64,
}

impl Rule {
    /// What makes a further breach of a series the same alert.
    pub fn fingerprint(&self, series: &Series) -> String {
        let labels = series.labels().iter().map(|(name, value)| (name.as_str(), value.as_str()));
        fingerprint::of_rule(self.definition().id.as_deref().unwrap_or_default(), labels)
    }
}

impl Evaluator {
    /// Takes up open alerts after [`Evaluator::restore`]. A series is at least as far as its alert; one that is not known
    /// is when it comes.
    pub fn adopt(&mut self, open: impl IntoIterator<Item = Adopted>) {
        self.awaited = open.into_iter().map(|one| (one.fingerprint, (one.phase, one.since_ms))).collect();
        if self.awaited.is_empty() {
            return;
        }
        for (key, cell) in &mut self.cells {
            let Some((phase, since_ms)) = self.awaited.remove(&self.rule.fingerprint(&key.0)) else {
                continue;
            };
            if cell.clock.phase < phase {
                cell.clock.resume(phase, since_ms);
            }
        }
        self.due_ms = Some(0);
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
