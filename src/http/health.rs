//! How the hub does: six checks, each within its limit, all at once; liveness and readiness.

pub mod checks;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::Instant;

use super::problem::Problem;
use super::state::State;
use crate::clock::rfc3339;
use crate::protocol::codes::Code;

/// How long one check may take, in milliseconds.
const CHECK_MS_MAX: u64 = 5_000;

/// A report is good for so long, however many ask, in milliseconds.
pub const REPORT_MS: u64 = 1_000;

/// How something does, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should.
    Healthy,
    /// It works, and somebody should look.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How it does.
    pub status: Status,
    /// In words, with the figures it was judged by.
    pub detail: String,
}

/// One check in the report.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Check {
    /// How it does.
    pub status: Status,
    /// In words, with the figures it was judged by.
    pub detail: String,
    /// How long the check took.
    pub duration_ms: u64,
    /// When it was done, RFC 3339.
    pub checked_at: String,
}

/// All checks.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// The worst of the checks.
    pub status: Status,
    /// Always `infrawatch`.
    pub service: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// By name.
    pub checks: BTreeMap<&'static str, Check>,
}

/// A check under way.
pub type Probe<'a> = (&'static str, Pin<Box<dyn Future<Output = Finding> + 'a>>);

/// Runs the checks at once, each within its limit.
pub async fn run(probes: Vec<Probe<'_>>, version: &'static str, unix_ms: impl Fn() -> u64) -> Report {
    let unix_ms = &unix_ms;
    let checks = probes.into_iter().map(|(name, probe)| async move {
        let started = Instant::now();
        let limit = Duration::from_millis(CHECK_MS_MAX);
        let finding = tokio::time::timeout(limit, probe).await.unwrap_or_else(|_elapsed| Finding {
            status: Status::Unhealthy,
            detail: format!("no answer within {CHECK_MS_MAX} ms"),
        });
        let check = Check {
            status: finding.status,
            detail: finding.detail,
            duration_ms: started.elapsed().as_millis() as u64,
            checked_at: rfc3339(unix_ms()),
        };
        (name, check)
    });
    let checks: BTreeMap<_, _> = join_all(checks).await.into_iter().collect();
    let status = checks.values().map(|check| check.status).max().unwrap_or(Status::Healthy);
    Report { status, service: "infrawatch", version, checks }
}

/// The health of the hub; 503 when it is unhealthy.
#[utoipa::path(get, path = "/api/health", tag = "health", security(()),
    responses((status = 200, body = Report, description = "Healthy or degraded"),
        (status = 503, body = Report, description = "Unhealthy")))]
pub async fn health(state: web::Data<State>) -> HttpResponse {
    let report = state.desk.health(&state).await;
    match report.status {
        Status::Healthy | Status::Degraded => HttpResponse::Ok().json(report),
        Status::Unhealthy => HttpResponse::ServiceUnavailable().json(report),
    }
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, body = String, description = "It does", content_type = "text/plain")))]
pub async fn live() -> &'static str {
    "ok"
}

/// Whether the hub takes work: not while it stops, nor without its store.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses((status = 200, body = String, description = "It does", content_type = "text/plain"), super::openapi::Refused))]
pub async fn ready(state: web::Data<State>) -> Result<&'static str, Problem> {
    if state.is_draining() {
        return Err(Problem::new(Code::Draining, "the hub is stopping"));
    }
    let report = state.desk.health(&state).await;
    match report.checks.get(checks::STORE) {
        Some(check) if check.status == Status::Unhealthy => {
            Err(Problem::new(Code::StoreUnavailable, check.detail.clone()))
        }
        _ => Ok("ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe<'a>(name: &'static str, status: Status) -> Probe<'a> {
        (name, Box::pin(async move { Finding { status, detail: "x".into() } }))
    }

    #[tokio::test(start_paused = true)]
    async fn the_worst_check_is_the_status_and_a_hanging_one_ends_at_its_limit() {
        let report = run(vec![probe("a", Status::Healthy), probe("b", Status::Degraded)], "v", || 0).await;
        assert_eq!(report.status, Status::Degraded);
        let begun = Instant::now();
        let hangs: Probe<'_> = ("c", Box::pin(std::future::pending()));
        let hangs_too: Probe<'_> = ("d", Box::pin(std::future::pending()));
        let report = run(vec![probe("a", Status::Healthy), hangs, hangs_too], "v", || 0).await;
        assert_eq!(report.status, Status::Unhealthy);
        assert_eq!(report.checks["c"].detail, "no answer within 5000 ms");
        assert_eq!(begun.elapsed().as_millis(), 5_000, "both at once");
        assert_eq!((report.checks["a"].duration_ms, report.checks["c"].duration_ms), (0, 5_000));
    }
}
