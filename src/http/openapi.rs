//! The OpenAPI document, made from the handlers and their types.

use std::sync::OnceLock;

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::problem::{Body as ProblemBody, FieldError};
use super::{
    alertmanager, alerts, breakers, connections, console, demo, deployments, e2e, events, fallback, health,
    heartbeats, login, metrics, nodes, operations, performance, policies, rooms, rules, sim, sockets,
    streaming, supervision, templates, testing, topics,
};

/// What every route may answer instead.
#[derive(IntoResponses)]
#[response(status = "default", description = "Refused", content_type = "application/problem+json")]
#[expect(dead_code, reason = "describes answers in the document")]
pub struct Refused(ProblemBody<'static>);

/// What part of a list is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query in the document; it is read by name")]
pub struct PageParams {
    /// At most so many items; 50 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.bearer_format = Some("JWT".to_owned());
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "InfraWatch", description = "Realtime monitoring hub"),
    paths(
        login::login, login::exchange, login::refresh, login::logout,
        connections::stats, connections::list, connections::disconnect,
        rooms::list, rooms::one, rooms::history,
        streaming::current, streaming::history, fallback::poll::poll, fallback::sse::sse,
        topics::list, alerts::broadcasts::list, alerts::broadcasts::create, deployments::create,
        rules::list, rules::create, rules::bulk::bulk, rules::one, rules::replace, rules::delete, rules::explain::explain, metrics::ingest, metrics::walk::simulate,
        alerts::search::list, alerts::posting::create, alerts::by_hand::bulk_update, alerts::posting::simulate, alerts::by_hand::acknowledge, alerts::by_hand::resolve, heartbeats::list, heartbeats::one, heartbeats::beat, heartbeats::forget,  alerts::search::active, alerts::search::search, alerts::statistics::statistics, alerts::export::export, alerts::one::one, alerts::one::history, policies::suppression::list, policies::suppression::create, policies::suppression::one, policies::suppression::replace, policies::suppression::delete, policies::inhibitions::list, policies::inhibitions::create, policies::inhibitions::one, policies::inhibitions::replace, policies::inhibitions::delete, policies::escalation::list, policies::escalation::create, policies::escalation::one, policies::escalation::replace, policies::escalation::delete,
        rules::preview::preview, rules::preview::test, templates::list, templates::create, templates::one, templates::replace, templates::delete,
        alertmanager::alerts::list, alertmanager::alerts::post, alertmanager::alerts::groups, alertmanager::silences::list, alertmanager::silences::post, alertmanager::silences::one, alertmanager::silences::expire, alertmanager::alerts::receivers, alertmanager::status::status,
        events::publish, events::recent::list, events::offline::queue, events::sync::list, events::sync::one,
        operations::overview, breakers::degrade, breakers::recover,
        demo::simulate, demo::demo, e2e::run,
        testing::start, testing::reconnect, testing::limits, testing::list, testing::one, testing::stop,
        sim::scenarios, sim::status, sim::enable, sim::disable, sim::reset,
        performance::snapshot, performance::stats::stats, performance::cache::caches, performance::prometheus, supervision::tree,
        nodes::list, nodes::one,
        health::health, health::live, health::ready, operations::metrics,
        document, console::docs, sockets::upgrade_required,
    ),
    components(schemas(ProblemBody<'static>, FieldError)),
    security(("bearer" = [])),
    modifiers(&Bearer),
)]
struct Document;

/// The document as JSON text; made once.
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| Document::openapi().to_json().unwrap_or_default())
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "documentation", security(()),
    responses((status = 200, body = Object, description = "The document", content_type = "application/json")))]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(web::Bytes::from_static(text().as_bytes()))
}
