//! What people do to alerts: acknowledge and resolve, one or many. Two at once have one winner.

use actix_web::web;
use futures_util::future::join_all;

use super::one::find;
use super::posting::allow;
use crate::alert::{Alert, AlertError};
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::rules::bulk::{Failed, Outcome, read};
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::telemetry::Cause;

/// Longest comment, in bytes.
const COMMENT_BYTES_MAX: usize = 1_024;

/// What somebody has to say.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct AlertComment {
    /// Goes into the audit trail.
    comment: Option<String>,
}

/// What is to be done to alerts.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct AlertsBulk {
    /// Which; at most 500.
    ids: Vec<String>,
    /// `acknowledge` or `resolve`.
    action: String,
    /// Goes into the audit trail of each.
    comment: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Acknowledge,
    Resolve,
}

async fn act(
    state: &State,
    (caller, cause): (&Caller, &Cause),
    action: Action,
    id: &str,
    comment: Option<String>,
) -> Result<Alert, Problem> {
    allow(caller, find(state, caller, id).await?.severity)?;
    let (alerts, by) = (&state.services.alerts, &caller.0.sub);
    let done: Result<Alert, AlertError> = match action {
        Action::Acknowledge => alerts.acknowledge(id, by, comment, cause).await,
        Action::Resolve => alerts.resolve(id, by, comment, cause).await,
    };
    Ok(done?)
}

fn comment(body: &Body) -> Result<Option<String>, Problem> {
    let mut fields = body.fields(true)?;
    let comment = fields.optional_text("comment", 0..=COMMENT_BYTES_MAX);
    fields.check()?;
    Ok(comment.filter(|comment| !comment.is_empty()))
}

/// Takes an alert in hand. Again by the same person is fine; 409 when another was quicker, or it is over.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")), request_body = AlertComment,
    responses((status = 200, body = Alert, description = "As it stands"), crate::http::openapi::Refused))]
pub async fn acknowledge(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    asked: Asked,
) -> Result<web::Json<Alert>, Problem> {
    let comment = comment(&body)?;
    Ok(web::Json(act(&state, (&caller, &asked.0), Action::Acknowledge, &id, comment).await?))
}

/// Ends an alert. Again is fine. While its condition holds on, no other is opened before one good value.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/resolve", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")), request_body = AlertComment,
    responses((status = 200, body = Alert, description = "As it stands"), crate::http::openapi::Refused))]
pub async fn resolve(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    asked: Asked,
) -> Result<web::Json<Alert>, Problem> {
    let comment = comment(&body)?;
    Ok(web::Json(act(&state, (&caller, &asked.0), Action::Resolve, &id, comment).await?))
}

/// Acknowledges or resolves many alerts, each by itself.
#[utoipa::path(post, path = "/api/v1/alerts/bulk-update", tag = "alerts", request_body = AlertsBulk,
    responses((status = 200, body = Outcome, description = "What became of each"), crate::http::openapi::Refused))]
pub async fn bulk_update(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<web::Json<Outcome>, Problem> {
    let (ids, action, comment) = read(&body, &["acknowledge", "resolve"])?;
    let action = if action == "resolve" { Action::Resolve } else { Action::Acknowledge };
    // At once: what is committed together costs one commit.
    let all = ids.iter().map(|id| act(&state, (&caller, &asked.0), action, id, comment.clone()));
    let mut outcome = Outcome { done: Vec::new(), failed: Vec::new() };
    for (id, done) in ids.iter().zip(join_all(all).await) {
        match done {
            Ok(alert) => outcome.done.push(alert.id),
            Err(problem) => outcome.failed.push(Failed {
                id: id.clone(),
                code: problem.code().row().name,
                detail: problem.to_string(),
                state: problem.member("state").and_then(|state| crate::alert::State::parse(state.as_str()?)),
            }),
        }
    }
    Ok(web::Json(outcome))
}
