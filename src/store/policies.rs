//! What the operators lay down about alerts, a kind each: suppression, inhibition, escalation. The store keeps the
//! bodies, and sees to it that nobody writes over what somebody else wrote meanwhile.

use super::request::Reply;
use super::rules::Written;
use super::session::Session;
use super::value::{Row, params};
use super::{Store, StoreError};

/// What is laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Windows in which alerts are held back.
    Suppression,
    /// Alerts that hold others back.
    Inhibition,
    /// Who is told when nobody acknowledges.
    Escalation,
    /// Templates of rules, messages, reports and dashboards.
    Template,
}

impl PolicyKind {
    /// As it is kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suppression => "suppression",
            Self::Inhibition => "inhibition",
            Self::Escalation => "escalation",
            Self::Template => "template",
        }
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its identity within its kind.
    pub id: String,
    /// How often it was written, from 1.
    pub version: u64,
    /// What it says, JSON.
    pub body: String,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: u64,
    /// Who made it.
    pub created_by: String,
    /// When it was written last, Unix milliseconds.
    pub updated_at_ms: u64,
    /// Who wrote it last.
    pub updated_by: String,
}

/// One to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWrite {
    /// Its identity within its kind.
    pub id: String,
    /// What it says, JSON.
    pub body: String,
    /// The version that it replaces; 0: it must be new; `None`: whatever is there.
    pub expected: Option<u64>,
}

const COLUMNS: &str = "id, version, body, created_at_ms, created_by, updated_at_ms, updated_by";

impl Store {
    /// Keeps one, at most `policies_max` of its kind; returns it as it is kept.
    pub fn put_policy(
        &self,
        kind: PolicyKind,
        write: PolicyWrite,
        by: &str,
        now_ms: u64,
        policies_max: usize,
    ) -> Reply<Written<PolicyRecord>> {
        let by = by.to_owned();
        self.write(write.body.len() + 256, move |database| {
            put(&database.session, kind, write, by, now_ms, policies_max)
        })
    }

    /// Forgets one; whether there was one.
    pub fn delete_policy(&self, kind: PolicyKind, id: &str) -> Reply<bool> {
        let id = id.to_owned();
        self.write(id.len(), move |database| {
            let sql = "DELETE FROM alert_policies WHERE kind = ?1 AND id = ?2";
            let deleted = database.session.execute(sql, params![kind.as_str(), id])?;
            Ok(deleted > 0)
        })
    }

    /// One.
    pub async fn policy(&self, kind: PolicyKind, id: &str) -> Result<Option<PolicyRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |session| find(session, kind, &id)).await
    }

    /// Those of a kind by id, at most `limit`, those behind `after` when it is given.
    pub async fn policies(
        &self,
        kind: PolicyKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<PolicyRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = format!(
                "SELECT {COLUMNS} FROM alert_policies WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
            );
            session.query(&sql, params![kind.as_str(), after, limit], read_policy)
        })
        .await
    }
}

fn put(
    session: &Session,
    kind: PolicyKind,
    write: PolicyWrite,
    by: String,
    now_ms: u64,
    policies_max: usize,
) -> Result<Written<PolicyRecord>, StoreError> {
    let PolicyWrite { id, body, expected } = write;
    let there = find(session, kind, &id)?;
    let current = there.as_ref().map_or(0, |policy| policy.version);
    if expected.is_some_and(|expected| expected != current) {
        return Ok(Written::Stale { id, current });
    }
    if there.is_none() {
        let sql = "SELECT count(*) FROM alert_policies WHERE kind = ?1";
        let kept: u64 = session.one(sql, params![kind.as_str()], |row| row.get(0))?;
        if kept >= policies_max as u64 {
            return Ok(Written::Full);
        }
    }
    let (created_at_ms, created_by) =
        there.map_or_else(|| (now_ms, by.clone()), |policy| (policy.created_at_ms, policy.created_by));
    let version = current + 1;
    let policy =
        PolicyRecord { id, version, body, created_at_ms, created_by, updated_at_ms: now_ms, updated_by: by };
    session.execute(&format!(
            "INSERT INTO alert_policies (kind, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (kind, id) DO UPDATE SET version = ?3, body = ?4, updated_at_ms = ?7, updated_by = ?8"
        ), params![
            kind.as_str(),
            policy.id,
            policy.version,
            policy.body,
            policy.created_at_ms,
            policy.created_by,
            policy.updated_at_ms,
            policy.updated_by,
        ])?;
    Ok(Written::Kept(policy))
}

fn find(session: &Session, kind: PolicyKind, id: &str) -> Result<Option<PolicyRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM alert_policies WHERE kind = ?1 AND id = ?2");
    session.optional(&sql, params![kind.as_str(), id], read_policy)
}

fn read_policy(row: Row<'_>) -> Result<PolicyRecord, StoreError> {
    Ok(PolicyRecord {
        id: row.get(0)?,
        version: row.get(1)?,
        body: row.get(2)?,
        created_at_ms: row.get(3)?,
        created_by: row.get(4)?,
        updated_at_ms: row.get(5)?,
        updated_by: row.get(6)?,
    })
}
