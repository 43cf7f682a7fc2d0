//! The end-to-end check: the whole pipeline, step by step, by a real client over a real socket to the hub's own port.

mod check;
mod loopback;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web;
use serde::Serialize;

use super::problem::Problem;
use super::state::State;
use super::trace::Asked;
use crate::clock::rfc3339;
use crate::protocol::codes::Code;

/// What was checked.
#[derive(Serialize, utoipa::ToSchema)]
pub struct EndToEnd {
    /// Whether every step passed.
    pub passed: bool,
    /// How long it took.
    pub duration_ms: u64,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// One step of the check.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Step {
    /// What is checked.
    pub name: &'static str,
    /// Whether it works.
    pub passed: bool,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// What was found.
    pub detail: String,
}

/// Held while something runs that may run once at a time.
pub struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Takes the turn; `None` when somebody has it.
    pub fn take(taken: &Arc<AtomicBool>) -> Option<Self> {
        (!taken.swap(true, Ordering::Acquire)).then(|| Self(taken.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Checks the whole pipeline. 200 whenever it ran; `passed` tells what came of it.
#[utoipa::path(post, path = "/api/v1/operations/e2e", tag = "operations",
    responses((status = 200, body = EndToEnd, description = "What was found"), super::openapi::Refused))]
pub async fn run(state: web::Data<State>, asked: Asked) -> Result<web::Json<EndToEnd>, Problem> {
    let Some(_turn) = Turn::take(&state.desk.checking) else {
        return Err(Problem::new(Code::Conflict, "a check is running; wait for its end"));
    };
    let clock = &state.services.clock;
    let (started_at, begun_ms) = (rfc3339(clock.unix_ms()), clock.monotonic_ms());
    let steps = check::all(&state, &asked.0).await;
    Ok(web::Json(EndToEnd {
        passed: steps.iter().all(|step| step.passed),
        duration_ms: clock.monotonic_ms().saturating_sub(begun_ms),
        started_at,
        steps,
    }))
}
