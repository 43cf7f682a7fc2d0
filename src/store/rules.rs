//! Rules and the state of their evaluation. What is in them is the business of their evaluation; the store keeps it,
//! and sees to it that nobody writes over what somebody else wrote meanwhile.

use std::collections::HashMap;

use bytes::Bytes;

use super::request::Reply;
use super::session::{Dialect, Session};
use super::value::{Row, params};
use super::{Store, StoreError};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRecord {
    /// Its identity.
    pub id: String,
    /// How often it was written, from 1.
    pub version: u64,
    /// What it says, JSON.
    pub definition: String,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was written last, Unix milliseconds.
    pub updated_at_ms: u64,
    /// Who wrote it last.
    pub updated_by: String,
}

/// A rule to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleWrite {
    /// Its identity.
    pub id: String,
    /// What it says, JSON.
    pub definition: String,
    /// Whether it is evaluated.
    pub enabled: bool,
    /// The version that it replaces; 0: it must be new; `None`: whatever is there.
    pub expected: Option<u64>,
}

/// What became of a write with an expected version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written<T> {
    /// Kept.
    Kept(T),
    /// Another was quicker; nothing was kept.
    Stale {
        /// What was to be written.
        id: String,
        /// The version that is there; 0: there is none.
        current: u64,
    },
    /// There are as many as there may be; nothing was kept.
    Full,
}

/// What a rule's evaluation stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    /// Whose.
    pub rule_id: String,
    /// Opaque to the store.
    pub state: Bytes,
}

/// A parameter that is selected has no type of its own.
const PUT_STATE: &str = "INSERT INTO alert_rule_states (rule_id, saved_at_ms, state)
    SELECT id, CAST(?2 AS BIGINT), ?3 FROM alert_rules WHERE id = ?1
    ON CONFLICT (rule_id) DO UPDATE SET saved_at_ms = ?2, state = ?3";

const COLUMNS: &str =
    "id, version, definition, enabled, created_at_ms, created_by, updated_at_ms, updated_by";

impl Store {
    /// Keeps rules, all or none, at most `rules_max` in all; returns them as they are kept.
    pub fn put_rules(
        &self,
        writes: Vec<RuleWrite>,
        by: &str,
        now_ms: u64,
        rules_max: usize,
    ) -> Reply<Written<Vec<RuleRecord>>> {
        let by = by.to_owned();
        let weight_bytes = writes.iter().map(|write| write.definition.len() + 256).sum();
        self.write(weight_bytes, move |database| put(&database.session, writes, &by, now_ms, rules_max))
    }

    /// Forgets rules and the state of their evaluation; those of them that there were.
    pub fn delete_rules(&self, ids: Vec<String>) -> Reply<Vec<String>> {
        self.write(ids.len() * 64, move |database| {
            let sql = "DELETE FROM alert_rules WHERE id = ?1";
            let mut deleted = Vec::new();
            for id in ids {
                if database.session.execute(sql, params![&id])? > 0 {
                    deleted.push(id);
                }
            }
            Ok(deleted)
        })
    }

    /// One rule.
    pub async fn rule(&self, id: &str) -> Result<Option<RuleRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |session| find(session, &id)).await
    }

    /// Rules by id, at most `limit`, those behind `after` when it is given.
    pub async fn rules(&self, after: Option<&str>, limit: usize) -> Result<Vec<RuleRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {COLUMNS} FROM alert_rules WHERE id > ?1 ORDER BY id LIMIT ?2");
            session.query(&sql, params![after, limit], read_rule)
        })
        .await
    }

    /// Keeps what evaluations stand at. Those of rules that are gone are left out.
    pub fn put_rule_states(&self, states: Vec<RuleState>, now_ms: u64) -> Reply<()> {
        let weight_bytes = states.iter().map(|state| state.state.len() + 128).sum();
        self.write(weight_bytes, move |database| {
            let sql = match database.session.dialect() {
                Dialect::Sqlite => PUT_STATE.to_owned(),
                Dialect::Postgres => PUT_STATE.replace("?3 FROM", "CAST(?3 AS BYTEA) FROM"),
            };
            for RuleState { rule_id, state } in states {
                database.session.execute(&sql, params![rule_id, now_ms, state[..]])?;
            }
            Ok(())
        })
    }

    /// What the evaluation of a rule stood at.
    pub async fn rule_state(&self, rule_id: &str) -> Result<Option<Bytes>, StoreError> {
        let rule_id = rule_id.to_owned();
        self.read(move |session| {
            let sql = "SELECT state FROM alert_rule_states WHERE rule_id = ?1";
            session.optional(sql, params![rule_id], |row| row.get(0))
        })
        .await
    }

    /// The same for the rules behind `after`, up to `last`; for the start of a hub.
    pub async fn rule_states(
        &self,
        after: Option<&str>,
        last: Option<&str>,
    ) -> Result<HashMap<String, Bytes>, StoreError> {
        let (after, last) = (after.unwrap_or_default().to_owned(), last.unwrap_or_default().to_owned());
        self.read(move |session| {
            let sql = "SELECT rule_id, state FROM alert_rule_states WHERE rule_id > ?1 AND rule_id <= ?2";
            let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?));
            session.query(sql, params![after, last], read)
        })
        .await
    }
}

fn put(
    session: &Session,
    writes: Vec<RuleWrite>,
    by: &str,
    now_ms: u64,
    rules_max: usize,
) -> Result<Written<Vec<RuleRecord>>, StoreError> {
    // First every look, then every write: what is refused must leave nothing.
    let (mut records, mut fresh) = (Vec::with_capacity(writes.len()), 0_u64);
    for RuleWrite { id, definition, enabled, expected } in writes {
        let there = find(session, &id)?;
        let current = there.as_ref().map_or(0, |rule| rule.version);
        if expected.is_some_and(|expected| expected != current) {
            return Ok(Written::Stale { id, current });
        }
        fresh += u64::from(there.is_none());
        let (created_at_ms, created_by) =
            there.map_or_else(|| (now_ms, by.to_owned()), |rule| (rule.created_at_ms, rule.created_by));
        let (updated_at_ms, updated_by) = (now_ms, by.to_owned());
        let version = current + 1;
        records.push(RuleRecord {
            id,
            version,
            definition,
            enabled,
            created_at_ms,
            created_by,
            updated_at_ms,
            updated_by,
        });
    }
    let kept: u64 = session.one("SELECT count(*) FROM alert_rules", params![], |row| row.get(0))?;
    if fresh > 0 && kept + fresh > rules_max as u64 {
        return Ok(Written::Full);
    }
    // No INSERT OR REPLACE: that would delete the row, and the state of the evaluation with it.
    let sql = &format!(
        "INSERT INTO alert_rules ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET version = ?2, definition = ?3, enabled = ?4,
             updated_at_ms = ?7, updated_by = ?8"
    );
    for rule in &records {
        session.execute(
            sql,
            params![
                rule.id,
                rule.version,
                rule.definition,
                rule.enabled,
                rule.created_at_ms,
                rule.created_by,
                rule.updated_at_ms,
                rule.updated_by,
            ],
        )?;
    }
    Ok(Written::Kept(records))
}

fn find(session: &Session, id: &str) -> Result<Option<RuleRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert_rules WHERE id = ?1");
    session.optional(&sql, params![id], read_rule)
}

fn read_rule(row: Row<'_>) -> Result<RuleRecord, StoreError> {
    Ok(RuleRecord {
        id: row.get(0)?,
        version: row.get(1)?,
        definition: row.get(2)?,
        enabled: row.get(3)?,
        created_at_ms: row.get(4)?,
        created_by: row.get(5)?,
        updated_at_ms: row.get(6)?,
        updated_by: row.get(7)?,
    })
}
