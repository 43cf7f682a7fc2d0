//! Breakers: how they stand, opening one by hand, and closing them again.

use actix_web::web;
use serde::Serialize;

use super::body::Body;
use super::guard::Caller;
use super::problem::Problem;
use super::state::State;
use crate::breaker::{State as Position, Subsystem, View, WhileOpen};
use crate::clock::rfc3339;

/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = 256;

/// One breaker.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Breaker {
    /// Its subsystem.
    pub subsystem: &'static str,
    /// Where it is in its life.
    pub state: Position,
    /// Whether it stays open until it is reset.
    pub forced: bool,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why.
    pub reason: String,
    /// How long until it tries again, while it is open by itself.
    pub retry_after_ms: Option<u64>,
    /// What it guards.
    pub guards: &'static str,
    /// What becomes of calls while it is open.
    pub while_open: WhileOpen,
    /// The same in words.
    pub while_open_detail: &'static str,
    /// What it has counted lately.
    pub window: Window,
    /// How often it opened since the start.
    pub opened: u64,
    /// Calls that it did not let through since the start.
    pub refused: u64,
    /// What waits for it to close; null where nothing can.
    pub held: Option<Held>,
}

/// Calls within the sliding window.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BreakerWindow)]
pub struct Window {
    /// Its length.
    pub span_ms: u64,
    /// All calls.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
}

/// What waits for a breaker to close.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Held {
    /// How many.
    pub items: usize,
    /// Their bytes; null where they wait in the store.
    pub bytes: Option<usize>,
    /// How many may wait; null where bytes are bounded.
    pub items_max: Option<usize>,
    /// How many bytes may wait; null where items are bounded.
    pub bytes_max: Option<usize>,
    /// How many found no room since the start.
    pub overflowed: u64,
}

/// What opening a breaker did.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Degraded {
    /// Which.
    pub subsystem: &'static str,
    /// Always `open`.
    pub state: Position,
    /// Always true.
    pub forced: bool,
    /// Always `recover`: nothing else closes it.
    pub until: &'static str,
    /// What becomes of calls now.
    pub while_open: WhileOpen,
    /// The same in words.
    pub while_open_detail: &'static str,
    /// The breaker.
    pub breaker: Breaker,
}

/// What closing breakers did.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Recovered {
    /// Those that were not closed before.
    pub recovered: Vec<&'static str>,
    /// All breakers.
    pub breakers: Vec<Breaker>,
}

/// A breaker to open.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct Degrade {
    /// `streaming`, `alerts`, `events` or `store`.
    subsystem: String,
    /// Why; everybody is told.
    reason: Option<String>,
}

/// Breakers to close.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct Recover {
    /// `streaming`, `alerts`, `events` or `store`; all when left out.
    subsystem: Option<String>,
}

/// All breakers, in the order of their table.
pub fn all(state: &State) -> Vec<Breaker> {
    let span_ms = state.services.breakers.settings().window_ms;
    let views = state.services.breakers.views();
    views.into_iter().map(|view| breaker(state, view, span_ms)).collect()
}

fn breaker(state: &State, view: View, span_ms: u64) -> Breaker {
    let row = view.change.subsystem.row();
    Breaker {
        subsystem: row.name,
        state: view.change.state,
        forced: view.change.forced,
        since: rfc3339(view.change.unix_ms),
        reason: view.change.reason,
        retry_after_ms: view.retry_after_ms.filter(|_| view.change.state == Position::Open),
        guards: row.guards,
        while_open: row.while_open,
        while_open_detail: row.detail,
        window: Window { span_ms, calls: view.tally.calls, failures: view.tally.failures },
        opened: view.opened,
        refused: view.refused,
        held: held(state, view.change.subsystem),
    }
}

fn held(state: &State, subsystem: Subsystem) -> Option<Held> {
    match subsystem {
        Subsystem::Alerts => Some(Held {
            items: state.services.alerts.waiting(),
            bytes: None,
            items_max: Some(state.services.breakers.settings().alerts_queue_max),
            bytes_max: None,
            overflowed: state.services.alerts.overflowed(),
        }),
        Subsystem::Store => {
            let spilled = state.services.ingest.spilled();
            Some(Held {
                items: spilled.batches,
                bytes: Some(spilled.bytes),
                items_max: None,
                bytes_max: Some(spilled.bytes_max),
                overflowed: spilled.overflowed,
            })
        }
        Subsystem::Streaming | Subsystem::Events => None,
    }
}

/// Opens a breaker by hand. It stays open until it is recovered, and really refuses, queues or spills.
#[utoipa::path(post, path = "/api/v1/operations/degrade", tag = "operations", request_body = Degrade,
    responses((status = 200, body = Degraded, description = "It is open"), super::openapi::Refused))]
pub async fn degrade(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
) -> Result<web::Json<Degraded>, Problem> {
    let mut fields = body.fields(false)?;
    let name = fields.word("subsystem", &Subsystem::ALL.map(Subsystem::name));
    let reason = fields.optional_text("reason", 1..=REASON_BYTES_MAX);
    fields.check()?;
    let Some(subsystem) = name.and_then(Subsystem::parse) else {
        return Err(Problem::new(crate::protocol::codes::Code::InvalidField, "/subsystem: is not known"));
    };
    let by = match reason {
        Some(reason) => format!("{}: {reason}", caller.0.sub),
        None => caller.0.sub.clone(),
    };
    let breakers = &state.services.breakers;
    breakers.degrade(subsystem, &by);
    let row = subsystem.row();
    Ok(web::Json(Degraded {
        subsystem: row.name,
        state: Position::Open,
        forced: true,
        until: "recover",
        while_open: row.while_open,
        while_open_detail: row.detail,
        breaker: breaker(&state, breakers.one(subsystem), breakers.settings().window_ms),
    }))
}

/// Closes one breaker, or all. What waited for it is published or written in its order.
#[utoipa::path(post, path = "/api/v1/operations/recover", tag = "operations", request_body = Recover,
    responses((status = 200, body = Recovered, description = "They are closed"), super::openapi::Refused))]
pub async fn recover(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
) -> Result<web::Json<Recovered>, Problem> {
    let mut fields = body.fields(true)?;
    let name = fields.optional_word("subsystem", &Subsystem::ALL.map(Subsystem::name));
    fields.check()?;
    let asked = name.and_then(Subsystem::parse).map_or_else(|| Subsystem::ALL.to_vec(), |one| vec![one]);
    let breakers = &state.services.breakers;
    let recovered = asked.into_iter().filter(|subsystem| breakers.recover(*subsystem, &caller.0.sub));
    let recovered = recovered.map(Subsystem::name).collect();
    Ok(web::Json(Recovered { recovered, breakers: all(&state) }))
}
