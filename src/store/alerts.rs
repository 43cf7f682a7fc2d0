//! Alerts and their history. What a step means is decided by the owner of alerts; the store keeps an alert and its
//! step together or not at all, and refuses what is older than what it has.

use std::collections::BTreeMap;

use super::request::Reply;
use super::session::Session;
use super::value::{Row, params};
use super::{Store, StoreError};

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRecord {
    /// UUID version 7.
    pub id: String,
    /// Grows with each write.
    pub version: u64,
    /// What makes a further breach the same alert.
    pub fingerprint: String,
    /// The rule that it comes from; `None`: it was posted.
    pub rule_id: Option<String>,
    /// What that rule is called.
    pub rule_name: Option<String>,
    /// `pending`, `firing`, `acknowledged`, `suppressed` or `resolved`.
    pub state: String,
    /// 0 info, 1 warning, 2 error, 3 critical.
    pub severity: u8,
    /// How urgent, 0 to 100.
    pub score: u8,
    /// What it is about.
    pub service: Option<String>,
    /// In a few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What it is told apart by.
    pub labels: BTreeMap<String, String>,
    /// The first breach, Unix milliseconds.
    pub started_at_ms: u64,
    /// When it fired; `None` and resolved: it never came to more than pending.
    pub fired_at_ms: Option<u64>,
    /// When somebody took it in hand.
    pub acknowledged_at_ms: Option<u64>,
    /// When it was over.
    pub resolved_at_ms: Option<u64>,
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// What is not searched for, as its owner writes it (JSON).
    pub detail: String,
}

/// One step of an alert's life.
#[derive(Debug, Clone, PartialEq)]
pub struct TransitionRecord {
    /// The alert's version that the step made.
    pub version: u64,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// The state before; `None`: the alert was opened.
    pub from: Option<String>,
    /// The state since.
    pub to: String,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The value that it was decided on.
    pub value: Option<f64>,
    /// What the actor had to say.
    pub comment: Option<String>,
}

/// An alert as it is now, and the step that made it so, if it was one.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertChange {
    /// The alert.
    pub alert: AlertRecord,
    /// The step.
    pub transition: Option<TransitionRecord>,
}

pub(super) const COLUMNS: &str = "id, version, fingerprint, rule_id, rule_name, state, severity, score, service, \
    title, message, labels, started_at_ms, fired_at_ms, acknowledged_at_ms, resolved_at_ms, resolved_by, detail";

const TRANSITION_COLUMNS: &str = "version, at_ms, from_state, to_state, actor, reason, value, comment";

/// Who resolved alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolver {
    /// The hub, those of rules: their conditions ended.
    Hub,
    /// Anybody else: their conditions may hold on.
    Other,
}

impl Store {
    /// Keeps alerts, each with its step, all or nothing. A version that is not newer than what is there is a
    /// [`StoreError::Conflict`]: so no step is kept twice.
    pub fn write_alerts(&self, changes: Vec<AlertChange>) -> Reply<()> {
        let weigh = |alert: &AlertRecord| alert.message.len() + alert.detail.len() + 1_024;
        let weight_bytes = changes.iter().map(|change| weigh(&change.alert)).sum();
        self.write(weight_bytes, move |database| {
            changes.iter().try_for_each(|change| write(&database.session, change))
        })
    }

    /// The same for one alert.
    pub fn transition(&self, alert: AlertRecord, transition: TransitionRecord) -> Reply<()> {
        self.write_alerts(vec![AlertChange { alert, transition: Some(transition) }])
    }

    /// One alert.
    pub async fn alert(&self, id: &str) -> Result<Option<AlertRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {COLUMNS} FROM alerts WHERE id = ?1");
            session.optional(&sql, params![id], read_alert)
        })
        .await
    }

    /// The steps of an alert, oldest first; empty when there is no such alert.
    pub async fn alert_history(&self, id: &str) -> Result<Vec<TransitionRecord>, StoreError> {
        let id = id.to_owned();
        self.read(move |session| {
            let sql = format!(
                "SELECT {TRANSITION_COLUMNS} FROM alert_state_history WHERE alert_id = ?1 ORDER BY version"
            );
            session.query(&sql, params![id], |row| read_transition(row, 0))
        })
        .await
    }

    /// Alerts that are not resolved, pending ones too, by id, at most `limit`, those behind `after` when it is given:
    /// for the start of a hub.
    pub async fn open_alerts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AlertRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = format!(
                "SELECT {COLUMNS} FROM alerts WHERE state <> 'resolved' AND id > ?1 ORDER BY id LIMIT ?2"
            );
            session.query(&sql, params![after, limit], read_alert)
        })
        .await
    }

    /// Alerts that the hub, by this name, or somebody else resolved since, the newest first, at most `limit`.
    pub async fn alerts_resolved_since(
        &self,
        since_ms: u64,
        resolver: Resolver,
        hub: &str,
        limit: usize,
    ) -> Result<Vec<AlertRecord>, StoreError> {
        let hub = hub.to_owned();
        let by = match resolver {
            Resolver::Hub => "resolved_by = ?2 AND rule_id IS NOT NULL",
            Resolver::Other => "resolved_by <> ?2",
        };
        self.read(move |session| {
            let sql = format!(
                "SELECT {COLUMNS} FROM alerts WHERE state = 'resolved' AND resolved_at_ms >= ?1
                 AND {by} ORDER BY resolved_at_ms DESC LIMIT ?3"
            );
            session.query(&sql, params![since_ms, hub, limit], read_alert)
        })
        .await
    }

    /// Steps that are committed and not noted as published, oldest first, each with the id of its alert: what a crash
    /// left to do.
    pub async fn unannounced_transitions(
        &self,
        limit: usize,
    ) -> Result<Vec<(String, TransitionRecord)>, StoreError> {
        self.read(move |session| {
            let sql = format!(
                "SELECT alert_id, {TRANSITION_COLUMNS} FROM alert_state_history WHERE NOT announced
                 ORDER BY at_ms, alert_id, version LIMIT ?1"
            );
            session.query(&sql, params![limit], |row| Ok((row.get(0)?, read_transition(row, 1)?)))
        })
        .await
    }

    /// Notes that these steps (alert, version) are published.
    pub fn transitions_announced(&self, steps: Vec<(String, u64)>) -> Reply<()> {
        self.write(steps.len() * 64, move |database| {
            let sql = "UPDATE alert_state_history SET announced = TRUE WHERE alert_id = ?1 AND version = ?2";
            for (id, version) in steps {
                database.session.execute(sql, params![id, version])?;
            }
            Ok(())
        })
    }

    /// Forgets at most `limit` alerts, with their history, that were over before this; returns how many.
    pub fn prune_alerts(&self, resolved_before_ms: u64, limit: usize) -> Reply<u64> {
        self.write(0, move |database| {
            database.session.execute(
                "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts
                     WHERE state = 'resolved' AND resolved_at_ms < ?1 ORDER BY resolved_at_ms LIMIT ?2)",
                params![resolved_before_ms, limit],
            )
        })
    }
}

fn write(session: &Session, AlertChange { alert, transition }: &AlertChange) -> Result<(), StoreError> {
    let labels = serde_json::to_string(&alert.labels)?;
    let written = session.execute(&format!(
            "INSERT INTO alerts ({COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
             ON CONFLICT (id) DO UPDATE SET version = ?2, fingerprint = ?3, rule_id = ?4, rule_name = ?5, state = ?6,
                 severity = ?7, score = ?8, service = ?9, title = ?10, message = ?11, labels = ?12,
                 started_at_ms = ?13, fired_at_ms = ?14, acknowledged_at_ms = ?15, resolved_at_ms = ?16,
                 resolved_by = ?17, detail = ?18
             WHERE alerts.version < ?2"
        ), params![
            alert.id,
            alert.version,
            alert.fingerprint,
            alert.rule_id,
            alert.rule_name,
            alert.state,
            alert.severity,
            alert.score,
            alert.service,
            alert.title,
            alert.message,
            labels,
            alert.started_at_ms,
            alert.fired_at_ms,
            alert.acknowledged_at_ms,
            alert.resolved_at_ms,
            alert.resolved_by,
            alert.detail,
        ])?;
    if written == 0 {
        let AlertRecord { id, version, .. } = alert;
        return Err(StoreError::Conflict(format!("alert {id} is at version {version} or beyond already")));
    }
    let Some(step) = transition else { return Ok(()) };
    session.execute(
        &format!(
            "INSERT INTO alert_state_history (alert_id, {TRANSITION_COLUMNS}, announced)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, FALSE)"
        ),
        params![
            alert.id,
            step.version,
            step.at_ms,
            step.from,
            step.to,
            step.actor,
            step.reason,
            step.value,
            step.comment,
        ],
    )?;
    Ok(())
}

pub(super) fn read_alert(row: Row<'_>) -> Result<AlertRecord, StoreError> {
    Ok(AlertRecord {
        id: row.get(0)?,
        version: row.get(1)?,
        fingerprint: row.get(2)?,
        rule_id: row.get(3)?,
        rule_name: row.get(4)?,
        state: row.get(5)?,
        severity: row.get(6)?,
        score: row.get(7)?,
        service: row.get(8)?,
        title: row.get(9)?,
        message: row.get(10)?,
        // Only a damaged database has others.
        labels: serde_json::from_str(row.get(11)?).unwrap_or_default(),
        started_at_ms: row.get(12)?,
        fired_at_ms: row.get(13)?,
        acknowledged_at_ms: row.get(14)?,
        resolved_at_ms: row.get(15)?,
        resolved_by: row.get(16)?,
        detail: row.get(17)?,
    })
}

/// A step whose columns begin at `first`.
fn read_transition(row: Row<'_>, first: usize) -> Result<TransitionRecord, StoreError> {
    Ok(TransitionRecord {
        version: row.get(first)?,
        at_ms: row.get(first + 1)?,
        from: row.get(first + 2)?,
        to: row.get(first + 3)?,
        actor: row.get(first + 4)?,
        reason: row.get(first + 5)?,
        value: row.get(first + 6)?,
        comment: row.get(first + 7)?,
    })
}
