//! The time in which this hub evaluates rules: they are read from the store when it begins and end with it.
//!
//! A hub alone evaluates them from its start. Of several hub nodes it is the one that owns alerts: rules begin after their
//! owner did, and what is written meanwhile is written by that hub alone, so that what is known is what is kept.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::super::RuleError;
use super::super::actor::{Tenure, unpacked};
use super::super::handover::Handover;
use super::Rules;
use crate::clock::Clock;
use crate::ownership::{Fence, Unit};
use crate::store::{RuleState, Store, StoreError};
use crate::telemetry::Gauge;

/// Rules read from the store at once.
const PAGE: usize = 200;

/// States of rules that are kept in one request.
const KEPT_AT_ONCE: usize = 1_000;

impl Tenure {
    fn new(fence: Fence, store: &Store) -> Self {
        let store = fence.guard(store, Unit::Alerts);
        Self { fence, store, unkept: Mutex::new(BTreeMap::new()), is_ready: AtomicBool::new(false) }
    }
}

impl Rules {
    /// Reads the rules from the store and starts them, in the tenure of that fence. A second time nothing happens.
    ///
    /// # Errors
    ///
    /// When they cannot be read; then none is evaluated.
    pub async fn begin(&self, fence: Fence) -> Result<(), RuleError> {
        let _writing = self.0.writing.lock().await;
        if self.serves() == Some(fence) {
            return Ok(());
        }
        self.end();
        let tenure = Arc::new(Tenure::new(fence, &self.0.args.store));
        *self.0.tenure.write() = Some(tenure.clone());
        let begun = match self.recall(&tenure).await {
            Ok(evaluated) => Ok(self.0.args.alerts.only_rules(fence, evaluated)?),
            Err(error) => Err(error),
        };
        match begun {
            Ok(()) => tenure.is_ready.store(true, Ordering::Release),
            Err(_) => self.end(),
        }
        begun
    }

    /// The ids of those that are evaluated.
    async fn recall(&self, tenure: &Arc<Tenure>) -> Result<HashSet<String>, RuleError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.0.args.store.rules(after.as_deref(), PAGE).await?;
            let last = page.last().map(|record| record.id.clone());
            let mut states = self.0.args.store.rule_states(after.as_deref(), last.as_deref()).await?;
            let is_last = page.len() < PAGE;
            for record in page {
                let state = states.remove(&record.id).map(|state| unpacked(&record.id, &state));
                self.install(tenure, record, state, false)?;
            }
            after = last;
            if is_last {
                break;
            }
        }
        let entries = self.0.entries.read();
        let running = entries.iter().filter(|(_, entry)| entry.inbox.is_some());
        Ok(running.map(|(id, _)| id.clone()).collect())
    }

    /// No rule is evaluated or known here any more.
    pub(in super::super) fn end(&self) {
        let mut entries = self.0.entries.write();
        *self.0.tenure.write() = None;
        entries.clear();
        Gauge::Rules.set(0);
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        drop(entries);
        // Their mailboxes close when nobody knows them any more.
        drop(self.watched());
    }

    /// The tenure that rules are evaluated in, or begin to be.
    pub(in super::super) fn serves(&self) -> Option<Fence> {
        self.0.tenure.read().as_ref().map(|tenure| tenure.fence)
    }

    /// The tenure of the owner of alerts, which rules follow.
    pub(in super::super) fn duty(&self) -> Option<Fence> {
        self.0.args.alerts.duty()
    }

    /// Changes with it.
    pub(in super::super) fn duties(&self) -> watch::Receiver<Option<Fence>> {
        self.0.args.alerts.duties()
    }

    /// The same, when all rules are known.
    pub(in super::super) fn serves_ready(&self) -> Option<Fence> {
        self.served().ok().map(|tenure| tenure.fence)
    }

    /// The way of samples between hub nodes, if there are several.
    pub(in super::super) fn handover(&self) -> Option<Handover> {
        self.0.args.handover.clone()
    }

    /// The time.
    pub(in super::super) fn clock(&self) -> &Clock {
        &self.0.args.clock
    }

    /// The tenure that all rules are known in.
    pub(super) fn served(&self) -> Result<Arc<Tenure>, RuleError> {
        let tenure = self.0.tenure.read();
        let ready = tenure.as_ref().filter(|tenure| tenure.is_ready.load(Ordering::Acquire));
        ready.cloned().ok_or(RuleError::NotOwner)
    }

    /// Keeps the states that rules left to be kept.
    pub(in super::super) fn keep(&self) -> Option<impl Future<Output = ()> + use<>> {
        let tenure = self.0.tenure.read().clone()?;
        let left = std::mem::take(&mut *tenure.unkept.lock());
        if left.is_empty() {
            return None;
        }
        let left: Vec<RuleState> =
            left.into_iter().map(|(rule_id, state)| RuleState { rule_id, state }).collect();
        let now_ms = self.0.args.clock.unix_ms();
        let written: Vec<_> = left
            .chunks(KEPT_AT_ONCE)
            .map(|part| (tenure.store.put_rule_states(part.to_vec(), now_ms), part.to_vec()))
            .collect();
        Some(async move {
            for (written, part) in written {
                let written = written.await;
                // The next owner has its own.
                if let Err(error) = written.as_ref()
                    && *error != StoreError::Fenced
                {
                    tracing::debug!(%error, "states of rules not kept; tried again");
                    let mut unkept = tenure.unkept.lock();
                    for RuleState { rule_id, state } in part {
                        // A newer one may have come.
                        unkept.entry(rule_id).or_insert(state);
                    }
                }
            }
        })
    }
}
