//! Rules by which alerts hold others back.

use actix_web::{HttpResponse, web};

use super::{Kept, Policy, create as make, delete as forget, one as show, page, replace as write};
use crate::alert::{FieldError, InhibitionDefinition};
use crate::http::body::Body;
use crate::http::definition::IfMatch;
use crate::http::guard::Caller;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::store::PolicyKind;

impl Policy for InhibitionDefinition {
    const KIND: PolicyKind = PolicyKind::Inhibition;
    const PATH: &'static str = "/api/v1/inhibitions";
    const NAME: &'static str = "inhibition rule";
    type View = Kept<Self>;

    fn checked(&self, id: &str) -> Result<(), Vec<FieldError>> {
        self.check(id).map(drop)
    }

    fn view(kept: Kept<Self>, _now_ms: u64) -> Kept<Self> {
        kept
    }
}

/// Inhibition rules by id.
#[utoipa::path(get, path = "/api/v1/inhibitions", tag = "alerts", params(crate::http::openapi::PageParams),
    responses((status = 200, body = Page<Kept<InhibitionDefinition>>, description = "One page"), crate::http::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    query: Query,
) -> Result<web::Json<Page<Kept<InhibitionDefinition>>>, Problem> {
    page::<InhibitionDefinition>(&state, query).await
}

/// Makes an inhibition rule; the hub gives the id, unless the body has one.
#[utoipa::path(post, path = "/api/v1/inhibitions", tag = "alerts", request_body = InhibitionDefinition,
    responses((status = 201, body = Kept<InhibitionDefinition>, description = "Made"), crate::http::openapi::Refused))]
pub async fn create(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    make::<InhibitionDefinition>(&state, &caller, &body).await
}

/// One inhibition rule.
#[utoipa::path(get, path = "/api/v1/inhibitions/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Kept<InhibitionDefinition>, description = "As it stands"), crate::http::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    show::<InhibitionDefinition>(&state, &id).await
}

/// Replaces an inhibition rule, with `If-Match` or `version` only the one that was read.
#[utoipa::path(put, path = "/api/v1/inhibitions/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")), request_body = InhibitionDefinition,
    responses((status = 200, body = Kept<InhibitionDefinition>, description = "Replaced"), crate::http::openapi::Refused))]
pub async fn replace(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    write::<InhibitionDefinition>(&state, &caller, &id, &body, version).await
}

/// Forgets an inhibition rule.
#[utoipa::path(delete, path = "/api/v1/inhibitions/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Forgotten"), crate::http::openapi::Refused))]
pub async fn delete(
    state: web::Data<State>,
    id: web::Path<String>,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    forget::<InhibitionDefinition>(&state, &id, version).await
}
