//! What operators lay down about alerts, checked: windows, inhibitions, escalation.

use std::collections::HashMap;

use super::escalation::Policy;
use super::inhibition::{Inhibition, InhibitionDefinition};
use super::suppression::{Window, WindowDefinition};
use crate::store::{PolicyKind, PolicyRecord, Store, StoreError};

/// Most of each kind.
pub const POLICIES_MAX: usize = 1_000;

/// Records read from the store at once.
const PAGE: usize = 500;

/// All of it.
#[derive(Debug, Default)]
pub struct Policies {
    /// Windows in which alerts are held back.
    pub windows: Vec<Window>,
    /// Alerts that hold others back.
    pub inhibitions: Vec<Inhibition>,
    /// Who is told when nobody acknowledges, by id.
    pub escalations: HashMap<String, Policy>,
}

impl Policies {
    /// Everything that the store has. What cannot be read, as only a damaged database has it, is left out and logged.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let mut policies = Self::default();
        for record in all(store, PolicyKind::Suppression).await? {
            let checked = parsed::<WindowDefinition>(&record)
                .and_then(|definition| definition.check(&record.id).map_err(|errors| format!("{errors:?}")));
            policies.windows.extend(kept(&record, checked));
        }
        for record in all(store, PolicyKind::Inhibition).await? {
            let checked = parsed::<InhibitionDefinition>(&record)
                .and_then(|definition| definition.check(&record.id).map_err(|errors| format!("{errors:?}")));
            policies.inhibitions.extend(kept(&record, checked));
        }
        for record in all(store, PolicyKind::Escalation).await? {
            let policy = kept(&record, parsed::<Policy>(&record));
            policies.escalations.extend(policy.map(|policy| (record.id, policy)));
        }
        Ok(policies)
    }
}

async fn all(store: &Store, kind: PolicyKind) -> Result<Vec<PolicyRecord>, StoreError> {
    let mut records: Vec<PolicyRecord> = Vec::new();
    loop {
        let after = records.last().map(|record| record.id.clone());
        let page = store.policies(kind, after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        records.extend(page);
        if is_last {
            return Ok(records);
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(record: &PolicyRecord) -> Result<T, String> {
    serde_json::from_str(&record.body).map_err(|error| error.to_string())
}

fn kept<T>(record: &PolicyRecord, checked: Result<T, String>) -> Option<T> {
    checked.map_err(|error| tracing::error!(id = record.id, error, "a policy cannot be used")).ok()
}
