//! All rules: what they are, and the way of samples to their actors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::RuleError;
use super::actor::{Explain, Retire, RuleActor, RuleArgs, Samples, Tick, Unkept};
use super::checked::Rule;
use super::definition::Definition;
use super::feed::Feed;
use super::index::Index;
use super::step::{Explanation, Saved};
use super::view::{RuleView, Standing};
use crate::alert::Alerts;
use crate::clock::Clock;
use crate::ids::NodeName;
use crate::store::{Column, RuleRecord, RuleState, RuleWrite, Store, Written};
use crate::supervision::{Inbox, Tree};
use crate::telemetry::{Cause, Counter, Gauge};

/// How long a question to a rule may take, in milliseconds.
const ASK_MS_MAX: u64 = 2_000;

/// Rules read from the store at once when the hub starts.
const PAGE: usize = 1_000;

/// States of rules that are kept in one request.
const KEPT_AT_ONCE: usize = 1_000;

/// What rules are made of.
pub struct RulesArgs {
    /// Starts them.
    pub tree: Tree,
    /// Keeps them.
    pub store: Store,
    /// Is told what they say.
    pub alerts: Alerts,
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
    unkept: Arc<Unkept>,
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
    /// A directory without rules.
    pub fn new(args: RulesArgs) -> Self {
        Self(Arc::new(Shared {
            entries: RwLock::default(),
            generation: AtomicU64::new(0),
            watched: RwLock::default(),
            unkept: Arc::default(),
            args,
        }))
    }

    /// Reads the rules from the store and starts them; for the start of the hub.
    pub async fn recall(&self) -> Result<(), RuleError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.0.args.store.rules(after.as_deref(), PAGE).await?;
            after = page.last().map(|record| record.id.clone());
            let is_last = page.len() < PAGE;
            for record in page {
                self.install(record, None, false);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Makes a rule. Without an id it gets one.
    pub async fn create(&self, mut definition: Definition, by: &str) -> Result<RuleView, RuleError> {
        let id = definition.id.take().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        self.write(id, definition, Some(0), by).await.map_err(|error| match error {
            RuleError::Conflict { .. } => RuleError::Exists,
            error => error,
        })
    }

    /// Writes a rule anew; the state of its series goes on. `expected`: the version that it replaces.
    pub async fn replace(
        &self,
        id: &str,
        definition: Definition,
        expected: Option<u64>,
        by: &str,
    ) -> Result<RuleView, RuleError> {
        if !self.0.entries.read().contains_key(id) {
            return Err(RuleError::NotFound);
        }
        self.write(id.to_owned(), definition, expected, by).await
    }

    async fn write(
        &self,
        id: String,
        mut definition: Definition,
        expected: Option<u64>,
        by: &str,
    ) -> Result<RuleView, RuleError> {
        definition.id = Some(id.clone());
        let rule = Rule::check(definition).map_err(RuleError::Invalid)?;
        let views = self.put(vec![(id, rule.definition().clone(), expected)], by).await?;
        views.into_iter().next().ok_or(RuleError::NotFound)
    }

    /// Writes checked definitions, all or none.
    async fn put(
        &self,
        writes: Vec<(String, Definition, Option<u64>)>,
        by: &str,
    ) -> Result<Vec<RuleView>, RuleError> {
        let writes = writes.into_iter().map(|(id, definition, expected)| RuleWrite {
            id,
            enabled: definition.enabled,
            // Texts and numbers: they can be written.
            definition: serde_json::to_string(&definition).unwrap_or_default(),
            expected,
        });
        let (rules_max, now_ms) = (self.0.args.rules_max, self.0.args.clock.unix_ms());
        match self.0.args.store.put_rules(writes.collect(), by, now_ms, rules_max).await? {
            Written::Stale { current, .. } => Err(RuleError::Conflict { current }),
            Written::Full => Err(RuleError::TooMany { rules_max }),
            Written::Kept(records) => {
                let mut views = Vec::with_capacity(records.len());
                for record in records {
                    let former = self.retire(&record.id).await;
                    views.push(self.install(record, former, true));
                }
                Ok(views)
            }
        }
    }

    /// Lets rules be evaluated, or not; those of them that there are.
    pub async fn enable(&self, ids: &[String], enabled: bool, by: &str) -> Result<Vec<String>, RuleError> {
        let writes: Vec<_> = {
            let entries = self.0.entries.read();
            let known = ids.iter().filter_map(|id| Some((id, entries.get(id)?)));
            known
                .map(|(id, entry)| {
                    let definition = Definition { enabled, ..entry.definition.clone() };
                    (id.clone(), definition, Some(entry.record.version))
                })
                .collect()
        };
        let done: Vec<String> = writes.iter().map(|(id, _, _)| id.clone()).collect();
        self.put(writes, by).await?;
        if !enabled {
            self.end_alerts(&done, &format!("the rule was disabled by {by}"));
        }
        Ok(done)
    }

    /// Forgets rules; those of them that there were.
    pub async fn delete(&self, ids: Vec<String>, by: &str) -> Result<Vec<String>, RuleError> {
        let deleted = self.0.args.store.delete_rules(ids).await?;
        {
            let mut entries = self.0.entries.write();
            deleted.iter().for_each(|id| drop(entries.remove(id)));
            Gauge::Rules.set(entries.values().filter(|entry| entry.inbox.is_some()).count() as u64);
        }
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        self.end_alerts(&deleted, &format!("the rule was deleted by {by}"));
        Ok(deleted)
    }

    fn end_alerts(&self, ids: &[String], reason: &str) {
        for id in ids {
            // Alerts of a rule that is not known end when the hub starts anew.
            if let Err(error) = self.0.args.alerts.rule_gone(id, reason, &Cause::own()) {
                tracing::warn!(rule = id, %error, "alerts of the rule stay open");
            }
        }
    }

    /// The state of a rule that is about to be replaced, when it is evaluated and answers.
    async fn retire(&self, id: &str) -> Option<Vec<Saved>> {
        let inbox = self.0.entries.read().get(id).and_then(|entry| entry.inbox.clone())?;
        inbox.ask(Retire, &Cause::own(), Duration::from_millis(ASK_MS_MAX)).await.ok()
    }

    fn install(&self, record: RuleRecord, former: Option<Vec<Saved>>, is_changed: bool) -> RuleView {
        let standing = Arc::new(Standing::default());
        let (definition, rule) = match read(&record) {
            Ok(rule) => (rule.definition().clone(), Some(Arc::new(rule))),
            Err((definition, why)) => {
                tracing::error!(rule = record.id, why, "the rule cannot be evaluated");
                *standing.failed.lock() = Some(why);
                (definition, None)
            }
        };
        let inbox = rule
            .as_ref()
            .filter(|_| record.enabled)
            .map(|rule| self.start(&record.id, rule, &standing, former, is_changed));
        let entry = Entry { record, definition, rule, standing, inbox };
        let view = entry.view();
        let mut entries = self.0.entries.write();
        entries.insert(entry.record.id.clone(), entry);
        Gauge::Rules.set(entries.values().filter(|entry| entry.inbox.is_some()).count() as u64);
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        view
    }

    fn start(
        &self,
        id: &str,
        rule: &Arc<Rule>,
        standing: &Arc<Standing>,
        former: Option<Vec<Saved>>,
        is_changed: bool,
    ) -> Inbox<RuleActor> {
        let args = &self.0.args;
        let failed = standing.clone();
        let on_give_up = Box::new(move || {
            *failed.failed.lock() =
                Some("it crashed too often; it is evaluated again when it is written".to_owned());
        });
        let make = |inbox| {
            RuleActor::new(RuleArgs {
                id: id.to_owned(),
                rule: rule.clone(),
                former: Arc::new(Mutex::new(former)),
                is_changed,
                standing: standing.clone(),
                unkept: self.0.unkept.clone(),
                alerts: args.alerts.clone(),
                store: args.store.clone(),
                clock: args.clock.clone(),
                inbox,
            })
        };
        args.tree.start_with(Arc::<str>::from(id), make, Some(on_give_up))
    }

    /// One rule.
    pub fn one(&self, id: &str) -> Option<RuleView> {
        self.0.entries.read().get(id).map(Entry::view)
    }

    /// Rules by id, at most `limit`, those behind `after` when it is given, that `is_wanted` lets through.
    pub fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        is_wanted: impl Fn(&Definition) -> bool,
    ) -> Vec<RuleView> {
        let entries = self.0.entries.read();
        let after = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let behind = entries.range::<str, _>((after, std::ops::Bound::Unbounded));
        let wanted = behind.map(|(_, entry)| entry).filter(|entry| is_wanted(&entry.definition));
        wanted.take(limit).map(Entry::view).collect()
    }

    /// The checked form of a rule.
    pub fn checked(&self, id: &str) -> Option<Arc<Rule>> {
        self.0.entries.read().get(id).and_then(|entry| entry.rule.clone())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.entries.read().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where all series of a rule are, and why; none when it is not evaluated.
    pub async fn explain(&self, id: &str) -> Result<Vec<Explanation>, RuleError> {
        let inbox = {
            let entries = self.0.entries.read();
            entries.get(id).ok_or(RuleError::NotFound)?.inbox.clone()
        };
        let Some(inbox) = inbox.filter(|inbox| !inbox.is_closed()) else { return Ok(Vec::new()) };
        let asked = inbox.ask(Explain, &Cause::own(), Duration::from_millis(ASK_MS_MAX)).await;
        asked.map_err(|_silent| RuleError::Overloaded)
    }

    /// Hands the samples of one moment of a node to the rules that want them. Waits for nobody: what a full mailbox
    /// does not take is dropped and counted. `feed` belongs to the node; NaN is no sample.
    pub fn offer(
        &self,
        feed: &mut Feed,
        (node, labels): (&NodeName, &BTreeMap<String, String>),
        (at_ms, columns, values): (u64, &Arc<[Column]>, &[f64]),
        cause: &Cause,
    ) {
        let watched = self.watched();
        if watched.rules.is_empty() {
            return;
        }
        let arrived_us = self.0.args.clock.monotonic_us();
        let plan = feed.plan((watched.generation, &watched.index), node.as_str(), labels, columns);
        for (number, wanted) in plan.iter() {
            let Some((inbox, standing)) = watched.rules.get(*number) else { continue };
            let sampled = wanted.iter().filter_map(|(column, series)| {
                values.get(*column).filter(|value| !value.is_nan()).map(|value| (series.clone(), *value))
            });
            let values: Vec<_> = sampled.collect();
            let count = values.len() as u64;
            if count > 0 && inbox.try_send(Samples { at_ms, values, arrived_us }, cause).is_err() {
                standing.dropped.fetch_add(count, Ordering::Relaxed);
                Counter::RuleSamplesDropped.add(count);
            }
        }
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
        for (inbox, standing) in &watched.rules {
            if standing.due_ms.load(Ordering::Relaxed) <= now_ms
                && let Err(error) = inbox.try_send(Tick, &Cause::own())
            {
                tracing::debug!(rule = ?inbox, %error, "rule not told that time passed");
            }
        }
    }

    /// Keeps the states that rules left to be kept.
    pub(super) fn keep(&self) -> Option<impl Future<Output = ()> + use<>> {
        let left = std::mem::take(&mut *self.0.unkept.lock());
        if left.is_empty() {
            return None;
        }
        let left: Vec<RuleState> =
            left.into_iter().map(|(rule_id, state)| RuleState { rule_id, state }).collect();
        let now_ms = self.0.args.clock.unix_ms();
        let written: Vec<_> = left
            .chunks(KEPT_AT_ONCE)
            .map(|part| (self.0.args.store.put_rule_states(part.to_vec(), now_ms), part.to_vec()))
            .collect();
        let unkept = self.0.unkept.clone();
        Some(async move {
            for (written, part) in written {
                if let Err(error) = written.await {
                    tracing::debug!(%error, "states of rules not kept; tried again");
                    let mut unkept = unkept.lock();
                    for RuleState { rule_id, state } in part {
                        // A newer one may have come.
                        unkept.entry(rule_id).or_insert(state);
                    }
                }
            }
        })
    }
}

/// A rule of the store; or what can be shown of it, and why it is none.
fn read(record: &RuleRecord) -> Result<Rule, (Definition, String)> {
    let definition: Definition = serde_json::from_str(&record.definition).map_err(|error| {
        (Definition::unreadable(&record.id), format!("it is no rule of this version: {error}"))
    })?;
    let definition = Definition { id: Some(record.id.clone()), enabled: record.enabled, ..definition };
    Rule::check(definition.clone()).map_err(|errors| {
        let errors: Vec<String> =
            errors.iter().map(|error| format!("{} {}", error.pointer, error.message)).collect();
        (definition, errors.join("; "))
    })
}
