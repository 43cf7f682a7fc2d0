//! Figures about alerts.

use std::collections::BTreeMap;

use actix_web::web;
use serde::Serialize;

use super::search::readable;
use crate::alert::{Severity, State as Life};
use crate::clock::rfc3339;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::protocol::codes::Code;
use crate::store::{AlertHour, AlertStatistics};

/// Rules that are told as noisiest.
const NOISIEST_MAX: usize = 10;

/// How many alerts there are, and how fast they are dealt with.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Statistics {
    /// All that are kept.
    pub total: u64,
    /// How many in each state.
    #[schema(value_type = Object)]
    pub by_state: BTreeMap<String, u64>,
    /// How many of each severity are not resolved.
    #[schema(value_type = Object)]
    pub by_severity: BTreeMap<&'static str, u64>,
    /// Mean time from firing to acknowledgement, of those that fired within the trend; null without any.
    pub mtta_minutes: Option<f64>,
    /// Mean time from firing to resolution, of those that fired within the trend; null without any.
    pub mttr_minutes: Option<f64>,
    /// The 24 hours up to the current one, oldest first.
    pub trend: Vec<Hour>,
    /// The rules whose alerts fired most within the trend.
    pub noisiest: Vec<Noisy>,
}

/// One hour of the trend.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = AlertHour)]
pub struct Hour {
    /// When it began, RFC 3339.
    pub hour: String,
    /// Alerts that fired in it.
    pub fired: u64,
    /// Alerts that were resolved in it.
    pub resolved: u64,
    /// Of those that fired in it.
    pub mtta_minutes: Option<f64>,
    /// Of those that fired in it.
    pub mttr_minutes: Option<f64>,
}

/// A rule that fires often.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = NoisyRule)]
pub struct Noisy {
    /// Its id.
    pub rule_id: String,
    /// What it is called.
    pub rule_name: Option<String>,
    /// How often its alerts fired.
    pub fired: u64,
}

/// Totals by state and severity, mean times, the trend by hour, the noisiest rules.
#[utoipa::path(get, path = "/api/v1/alerts/statistics", tag = "alerts",
    responses((status = 200, body = Statistics, description = "Figures"), crate::http::openapi::Refused))]
pub async fn statistics(state: web::Data<State>, caller: Caller) -> Result<web::Json<Statistics>, Problem> {
    // Figures do not tell apart what a narrowed token may read.
    if readable(&caller).len() < Severity::ALL.len() {
        return Err(Problem::new(Code::Forbidden, "the token does not allow alerts of all severities"));
    }
    let now_ms = state.services.clock.unix_ms();
    Ok(web::Json(state.store.alert_statistics(now_ms, NOISIEST_MAX).await?.into()))
}

impl From<AlertStatistics> for Statistics {
    fn from(figures: AlertStatistics) -> Self {
        let mut by_state: BTreeMap<_, _> = Life::ALL.map(|state| (state.as_str().to_owned(), 0)).into();
        by_state.extend(figures.by_state);
        let count = |severity: Severity| figures.by_severity[usize::from(severity.rank())];
        let noisy = |(rule_id, rule_name, fired)| Noisy { rule_id, rule_name, fired };
        Self {
            total: figures.total,
            by_state,
            by_severity: Severity::ALL.map(|severity| (severity.as_str(), count(severity))).into(),
            mtta_minutes: figures.mtta_ms.map(minutes),
            mttr_minutes: figures.mttr_ms.map(minutes),
            trend: figures.trend.into_iter().map(Hour::from).collect(),
            noisiest: figures.noisiest.into_iter().map(noisy).collect(),
        }
    }
}

impl From<AlertHour> for Hour {
    fn from(hour: AlertHour) -> Self {
        Self {
            hour: rfc3339(hour.from_ms),
            fired: hour.fired,
            resolved: hour.resolved,
            mtta_minutes: hour.mtta_ms.map(minutes),
            mttr_minutes: hour.mttr_ms.map(minutes),
        }
    }
}

fn minutes(ms: f64) -> f64 {
    ms / 60_000.0
}
