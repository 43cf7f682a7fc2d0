//! Scenarios and their runs as the API and the topic `testing` show them.

use serde::Serialize;
use serde_json::Value;

use super::lifecycle::Run;
use super::table::Row;
use crate::clock::rfc3339;

/// A scenario.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FaultScenario)]
pub struct ScenarioView {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// Where.
    pub subsystem: &'static str,
    /// What it can be told: name, unit, kind (`number` or `text`), default, and min and max, or allowed, or prefix.
    #[schema(value_type = Vec<Object>)]
    pub parameters: Vec<Value>,
    /// It ends by itself after at most so many seconds.
    pub duration_s_max: u64,
    /// It can be enabled again so many seconds after its last start.
    pub again_after_s: u64,
    /// What keeps it from doing lasting harm.
    pub guard: &'static str,
    /// The metric that shows it.
    pub metric: &'static str,
    /// What must hold while it is active and after it.
    pub promise: &'static str,
}

/// What a metric showed.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = FaultObserved)]
pub struct Observed {
    /// Which metric.
    pub metric: &'static str,
    /// Before the scenario began.
    pub before: u64,
    /// Now, or when it ended.
    pub now: u64,
}

/// One run of a scenario.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = FaultRun)]
pub struct RunView {
    /// Its identity.
    pub id: String,
    /// The scenario.
    pub name: &'static str,
    /// `active` or `ended`.
    pub state: &'static str,
    /// What it was told.
    #[schema(value_type = Object)]
    pub parameters: Value,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it ends by itself, RFC 3339.
    pub ends_at: String,
    /// Who enabled it.
    pub started_by: String,
    /// Its metric.
    pub observed: Observed,
    /// When it ended, RFC 3339; null while it is active.
    pub ended_at: Option<String>,
    /// Why it ended: `expired`, `disabled`, `reset`, `drain` or `crashed`; null while it is active.
    pub ended_by: Option<&'static str>,
}

/// Which runs there are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = FaultStatus)]
pub struct StatusView {
    /// Whether the hub was started with `--lab`.
    pub enabled: bool,
    /// Active runs, oldest first.
    pub active: Vec<RunView>,
    /// Ended ones, newest first, 50 at most.
    pub recent: Vec<RunView>,
}

impl ScenarioView {
    /// A row.
    pub fn of(row: &Row) -> Self {
        Self {
            name: row.name,
            title: row.title,
            what: row.what,
            subsystem: row.subsystem,
            parameters: row.parameters.iter().map(super::parameters::Parameter::described).collect(),
            duration_s_max: row.duration_s_max,
            again_after_s: row.again_after_s,
            guard: row.guard,
            metric: row.metric,
            promise: row.promise,
        }
    }
}

impl RunView {
    /// A run whose metric shows `now`, unless it showed something at its end.
    pub fn of(run: &Run, now: u64) -> Self {
        let row = run.scenario.row();
        Self {
            id: run.id.clone(),
            name: row.name,
            state: if run.ended.is_some() { "ended" } else { "active" },
            parameters: Value::Object(run.parameters.values().clone()),
            started_at: rfc3339(run.started_ms),
            ends_at: rfc3339(run.ends_ms),
            started_by: run.started_by.clone(),
            observed: Observed { metric: row.metric, before: run.before, now: run.after.unwrap_or(now) },
            ended_at: run.ended.map(|(at_ms, _)| rfc3339(at_ms)),
            ended_by: run.ended.map(|(_, why)| why.as_str()),
        }
    }
}
