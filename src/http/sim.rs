//! Fault scenarios of the Reliability Lab: which there are, which are active, enabling and ending them.
//!
//! Only a hub that was started with `--lab` can be made to fail on purpose; any other lists them and refuses.

use actix_web::web;
use serde::Serialize;
use serde_json::{Map, Value};

use super::body::Body;
use super::guard::Caller;
use super::problem::{FieldError, Problem};
use super::state::State;
use super::trace::Asked;
use crate::lab::faults::lifecycle::{DURATION_S_DEFAULT, Wish};
use crate::lab::faults::parameters::{BadParameter, Parameters};
use crate::lab::faults::view::{RunView, ScenarioView, StatusView};
use crate::lab::faults::{FaultError, SCENARIOS, Scenario, Scenarios};
use crate::protocol::codes::Code;

/// Longest name or id, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The scenarios.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FaultScenarios {
    /// Whether the hub was started with `--lab`.
    pub enabled: bool,
    /// All of them.
    pub items: Vec<ScenarioView>,
}

/// The runs that a reset has ended.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FaultsReset {
    /// Which.
    pub ended: Vec<RunView>,
}

/// A scenario to enable.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct EnableFault {
    /// Its name.
    name: String,
    /// By name; those that are left out have their defaults.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Map<String, Value>>,
    /// How long; 30 when left out, or what the scenario may last if that is less.
    duration_s: Option<u64>,
}

/// A run to end: one of both.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct DisableFault {
    /// The scenario's name.
    name: Option<String>,
    /// The run's id.
    id: Option<String>,
}

impl From<FaultError> for Problem {
    fn from(error: FaultError) -> Self {
        let code = error.code();
        match error {
            FaultError::Parameters(bad) => Self::fields(code, bad.into_iter().map(field).collect()),
            FaultError::NoMemory { .. } => {
                let pointer = "/parameters/mib".to_owned();
                Self::fields(code, vec![FieldError { pointer, detail: error.to_string() }])
            }
            FaultError::TooSoon { wait_ms, .. } => {
                Self::new(code, error.to_string()).retry_after_s(wait_ms.div_ceil(1_000))
            }
            _ => Self::new(code, error.to_string()),
        }
    }
}

fn field(bad: BadParameter) -> FieldError {
    let name = bad.name.replace('~', "~0").replace('/', "~1");
    FieldError { pointer: format!("/parameters/{name}"), detail: bad.detail }
}

fn lab(state: &State) -> Result<&Scenarios, Problem> {
    state.scenarios.as_ref().ok_or_else(|| {
        Problem::new(
            Code::LabDisabled,
            "this hub cannot be made to fail on purpose; start it with `infrawatch serve --lab`, INFRAWATCH_LAB=true, \
             or `lab = true` in [serve] of its settings",
        )
    })
}

/// What can be made to go wrong, for how long, and what must hold meanwhile.
#[utoipa::path(get, path = "/api/sim/scenarios", tag = "reliability lab",
    responses((status = 200, body = FaultScenarios, description = "All scenarios"), super::openapi::Refused))]
pub async fn scenarios(state: web::Data<State>) -> web::Json<FaultScenarios> {
    let items = SCENARIOS.iter().map(ScenarioView::of).collect();
    web::Json(FaultScenarios { enabled: state.scenarios.is_some(), items })
}

/// Which scenarios are active, and which were.
#[utoipa::path(get, path = "/api/sim/status", tag = "reliability lab",
    responses((status = 200, body = StatusView, description = "The runs"), super::openapi::Refused))]
pub async fn status(state: web::Data<State>) -> Result<web::Json<StatusView>, Problem> {
    Ok(web::Json(lab(&state)?.status(&state.services)))
}

/// Makes something go wrong. It ends by itself.
#[utoipa::path(post, path = "/api/sim/enable", tag = "reliability lab", request_body = EnableFault,
    responses((status = 200, body = RunView, description = "It is active"), super::openapi::Refused))]
pub async fn enable(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<web::Json<RunView>, Problem> {
    let lab = lab(&state)?;
    let mut fields = body.fields(false)?;
    let names: Vec<_> = SCENARIOS.iter().map(|row| row.name).collect();
    let scenario = fields.word("name", &names).and_then(Scenario::parse);
    let duration_s_max = scenario.map_or(u64::MAX, |scenario| scenario.row().duration_s_max);
    let default = DURATION_S_DEFAULT.min(duration_s_max);
    let duration_s = fields.number("duration_s", 1..=duration_s_max, default);
    let given = fields.raw("parameters").map(|raw| serde_json::from_str::<Map<String, Value>>(raw.get()));
    let given = given.unwrap_or_else(|| Ok(Map::new()));
    if given.is_err() {
        fields.refuse("parameters", "must be an object");
    }
    fields.check()?;
    let (Some(scenario), Ok(given)) = (scenario, given) else {
        return Err(Problem::new(Code::InvalidField, "/name: is not known"));
    };
    let parameters = Parameters::read(scenario.row().parameters, &given).map_err(FaultError::Parameters)?;
    let wish = Wish { scenario, parameters, duration_s, by: caller.0.sub.clone() };
    Ok(web::Json(lab.enable(wish, &asked.0).await?))
}

/// Ends one scenario, by its name or the id of its run.
#[utoipa::path(post, path = "/api/sim/disable", tag = "reliability lab", request_body = DisableFault,
    responses((status = 200, body = RunView, description = "It has ended"), super::openapi::Refused))]
pub async fn disable(
    state: web::Data<State>,
    body: Body,
    asked: Asked,
) -> Result<web::Json<RunView>, Problem> {
    let lab = lab(&state)?;
    let mut fields = body.fields(false)?;
    let id = fields.optional_text("id", 1..=NAME_BYTES_MAX);
    let name = match &id {
        Some(_) => fields.optional_text("name", 1..=NAME_BYTES_MAX),
        None => fields.text("name", 1..=NAME_BYTES_MAX),
    };
    fields.check()?;
    Ok(web::Json(lab.disable(id.or(name).unwrap_or_default(), &asked.0).await?))
}

/// Ends all scenarios.
#[utoipa::path(post, path = "/api/sim/reset", tag = "reliability lab",
    responses((status = 200, body = FaultsReset, description = "All have ended"), super::openapi::Refused))]
pub async fn reset(state: web::Data<State>, asked: Asked) -> Result<web::Json<FaultsReset>, Problem> {
    Ok(web::Json(FaultsReset { ended: lab(&state)?.reset(&asked.0).await? }))
}
