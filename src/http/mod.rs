//! Routes, the WebSocket upgrade, the embedded console.
//!
//! A request comes in by [`door`] (identity, origin, headers, log line), passes its row of the table of
//! permissions in [`guard`], and reaches one handler:
//!
//! - [`login`], [`connections`], [`rooms`], [`streaming`], [`fallback`], [`alerts`], [`rules`], [`policies`], [`templates`], [`heartbeats`], [`metrics`], [`alertmanager`], [`deployments`], [`events`],
//!   [`operations`], [`breakers`], [`demo`], [`e2e`], [`testing`], [`sim`], [`performance`], [`topics`], [`nodes`],
//!   [`supervision`],
//!   [`health`], [`console`], [`openapi`], [`sockets`]: one resource each
//! - [`query`], [`body`], [`definition`], [`page`]: reading what was asked; [`idempotency`]: once a key; [`problem`]: every refusal
//! - [`state`], [`desk`]: what handlers work with, and keep between requests
//! - [`forward`]: what another hub node owns is asked there
//! - [`port`]: what a worker does with a stream: requests to the application, upgrades to a doorkeeper
//! - [`upgrade`]: the hub's doorkeeper: from a request to a connection, judged by the same functions as the routes

pub mod alertmanager;
pub mod alerts;
pub mod body;
pub mod breakers;
mod browser;
pub mod connections;
pub mod console;
pub mod definition;
pub mod demo;
pub mod deployments;
pub mod desk;
mod door;
pub mod e2e;
pub mod events;
pub mod fallback;
pub mod forward;
pub mod guard;
pub mod health;
pub mod heartbeats;
pub mod idempotency;
pub mod login;
pub mod login_limit;
pub mod loop_lag;
pub mod metrics;
pub mod nodes;
pub mod openapi;
pub mod operations;
pub mod origin;
pub mod page;
pub mod performance;
pub mod policies;
pub mod port;
pub mod problem;
pub mod query;
pub mod rates;
pub mod rooms;
pub mod rules;
pub mod sim;
pub mod sockets;
pub mod state;
pub mod streaming;
pub mod supervision;
pub mod templates;
pub mod testing;
pub mod topics;
pub mod trace;
pub mod upgrade;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, Error, web};

pub use desk::Desk;
pub use loop_lag::{LagActor, LoopLag};
pub use state::State;

use guard::{creating, on};

/// The application: every route, and what all requests pass.
pub fn app(
    state: web::Data<State>,
) -> App<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>,
> {
    App::new()
        .app_data(state)
        .configure(routes)
        .default_service(web::to(console::fallback))
        .wrap(Compress::default())
        .wrap(from_fn(door::enter))
}

/// Every route has its row in `auth::permission::ROUTES`.
fn routes(config: &mut web::ServiceConfig) {
    config.configure(clients).configure(alerting).configure(operating);
}

/// Connections, topics, events, nodes.
fn clients(config: &mut web::ServiceConfig) {
    config
        .service(on("POST", "/api/v1/connections/login", login::login))
        .service(on("POST", "/api/v1/connections/exchange", login::exchange))
        .service(on("POST", "/api/v1/connections/refresh", login::refresh))
        .service(on("POST", "/api/v1/connections/logout", login::logout))
        .service(on("GET", "/api/v1/connections/stats", connections::stats))
        .service(on("GET", "/api/v1/connections/list", connections::list))
        .service(on("GET", "/api/v1/connections/rooms", rooms::list))
        .service(on("GET", "/api/v1/connections/rooms/{room}", rooms::one))
        .service(on("GET", "/api/v1/connections/rooms/{room}/history", rooms::history))
        .service(on("DELETE", "/api/v1/connections/{client_id}", connections::disconnect))
        .service(on("GET", "/api/v1/streaming/metrics/current", streaming::current))
        .service(on("GET", "/api/v1/streaming/metrics/history", streaming::history))
        .service(on("GET", "/api/v1/streaming/poll", fallback::poll::poll))
        .service(on("GET", "/api/v1/streaming/sse", fallback::sse::sse))
        .service(on("GET", "/api/v1/streaming/topics", topics::list))
        .service(on("GET", "/api/v1/streaming/alerts", alerts::broadcasts::list))
        .service(creating("/api/v1/streaming/alerts", alerts::broadcasts::create))
        .service(creating("/api/v1/streaming/deployments", deployments::create))
        .service(creating("/api/v1/events/publish", events::publish))
        .service(on("GET", "/api/v1/events", events::recent::list))
        .service(on("GET", "/api/v1/events/offline/{client_id}", events::offline::queue))
        .service(on("GET", "/api/v1/events/sync", events::sync::list))
        .service(on("GET", "/api/v1/events/sync/{doc}", events::sync::one))
        .service(on("GET", "/api/v1/nodes", nodes::list))
        .service(on("GET", "/api/v1/nodes/{id}", nodes::one))
        .service(on("GET", "/ws/{client_id}", sockets::upgrade_required));
}

/// Rules, alerts, and what has to do with them.
fn alerting(config: &mut web::ServiceConfig) {
    config
        .service(on("GET", "/api/v1/rules", rules::list))
        .service(creating("/api/v1/rules", rules::create))
        .service(on("POST", "/api/v1/rules/bulk", rules::bulk::bulk))
        .service(on("POST", "/api/v1/rules/preview", rules::preview::preview))
        .service(on("POST", "/api/v1/test/rule", rules::preview::test))
        .service(on("GET", "/api/v1/templates", templates::list))
        .service(creating("/api/v1/templates", templates::create))
        .service(on("GET", "/api/v1/templates/{id}", templates::one))
        .service(on("PUT", "/api/v1/templates/{id}", templates::replace))
        .service(on("DELETE", "/api/v1/templates/{id}", templates::delete))
        .service(on("GET", "/api/v1/rules/{id}", rules::one))
        .service(on("PUT", "/api/v1/rules/{id}", rules::replace))
        .service(on("DELETE", "/api/v1/rules/{id}", rules::delete))
        .service(on("GET", "/api/v1/rules/{id}/explain", rules::explain::explain))
        .service(creating("/api/v1/metrics/ingest", metrics::ingest))
        .service(creating("/api/v1/metrics/simulate", metrics::walk::simulate))
        .service(on("GET", "/api/v1/alerts", alerts::search::list))
        .service(creating("/api/v1/alerts", alerts::posting::create))
        .service(on("POST", "/api/v1/alerts/bulk-update", alerts::by_hand::bulk_update))
        .service(creating("/api/v1/alerts/simulate", alerts::posting::simulate))
        .service(on("POST", "/api/v1/alerts/{id}/acknowledge", alerts::by_hand::acknowledge))
        .service(on("POST", "/api/v1/alerts/{id}/resolve", alerts::by_hand::resolve))
        .service(on("GET", "/api/v1/heartbeats", heartbeats::list))
        .service(on("GET", "/api/v1/heartbeats/{name}", heartbeats::one))
        .service(on("POST", "/api/v1/heartbeats/{name}", heartbeats::beat))
        .service(on("DELETE", "/api/v1/heartbeats/{name}", heartbeats::forget))
        .service(on("GET", "/api/v1/alerts/active", alerts::search::active))
        .service(on("POST", "/api/v1/alerts/search", alerts::search::search))
        .service(on("GET", "/api/v1/alerts/statistics", alerts::statistics::statistics))
        .service(on("POST", "/api/v1/alerts/export", alerts::export::export))
        .service(on("GET", "/api/v1/alerts/{id}", alerts::one::one))
        .service(on("GET", "/api/v1/alerts/{id}/history", alerts::one::history))
        .service(on("GET", "/api/v1/suppression", policies::suppression::list))
        .service(creating("/api/v1/suppression", policies::suppression::create))
        .service(on("GET", "/api/v1/suppression/{id}", policies::suppression::one))
        .service(on("PUT", "/api/v1/suppression/{id}", policies::suppression::replace))
        .service(on("DELETE", "/api/v1/suppression/{id}", policies::suppression::delete))
        .service(on("GET", "/api/v1/inhibitions", policies::inhibitions::list))
        .service(creating("/api/v1/inhibitions", policies::inhibitions::create))
        .service(on("GET", "/api/v1/inhibitions/{id}", policies::inhibitions::one))
        .service(on("PUT", "/api/v1/inhibitions/{id}", policies::inhibitions::replace))
        .service(on("DELETE", "/api/v1/inhibitions/{id}", policies::inhibitions::delete))
        .service(on("GET", "/api/v1/escalation-policies", policies::escalation::list))
        .service(creating("/api/v1/escalation-policies", policies::escalation::create))
        .service(on("GET", "/api/v1/escalation-policies/{id}", policies::escalation::one))
        .service(on("PUT", "/api/v1/escalation-policies/{id}", policies::escalation::replace))
        .service(on("DELETE", "/api/v1/escalation-policies/{id}", policies::escalation::delete))
        .service(on("GET", "/api/v2/alerts", alertmanager::alerts::list))
        .service(creating("/api/v2/alerts", alertmanager::alerts::post))
        .service(on("GET", "/api/v2/alerts/groups", alertmanager::alerts::groups))
        .service(on("GET", "/api/v2/silences", alertmanager::silences::list))
        .service(creating("/api/v2/silences", alertmanager::silences::post))
        .service(on("GET", "/api/v2/silence/{id}", alertmanager::silences::one))
        .service(on("DELETE", "/api/v2/silence/{id}", alertmanager::silences::expire))
        .service(on("GET", "/api/v2/receivers", alertmanager::alerts::receivers))
        .service(on("GET", "/api/v2/status", alertmanager::status::status));
}

/// The hub itself: operations, load tests, health, documentation.
fn operating(config: &mut web::ServiceConfig) {
    config
        .service(on("GET", "/api/v1/operations/overview", operations::overview))
        .service(on("POST", "/api/v1/operations/degrade", breakers::degrade))
        .service(on("POST", "/api/v1/operations/recover", breakers::recover))
        .service(creating("/api/v1/operations/simulate", demo::simulate))
        .service(creating("/api/v1/operations/demo", demo::demo))
        .service(on("POST", "/api/v1/operations/e2e", e2e::run))
        .service(creating("/api/v1/testing/start", testing::start))
        .service(creating("/api/v1/testing/chaos/reconnect", testing::reconnect))
        .service(on("GET", "/api/v1/testing/limits", testing::limits))
        .service(on("GET", "/api/v1/testing/runs", testing::list))
        .service(on("GET", "/api/v1/testing/runs/{id}", testing::one))
        .service(on("POST", "/api/v1/testing/runs/{id}/stop", testing::stop))
        .service(on("GET", "/api/v1/performance/snapshot", performance::snapshot))
        .service(on("GET", "/api/v1/performance/stats", performance::stats::stats))
        .service(on("GET", "/api/v1/performance/cache", performance::cache::caches))
        .service(on("GET", "/api/v1/performance/prometheus", performance::prometheus))
        .service(on("GET", "/api/v1/supervision", supervision::tree))
        .service(on("GET", "/api/sim/scenarios", sim::scenarios))
        .service(on("GET", "/api/sim/status", sim::status))
        .service(on("POST", "/api/sim/enable", sim::enable))
        .service(on("POST", "/api/sim/disable", sim::disable))
        .service(on("POST", "/api/sim/reset", sim::reset))
        .service(on("GET", "/api/health", health::health))
        .service(on("GET", "/healthz", health::live))
        .service(on("GET", "/readyz", health::ready))
        .service(on("GET", "/metrics", operations::metrics))
        .service(on("GET", "/api/openapi.json", openapi::document))
        .service(on("GET", "/docs", console::docs));
}
