//! What is cached, and how often it helps. Only caches that exist are listed.

use actix_web::web;
use serde::Serialize;

use crate::http::state::State;

/// All caches.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Caches {
    /// Each with its figures.
    pub caches: Vec<Cache>,
    /// What a reader should know besides.
    pub note: Option<&'static str>,
}

/// One cache.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Cache {
    /// Its name.
    pub name: &'static str,
    /// What it spares.
    pub purpose: &'static str,
    /// What is in it.
    pub entries: u64,
    /// What may be in it.
    pub entries_max: u64,
    /// Look-ups that found something.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// 0 to 1; null before the first look-up.
    pub hit_rate: Option<f64>,
}

/// What is cached, and how often it helps.
#[utoipa::path(get, path = "/api/v1/performance/cache", tag = "performance",
    responses((status = 200, body = Caches, description = "The caches"), crate::http::openapi::Refused))]
pub async fn caches(state: web::Data<State>) -> web::Json<Caches> {
    let (hits, misses) = state.desk.reports().read();
    let lookups = hits + misses;
    let health = Cache {
        name: "health_report",
        purpose: "a report is good for a second, however many ask",
        entries: misses.min(1),
        entries_max: 1,
        hits,
        misses,
        hit_rate: (lookups > 0).then(|| hits as f64 / lookups as f64),
    };
    let note = Some("queries of samples are read from the store each time; nothing of them is cached");
    web::Json(Caches { caches: vec![health], note })
}
