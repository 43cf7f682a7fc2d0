//! Alerts from outside: posted, and made up for demonstrations.

use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;

use crate::alert::{Alert, AlertError, Labels, Posted, SEVERITIES, Severity, Taken, Text};
use crate::auth::permission;
use crate::breaker::Subsystem;
use crate::http::body::{Body, Fields};
use crate::http::demo::{SIMULATED, SYNTHETIC};
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::protocol::codes::Code;
use crate::telemetry::Cause;

/// Longest title, message and service, in bytes; most labels, longest label.
const TITLE_BYTES_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 4_096;
const SERVICE_BYTES_MAX: usize = 128;
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 256;
const ANNOTATION_BYTES_MAX: usize = 4_096;

/// Alerts that are made up at once.
const SIMULATED_MAX: u64 = 50;

/// An alert from outside. One with the same service, title and labels that is open already is counted on.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct NewAlert {
    /// `critical`, `error`, `warning` or `info`, in any case; `high`, `medium`, `low`.
    severity: String,
    /// In a few words.
    title: String,
    /// What happened.
    message: String,
    /// What it is about; `service_name` is read too.
    service: Option<String>,
    /// What it is told apart by: texts by name.
    #[schema(value_type = Option<Object>)]
    labels: Option<Labels>,
    /// What helps whoever looks at it: texts by name.
    #[schema(value_type = Option<Object>)]
    annotations: Option<Labels>,
    /// When it resolves itself unless it is posted again, RFC 3339 or Unix milliseconds.
    ends_at: Option<String>,
}

/// A posted alert.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PostedAlert {
    /// As it stands.
    #[serde(flatten)]
    pub alert: Alert,
    /// Whether its broadcast waits: for alerts to recover, or for older ones.
    pub queued: bool,
}

impl From<Taken> for PostedAlert {
    fn from(taken: Taken) -> Self {
        Self { alert: taken.alert, queued: taken.waits }
    }
}

impl From<AlertError> for Problem {
    fn from(error: AlertError) -> Self {
        let text = error.to_string();
        match error {
            AlertError::Refused(refused) => {
                let by = match &refused {
                    crate::alert::Refused::AcknowledgedBy { by } => Some(by.as_str()),
                    crate::alert::Refused::State { .. } => None,
                };
                Self::new(refused.code(), text)
                    .with_member("state", refused.state().as_str())
                    .with_member("acknowledged_by", by)
            }
            error => match error.code() {
                Code::Internal => Self::internal(&error, &Cause::own()),
                code => Self::new(code, text),
            },
        }
    }
}

/// What is posted, out of the fields of a body.
pub(in crate::http) fn read(mut fields: Fields<'_>) -> Result<Posted, Problem> {
    let severity = fields.text("severity", 1..=32);
    let severity = severity.and_then(|text| {
        let known = Severity::parse(&text);
        if known.is_none() {
            fields.refuse(
                "severity",
                format!("must be {}, in any case, or high, medium, low", SEVERITIES.join(", ")),
            );
        }
        known
    });
    let title = fields.text("title", 1..=TITLE_BYTES_MAX);
    let message = fields.text("message", 1..=MESSAGE_BYTES_MAX);
    let name = if fields.raw("service").is_some() { "service" } else { "service_name" };
    let service = fields.optional_text(name, 1..=SERVICE_BYTES_MAX);
    let labels = fields.optional_texts("labels", LABELS_MAX, LABEL_BYTES_MAX);
    let annotations = fields.optional_texts("annotations", LABELS_MAX, ANNOTATION_BYTES_MAX);
    let ends_at_ms = fields.optional_moment("ends_at");
    fields.check()?;
    let text = Text {
        severity: severity.unwrap_or(Severity::Info),
        title: title.unwrap_or_default(),
        message: message.unwrap_or_default(),
        labels,
        annotations,
    };
    Ok(Posted { service, text, ends_at_ms })
}

/// Refuses a caller whose token does not let it cause what alerts of a severity cause.
pub(in crate::http) fn allow(caller: &Caller, severity: Severity) -> Result<(), Problem> {
    let may = permission::may_cause(&caller.0, severity.topic().as_str());
    let detail = || format!("the token does not allow alerts of severity {severity}");
    may.then_some(()).ok_or_else(|| Problem::new(Code::Forbidden, detail()))
}

/// Takes an alert from outside. Answered when it is in the store: 201 when it is new, 200 when it was open already and is
/// counted on, 202 when its broadcast waits for alerts to recover.
#[utoipa::path(post, path = "/api/v1/alerts", tag = "alerts", request_body = NewAlert,
    responses((status = 201, body = PostedAlert, description = "It is open"),
        (status = 200, body = PostedAlert, description = "It was open already, and is counted on"),
        (status = 202, body = PostedAlert, description = "It is open, and its broadcast waits"),
        crate::http::openapi::Refused))]
pub async fn create(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let posted = read(body.fields(false)?)?;
    allow(&caller, posted.text.severity)?;
    let (mut answer, taken) = post(&state, posted, &caller, &asked.0).await?;
    Ok(answer.json(PostedAlert::from(taken)))
}

/// Posts, and begins the answer.
pub(super) async fn post(
    state: &State,
    posted: Posted,
    caller: &Caller,
    cause: &Cause,
) -> Result<(HttpResponseBuilder, Taken), Problem> {
    // Nothing is taken that cannot be kept.
    drop(state.services.breakers.enter(Subsystem::Store)?);
    let alerts = &state.services.alerts;
    let taken = alerts.post(posted, &caller.0.sub, cause).await.map_err(|error| refused(state, error))?;
    // A broadcast may wait a moment for older ones; that is no news.
    let mut answer = match (taken.waits && alerts.is_degraded(), taken.is_new) {
        (true, _) => HttpResponse::Accepted(),
        (false, true) => HttpResponse::Created(),
        (false, false) => HttpResponse::Ok(),
    };
    answer.insert_header((header::LOCATION, format!("/api/v1/alerts/{}", taken.alert.id)));
    Ok((answer, taken))
}

/// A full queue empties when the breaker closes.
fn refused(state: &State, error: AlertError) -> Problem {
    let wait_ms = match &error {
        AlertError::QueueFull { .. } => {
            state.services.breakers.one(Subsystem::Alerts).retry_after_ms.or(Some(5_000))
        }
        _ => None,
    };
    let problem = Problem::from(error);
    match wait_ms {
        Some(wait_ms) => problem.retry_after_s(wait_ms.div_ceil(1_000)),
        None => problem,
    }
}

/// How many alerts to make up.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct SimulateAlerts {
    /// 1 to 50; 3 when left out.
    count: Option<u64>,
}

/// The alerts that were made up.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SimulatedAlerts {
    /// Always true.
    pub simulated: bool,
    /// How many.
    pub alerts_created: usize,
    /// The alerts.
    pub alerts: Vec<PostedAlert>,
}

/// What simulated alerts are about: service, title, message.
const STORIES: [(&str, &str, &str); 4] = [
    ("checkout", "Checkout latency above 500 ms", "p99 has been 740 ms for five minutes."),
    ("payments", "Payment errors above 2 %", "41 of 1,630 requests failed within one minute."),
    ("search", "Search index is 12 minutes old", "The last refresh did not finish."),
    ("billing", "Nightly export finished", "18,204 invoices were written."),
];

/// How long a simulated alert lasts unless somebody ends it, in milliseconds.
const LASTS_MS: u64 = 15 * 60_000;

/// Posts alerts that nothing raised, of these severities in turn; each is labelled `simulated` and `synthetic`, and ends by itself.
pub(in crate::http) async fn make_up(
    state: &State,
    severities: &[Severity],
    count: u64,
    caller: &Caller,
    cause: &Cause,
) -> Result<Vec<Taken>, Problem> {
    severities.iter().try_for_each(|severity| allow(caller, *severity))?;
    let pairs = severities.iter().cycle().zip(STORIES.iter().cycle());
    let burst = uuid::Uuid::now_v7().to_string();
    let mut made = Vec::new();
    for (number, (severity, (service, title, message))) in (1..=count).zip(pairs) {
        let number = number.to_string();
        // Each is another alert, however often it is asked for.
        let labels = [
            (SIMULATED, "true"),
            (SYNTHETIC, "true"),
            ("burst", burst.as_str()),
            ("number", number.as_str()),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = Text {
            severity: *severity,
            title: format!("Simulated: {title}"),
            message: (*message).to_owned(),
            labels: labels.into(),
            annotations: Labels::new(),
        };
        let ends_at_ms = Some(state.services.clock.unix_ms().saturating_add(LASTS_MS));
        let posted = Posted { service: Some((*service).to_owned()), text, ends_at_ms };
        made.push(post(state, posted, caller, cause).await?.1);
    }
    Ok(made)
}

/// Posts alerts that nothing raised, of every severity in turn; each is labelled `simulated` and `synthetic`, and ends within a quarter
/// of an hour by itself.
#[utoipa::path(post, path = "/api/v1/alerts/simulate", tag = "alerts", request_body = SimulateAlerts,
    responses((status = 201, body = SimulatedAlerts, description = "Posted"), crate::http::openapi::Refused))]
pub async fn simulate(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let mut fields = body.fields(true)?;
    let count = fields.number("count", 1..=SIMULATED_MAX, 3);
    fields.check()?;
    let made = make_up(&state, &Severity::ALL, count, &caller, &asked.0).await?;
    let alerts: Vec<_> = made.into_iter().map(PostedAlert::from).collect();
    Ok(HttpResponse::Created().json(SimulatedAlerts {
        simulated: true,
        alerts_created: alerts.len(),
        alerts,
    }))
}
