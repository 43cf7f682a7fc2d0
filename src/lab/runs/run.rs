//! A run as it is kept and shown.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RunError;
use super::figures::{Detail, Figures};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::store::LoadTestRecord;

/// Names a run; UUID version 7, so that ids are in order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunId(Uuid);

impl RunId {
    /// A new one.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads one; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RunStatus)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Under way.
    Running,
    /// Carried out; its figures say how it went.
    Completed,
    /// Not carried out, messages or connections were lost, or a threshold was missed.
    Failed,
    /// Stopped before its end.
    Cancelled,
}

impl Status {
    const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct StoredRun {
    /// Names it; ids are in order of their starts.
    #[schema(value_type = String)]
    pub id: RunId,
    /// What its starter calls it.
    pub name: String,
    /// What the load does.
    pub scenario: String,
    /// What it is.
    pub status: Status,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// When it was over; null while it runs.
    pub ended_at: Option<String>,
    /// Whose token started it.
    pub started_by: String,
    /// Why it is not completed.
    pub failure: Option<String>,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
    /// By phase and by bucket; left out in lists.
    #[serde(flatten)]
    pub detail: Option<Detail>,
}

impl StoredRun {
    /// A run that begins.
    pub fn begin(name: String, scenario: &str, connections: u64, started_by: &str, now_ms: u64) -> Self {
        let mut figures = Figures::default();
        figures.connections.planned = connections;
        Self {
            id: RunId::fresh(),
            name,
            scenario: scenario.to_owned(),
            status: Status::Running,
            started_at: rfc3339(now_ms),
            ended_at: None,
            started_by: started_by.to_owned(),
            failure: None,
            figures,
            detail: Some(Detail::default()),
        }
    }

    /// Ends it, unless it is over.
    pub fn end(&mut self, status: Status, failure: Option<String>, now_ms: u64) {
        if self.status == Status::Running {
            self.status = status;
            self.failure = failure;
            self.ended_at = Some(rfc3339(now_ms));
        }
    }

    /// As the store keeps it.
    pub fn record(&self) -> Result<LoadTestRecord, RunError> {
        let text =
            |json: serde_json::Result<String>| json.map_err(|error| RunError::Unreadable(error.to_string()));
        Ok(LoadTestRecord {
            id: self.id.to_string(),
            name: self.name.clone(),
            scenario: self.scenario.clone(),
            status: self.status.as_str().to_owned(),
            started_by: self.started_by.clone(),
            started_at_ms: parse_rfc3339(&self.started_at).unwrap_or_default(),
            ended_at_ms: self.ended_at.as_deref().and_then(parse_rfc3339),
            failure: self.failure.clone(),
            figures: text(serde_json::to_string(&self.figures))?,
            detail: text(serde_json::to_string(&self.detail))?,
        })
    }

    /// Out of the store; without detail where the record has none.
    pub fn kept(record: LoadTestRecord) -> Result<Self, RunError> {
        let unreadable = |what: &dyn fmt::Display| RunError::Unreadable(what.to_string());
        let status = Status::ALL.into_iter().find(|status| status.as_str() == record.status);
        let detail = match record.detail.as_str() {
            "" => None,
            text => serde_json::from_str(text).map_err(|error| unreadable(&error))?,
        };
        Ok(Self {
            id: RunId::parse(&record.id).ok_or_else(|| unreadable(&record.id))?,
            name: record.name,
            scenario: record.scenario,
            status: status.ok_or_else(|| unreadable(&record.status))?,
            started_at: rfc3339(record.started_at_ms),
            ended_at: record.ended_at_ms.map(rfc3339),
            started_by: record.started_by,
            failure: record.failure,
            figures: serde_json::from_str(&record.figures).map_err(|error| unreadable(&error))?,
            detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_back_as_it_was_kept() {
        let mut run = StoredRun::begin("evening".into(), "paced", 25, "ann", 1_795_223_722_042);
        assert_eq!(StoredRun::kept(run.record().unwrap()).unwrap(), run);
        run.figures.success_rate = Some(96.0);
        run.figures.reconnects = Some(Default::default());
        run.end(Status::Failed, Some("2 connections were lost".into()), 1_795_223_732_042);
        assert_eq!(StoredRun::kept(run.record().unwrap()).unwrap(), run);
        let listed = LoadTestRecord { detail: String::new(), ..run.record().unwrap() };
        let listed = serde_json::to_value(StoredRun::kept(listed).unwrap()).unwrap();
        assert_eq!((&listed["phases"], &listed["success_rate"]), (&serde_json::Value::Null, &96.0.into()));
    }

    #[test]
    fn a_run_ends_once() {
        let mut run = StoredRun::begin("evening".into(), "paced", 25, "ann", 10);
        run.end(Status::Completed, None, 20);
        let ended = run.clone();
        run.end(Status::Failed, Some("too late".into()), 30);
        assert_eq!(run, ended);
    }
}
