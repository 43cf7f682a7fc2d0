//! Windows in which alerts are held back.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Kept, Policy, create as make, delete as forget, one as show, page, replace as write};
use crate::alert::{FieldError, WindowDefinition};
use crate::clock::rfc3339;
use crate::http::body::Body;
use crate::http::definition::IfMatch;
use crate::http::guard::Caller;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::store::PolicyKind;

/// A window as it stands.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SuppressionWindow)]
pub struct WindowView {
    /// What it says.
    #[serde(flatten)]
    pub window: Kept<WindowDefinition>,
    /// Whether alerts are held back now.
    pub active: bool,
    /// Until when, RFC 3339; windows that touch are one.
    pub active_until: Option<String>,
    /// When it begins next, RFC 3339.
    pub next_start: Option<String>,
    /// Whether it is over for good.
    pub over: bool,
}

impl Policy for WindowDefinition {
    const KIND: PolicyKind = PolicyKind::Suppression;
    const PATH: &'static str = "/api/v1/suppression";
    const NAME: &'static str = "suppression window";
    const VIEWS: &'static [&'static str] = &["active", "active_until", "next_start", "over"];
    type View = WindowView;

    fn checked(&self, id: &str) -> Result<(), Vec<FieldError>> {
        self.check(id).map(drop)
    }

    fn view(window: Kept<Self>, now_ms: u64) -> WindowView {
        // Kept ones were checked.
        let schedule = window.definition.check(&window.id).ok().map(|window| window.schedule);
        let until_ms = schedule.as_ref().and_then(|schedule| schedule.active_until_ms(now_ms));
        let next_ms = schedule.as_ref().and_then(|schedule| schedule.next_start_ms(now_ms));
        WindowView {
            window,
            active: until_ms.is_some(),
            active_until: until_ms.map(rfc3339),
            next_start: next_ms.map(rfc3339),
            over: until_ms.is_none() && next_ms.is_none(),
        }
    }
}

/// Suppression windows by id.
#[utoipa::path(get, path = "/api/v1/suppression", tag = "alerts", params(crate::http::openapi::PageParams),
    responses((status = 200, body = Page<WindowView>, description = "One page"), crate::http::openapi::Refused))]
pub async fn list(state: web::Data<State>, query: Query) -> Result<web::Json<Page<WindowView>>, Problem> {
    page::<WindowDefinition>(&state, query).await
}

/// Makes a suppression window; the hub gives the id, unless the body has one.
#[utoipa::path(post, path = "/api/v1/suppression", tag = "alerts", request_body = WindowDefinition,
    responses((status = 201, body = WindowView, description = "Made"), crate::http::openapi::Refused))]
pub async fn create(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    make::<WindowDefinition>(&state, &caller, &body).await
}

/// One suppression window.
#[utoipa::path(get, path = "/api/v1/suppression/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = WindowView, description = "As it stands"), crate::http::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    show::<WindowDefinition>(&state, &id).await
}

/// Replaces a suppression window, with `If-Match` or `version` only the one that was read.
#[utoipa::path(put, path = "/api/v1/suppression/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")), request_body = WindowDefinition,
    responses((status = 200, body = WindowView, description = "Replaced"), crate::http::openapi::Refused))]
pub async fn replace(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    write::<WindowDefinition>(&state, &caller, &id, &body, version).await
}

/// Forgets a suppression window.
#[utoipa::path(delete, path = "/api/v1/suppression/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Forgotten"), crate::http::openapi::Refused))]
pub async fn delete(
    state: web::Data<State>,
    id: web::Path<String>,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    forget::<WindowDefinition>(&state, &id, version).await
}
