//! One alert, and its audit trail.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use super::search::readable;
use crate::alert::{Alert, Transition};
use crate::http::guard::Caller;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::protocol::codes::Code;
use crate::store::StoreError;

/// The alert of this id, if the caller may read it.
pub(super) async fn find(state: &State, caller: &Caller, id: &str) -> Result<Alert, Problem> {
    let found = state.store.alert(id).await?.map(Alert::from_record).transpose()?;
    let alert = found.ok_or_else(|| Problem::new(Code::NotFound, "there is no alert of this id"))?;
    if !readable(caller).contains(&alert.severity) {
        let detail = format!("the token does not allow alerts of severity {}", alert.severity);
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(alert)
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    responses((status = 200, body = Alert, description = "The alert"), crate::http::openapi::Refused))]
pub async fn one(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let alert = find(&state, &caller, &id).await?;
    let version = (header::ETAG, format!("\"{}\"", alert.version));
    Ok(HttpResponse::Ok().insert_header(version).json(alert))
}

/// The steps of an alert's life, oldest first; the first is from null.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/history", tag = "alerts",
    params(("id" = String, Path, description = "The alert's id")),
    responses((status = 200, body = Page<Transition>, description = "Its steps"), crate::http::openapi::Refused))]
pub async fn history(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
) -> Result<web::Json<Page<Transition>>, Problem> {
    let alert = find(&state, &caller, &id).await?;
    let steps = state.store.alert_history(&alert.id).await?;
    let items = steps.into_iter().map(Transition::from_record).collect::<Result<_, StoreError>>()?;
    Ok(web::Json(Page { items, next_cursor: None }))
}
