//! How rules are written, and what follows for their actors and their alerts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::RuleError;
use super::super::actor::{Retire, RuleActor, RuleArgs, Tenure};
use super::super::checked::Rule;
use super::super::definition::Definition;
use super::super::step::Saved;
use super::super::view::{RuleView, Standing};
use super::{ASK_MS_MAX, Entry, Rules};
use crate::store::{RuleRecord, RuleWrite, Written};
use crate::supervision::Inbox;
use crate::telemetry::{Cause, Gauge};

impl Rules {
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
        self.find(id)?;
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
    pub(super) async fn put(
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
        let _writing = self.0.writing.lock().await;
        let tenure = self.served()?;
        match tenure.store.put_rules(writes.collect(), by, now_ms, rules_max).await? {
            Written::Stale { current, .. } => Err(RuleError::Conflict { current }),
            Written::Full => Err(RuleError::TooMany { rules_max }),
            Written::Kept(records) => {
                let mut views = Vec::with_capacity(records.len());
                for record in records {
                    let former = self.retire(&record.id).await;
                    let view = self.install(&tenure, record, former, true)?;
                    if !view.definition.enabled {
                        let id = view.definition.id.clone();
                        self.end_alerts(id.as_slice(), &format!("the rule was disabled by {by}"));
                    }
                    views.push(view);
                }
                Ok(views)
            }
        }
    }

    /// Lets rules be evaluated, or not; those of them that there are.
    pub async fn enable(&self, ids: &[String], enabled: bool, by: &str) -> Result<Vec<String>, RuleError> {
        self.served()?;
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
        let done = writes.iter().map(|(id, _, _)| id.clone()).collect();
        self.put(writes, by).await?;
        Ok(done)
    }

    /// Forgets rules; those of them that there were.
    pub async fn delete(&self, ids: Vec<String>, by: &str) -> Result<Vec<String>, RuleError> {
        let _writing = self.0.writing.lock().await;
        let tenure = self.served()?;
        let deleted = tenure.store.delete_rules(ids).await?;
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

    /// # Errors
    ///
    /// [`RuleError::NotOwner`] when the tenure ended meanwhile.
    pub(super) fn install(
        &self,
        tenure: &Arc<Tenure>,
        record: RuleRecord,
        former: Option<Vec<Saved>>,
        is_changed: bool,
    ) -> Result<RuleView, RuleError> {
        let standing = Arc::new(Standing::default());
        let (definition, rule) = match read(&record) {
            Ok(rule) => (rule.definition().clone(), Some(Arc::new(rule))),
            Err(told) => {
                let (definition, why) = *told;
                tracing::error!(rule = record.id, why, "the rule cannot be evaluated");
                *standing.failed.lock() = Some(why);
                (definition, None)
            }
        };
        let inbox = rule
            .as_ref()
            .filter(|_| record.enabled)
            .map(|rule| self.start(tenure, &record.id, rule, &standing, (former, is_changed)));
        let entry = Entry { record, definition, rule, standing, inbox };
        let view = entry.view();
        let mut entries = self.0.entries.write();
        if !self.0.tenure.read().as_ref().is_some_and(|serving| Arc::ptr_eq(serving, tenure)) {
            return Err(RuleError::NotOwner);
        }
        entries.insert(entry.record.id.clone(), entry);
        Gauge::Rules.set(entries.values().filter(|entry| entry.inbox.is_some()).count() as u64);
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        Ok(view)
    }

    fn start(
        &self,
        tenure: &Arc<Tenure>,
        id: &str,
        rule: &Arc<Rule>,
        standing: &Arc<Standing>,
        (former, is_changed): (Option<Vec<Saved>>, bool),
    ) -> Inbox<RuleActor> {
        let args = &self.0.args;
        let failed = standing.clone();
        let on_give_up = Box::new(move || {
            *failed.failed.lock() =
                Some("it crashed too often; it is evaluated again when it is written".to_owned());
        });
        let is_changed = Arc::new(AtomicBool::new(is_changed));
        let make = |inbox| {
            RuleActor::new(RuleArgs {
                id: id.to_owned(),
                rule: rule.clone(),
                former: Arc::new(Mutex::new(former)),
                is_changed,
                standing: standing.clone(),
                tenure: tenure.clone(),
                alerts: args.alerts.clone(),
                store: args.store.clone(),
                clock: args.clock.clone(),
                inbox,
            })
        };
        args.tree.start_with(Arc::<str>::from(id), make, Some(on_give_up))
    }
}

/// A rule of the store; or what can be shown of it, and why it is none.
fn read(record: &RuleRecord) -> Result<Rule, Box<(Definition, String)>> {
    let definition: Definition = serde_json::from_str(&record.definition).map_err(|error| {
        Box::new((Definition::unreadable(&record.id), format!("it is no rule of this version: {error}")))
    })?;
    let definition = Definition { id: Some(record.id.clone()), enabled: record.enabled, ..definition };
    Rule::check(definition.clone()).map_err(|errors| {
        let errors: Vec<String> =
            errors.iter().map(|error| format!("{} {}", error.pointer, error.message)).collect();
        Box::new((definition, errors.join("; ")))
    })
}
