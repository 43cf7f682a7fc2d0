//! All rules: what they are, and the way of samples to their actors.

mod directory;
mod tenure;
mod writing;

pub use directory::{DirectoryError, RuleDirectory};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::RuleError;
use super::actor::{Explain, RuleActor, Samples, Tenure, Tick};
use super::checked::Rule;
use super::definition::Definition;
use super::feed::Feed;
use super::handover::Handover;
use super::index::Index;
use super::step::Explanation;
use super::view::{RuleView, Standing};
use crate::alert::Alerts;
use crate::clock::Clock;
use crate::ids::NodeName;
use crate::store::{Column, RuleRecord, Store};
use crate::supervision::{Inbox, Refused, Tree};
use crate::telemetry::{Cause, Counter};

/// How long a question to a rule may take, in milliseconds.
const ASK_MS_MAX: u64 = 2_000;

/// What rules are made of.
pub struct RulesArgs {
    /// Starts them.
    pub tree: Tree,
    /// Keeps them.
    pub store: Store,
    /// Is told what they say.
    pub alerts: Alerts,
    /// How samples reach the hub node that evaluates them; `None` for a hub alone.
    pub handover: Option<Handover>,
    /// Most rules.
    pub rules_max: usize,
    /// Time.
    pub clock: Clock,
}

/// The directory of rules. Cheap to clone.
#[derive(Clone)]
pub struct Rules(Arc<Shared>);

struct Shared {
    entries: RwLock<BTreeMap<String, Entry>>,
    /// Counts changes of the entries.
    generation: AtomicU64,
    /// Made anew when a batch comes and the entries changed.
    watched: RwLock<Arc<Watched>>,
    /// `None`: another hub node evaluates rules. Changed with the entries locked.
    tenure: RwLock<Option<Arc<Tenure>>>,
    /// Silence counts from then on, Unix milliseconds: before, samples of other hub nodes were not heard.
    heard_ms: AtomicU64,
    /// Held while rules are written: what is in force is what was written last.
    writing: tokio::sync::Mutex<()>,
    args: RulesArgs,
}

struct Entry {
    record: RuleRecord,
    definition: Definition,
    /// `None`: the store has what is no rule of this version.
    rule: Option<Arc<Rule>>,
    standing: Arc<Standing>,
    /// While it is evaluated.
    inbox: Option<Inbox<RuleActor>>,
}

impl Entry {
    fn view(&self) -> RuleView {
        RuleView::of(self.definition.clone(), &self.record, self.standing.live())
    }
}

/// The rules that are evaluated, by number.
#[derive(Default)]
struct Watched {
    generation: u64,
    index: Index,
    rules: Vec<(Inbox<RuleActor>, Arc<Standing>)>,
}

impl Rules {
    /// A directory without rules, until [`Rules::begin`].
    pub fn new(args: RulesArgs) -> Self {
        Self(Arc::new(Shared {
            entries: RwLock::default(),
            generation: AtomicU64::new(0),
            watched: RwLock::default(),
            tenure: RwLock::default(),
            heard_ms: AtomicU64::new(0),
            writing: tokio::sync::Mutex::default(),
            args,
        }))
    }

    /// One rule, if it is known here.
    pub fn one(&self, id: &str) -> Option<RuleView> {
        self.0.entries.read().get(id).map(Entry::view)
    }

    /// One rule.
    ///
    /// # Errors
    ///
    /// [`RuleError::NotFound`]; [`RuleError::NotOwner`] when another hub node knows rules.
    pub fn find(&self, id: &str) -> Result<RuleView, RuleError> {
        self.served()?;
        self.one(id).ok_or(RuleError::NotFound)
    }

    /// Rules by id, at most `limit`, those behind `after` when it is given, that `is_wanted` lets through.
    pub fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        is_wanted: impl Fn(&Definition) -> bool,
    ) -> Result<Vec<RuleView>, RuleError> {
        self.served()?;
        let entries = self.0.entries.read();
        let after = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let behind = entries.range::<str, _>((after, std::ops::Bound::Unbounded));
        let wanted = behind.map(|(_, entry)| entry).filter(|entry| is_wanted(&entry.definition));
        Ok(wanted.take(limit).map(Entry::view).collect())
    }

    /// The checked form of a rule.
    pub fn checked(&self, id: &str) -> Option<Arc<Rule>> {
        self.0.entries.read().get(id).and_then(|entry| entry.rule.clone())
    }

    /// Where all series of a rule are, and why; none when it is not evaluated.
    pub async fn explain(&self, id: &str) -> Result<Vec<Explanation>, RuleError> {
        self.served()?;
        let inbox = {
            let entries = self.0.entries.read();
            entries.get(id).ok_or(RuleError::NotFound)?.inbox.clone()
        };
        let Some(inbox) = inbox.filter(|inbox| !inbox.is_closed()) else { return Ok(Vec::new()) };
        let asked = inbox.ask(Explain, &Cause::own(), Duration::from_millis(ASK_MS_MAX)).await;
        asked.map_err(|_silent| RuleError::Overloaded)
    }

    /// Hands the samples of one moment of a node to the rules that want them, on whichever hub node they are evaluated.
    /// Waits for nobody: what a full mailbox does not take is dropped and counted. `feed` belongs to the node; NaN is no
    /// sample.
    pub fn offer(
        &self,
        feed: &mut Feed,
        source: (&NodeName, &BTreeMap<String, String>),
        moment: (u64, &Arc<[Column]>, &[f64]),
        cause: &Cause,
    ) {
        let handover = self.0.args.handover.as_ref();
        let (at_ms, columns, values) = moment;
        if handover.is_none_or(|handover| handover.hand_over(source, (at_ms, columns, values))) {
            self.evaluate(feed, source, moment, cause, true);
        }
    }

    /// Hands them to the rules that are evaluated here. `false`: a mailbox was full, which is counted when that is wished.
    pub(super) fn evaluate(
        &self,
        feed: &mut Feed,
        (node, labels): (&NodeName, &BTreeMap<String, String>),
        (at_ms, columns, values): (u64, &Arc<[Column]>, &[f64]),
        cause: &Cause,
        is_counted: bool,
    ) -> bool {
        let watched = self.watched();
        if watched.rules.is_empty() {
            return true;
        }
        let mut is_taken = true;
        let arrived_us = self.0.args.clock.monotonic_us();
        let plan = feed.plan((watched.generation, &watched.index), node.as_str(), labels, columns);
        for (number, wanted) in plan.iter() {
            let Some((inbox, standing)) = watched.rules.get(*number) else { continue };
            let sampled = wanted.iter().filter_map(|(column, series)| {
                values.get(*column).filter(|value| !value.is_nan()).map(|value| (series.clone(), *value))
            });
            let values: Vec<_> = sampled.collect();
            let count = values.len() as u64;
            if count == 0 {
                continue;
            }
            match inbox.try_send(Samples { at_ms, values, arrived_us }, cause) {
                // One that ended is not waited for.
                Ok(()) | Err(Refused::Closed(_)) => {}
                Err(Refused::Full(_)) => {
                    is_taken = false;
                    if is_counted {
                        standing.dropped.fetch_add(count, Ordering::Relaxed);
                        Counter::RuleSamplesDropped.add(count);
                    }
                }
            }
        }
        is_taken
    }

    /// Silence counts from now on only: samples of other hub nodes are not heard.
    pub(super) fn hears_from(&self, now_ms: u64) {
        self.0.heard_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    fn watched(&self) -> Arc<Watched> {
        let watched = self.0.watched.read().clone();
        if watched.generation == self.0.generation.load(Ordering::Acquire) {
            return watched;
        }
        let mut slot = self.0.watched.write();
        // Read before the entries are: what changes meanwhile is seen by the next.
        let generation = self.0.generation.load(Ordering::Acquire);
        if slot.generation != generation {
            let entries = self.0.entries.read();
            let running: Vec<_> = entries
                .values()
                .filter_map(|entry| Some((entry.rule.as_ref()?, entry.inbox.as_ref()?, &entry.standing)))
                .collect();
            let index = Index::new(running.iter().enumerate().map(|(at, (rule, _, _))| (at, &***rule)));
            let rules =
                running.iter().map(|(_, inbox, standing)| ((*inbox).clone(), (*standing).clone())).collect();
            *slot = Arc::new(Watched { generation, index, rules });
        }
        slot.clone()
    }

    /// Lets time pass for the rules for which it matters.
    pub(super) fn tick(&self) {
        let (watched, now_ms) = (self.watched(), self.0.args.clock.unix_ms());
        let heard_ms = self.0.heard_ms.load(Ordering::Relaxed);
        for (inbox, standing) in &watched.rules {
            if standing.due_ms.load(Ordering::Relaxed) <= now_ms
                && let Err(error) = inbox.try_send(Tick { heard_ms }, &Cause::own())
            {
                tracing::debug!(rule = ?inbox, %error, "rule not told that time passed");
            }
        }
    }
}
