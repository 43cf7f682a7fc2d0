//! Who is told when nobody acknowledges.

use actix_web::{HttpResponse, web};

use super::{Kept, Policy, create as make, delete as forget, one as show, page, replace as write};
use crate::alert::{FieldError, Policy as Escalation};
use crate::http::body::Body;
use crate::http::definition::IfMatch;
use crate::http::guard::Caller;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::store::PolicyKind;

impl Policy for Escalation {
    const KIND: PolicyKind = PolicyKind::Escalation;
    const PATH: &'static str = "/api/v1/escalation-policies";
    const NAME: &'static str = "escalation policy";
    type View = Kept<Self>;

    fn checked(&self, _id: &str) -> Result<(), Vec<FieldError>> {
        self.check()
    }

    fn view(kept: Kept<Self>, _now_ms: u64) -> Kept<Self> {
        kept
    }
}

/// Escalation policies by id.
#[utoipa::path(get, path = "/api/v1/escalation-policies", tag = "alerts", params(crate::http::openapi::PageParams),
    responses((status = 200, body = Page<Kept<Escalation>>, description = "One page"), crate::http::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    query: Query,
) -> Result<web::Json<Page<Kept<Escalation>>>, Problem> {
    page::<Escalation>(&state, query).await
}

/// Makes an escalation policy; the hub gives the id, unless the body has one.
#[utoipa::path(post, path = "/api/v1/escalation-policies", tag = "alerts", request_body = Escalation,
    responses((status = 201, body = Kept<Escalation>, description = "Made"), crate::http::openapi::Refused))]
pub async fn create(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    make::<Escalation>(&state, &caller, &body).await
}

/// One escalation policy.
#[utoipa::path(get, path = "/api/v1/escalation-policies/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = Kept<Escalation>, description = "As it stands"), crate::http::openapi::Refused))]
pub async fn one(state: web::Data<State>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    show::<Escalation>(&state, &id).await
}

/// Replaces an escalation policy, with `If-Match` or `version` only the one that was read.
#[utoipa::path(put, path = "/api/v1/escalation-policies/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")), request_body = Escalation,
    responses((status = 200, body = Kept<Escalation>, description = "Replaced"), crate::http::openapi::Refused))]
pub async fn replace(
    state: web::Data<State>,
    caller: Caller,
    id: web::Path<String>,
    body: Body,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    write::<Escalation>(&state, &caller, &id, &body, version).await
}

/// Forgets an escalation policy.
#[utoipa::path(delete, path = "/api/v1/escalation-policies/{id}", tag = "alerts", params(("id" = String, Path, description = "Its id")),
    responses((status = 204, description = "Forgotten"), crate::http::openapi::Refused))]
pub async fn delete(
    state: web::Data<State>,
    id: web::Path<String>,
    version: IfMatch,
) -> Result<HttpResponse, Problem> {
    forget::<Escalation>(&state, &id, version).await
}
