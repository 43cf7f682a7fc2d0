//! Alerts as Alertmanager has them: posted by Prometheus, listed, in groups.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{Filter, RECEIVER, answered};
use crate::alert::policies::Policies;
use crate::alert::{Alert, HUB, Labels, Posted, Severity, State as Life, Subject, Text, fingerprint};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::http::alerts::posting::allow;
use crate::http::alerts::search::readable;
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::problem::{FieldError, Problem};
use crate::http::query::Query;
use crate::http::state::State;
use crate::http::trace::Asked;
use crate::protocol::codes::Code;
use crate::store::{AlertFilter, AlertSort};
use crate::telemetry::Cause;

/// Labels with a meaning: the title, the severity.
const ALERTNAME: &str = "alertname";
const SEVERITY: &str = "severity";
const SERVICE: &str = "service";

/// The annotation that keeps where an alert comes from.
const GENERATOR: &str = "generatorURL";

/// Annotations that can be the message, the first one that is there.
const MESSAGES: [&str; 3] = ["description", "message", "summary"];

/// Alerts of one request; labels or annotations of an alert; bytes of a name, a label, an annotation: the most.
const ALERTS_MAX: usize = 1_000;
const LABELS_MAX: usize = 64;
const NAME_BYTES_MAX: usize = 128;
const LABEL_BYTES_MAX: usize = 1_024;
const ANNOTATION_BYTES_MAX: usize = 8_192;

/// How long an alert lasts that says no end and is not posted again, in milliseconds.
const LASTS_MS: u64 = 5 * 60_000;

/// Alerts of one answer, the newest, and how many are read at once.
const ANSWERED_MAX: usize = 10_000;
const PART_MAX: usize = 500;

/// An alert as Prometheus posts it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PostableAlert {
    /// `alertname` is the title, `severity` how bad it is.
    #[schema(value_type = Object)]
    labels: Labels,
    /// `description`, `message` or `summary` is the message.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    annotations: Labels,
    /// Not looked at: it began when it came.
    #[expect(dead_code, reason = "describes the body in the document")]
    starts_at: Option<String>,
    /// When it ends unless it is posted again, RFC 3339; what is past ends it now.
    ends_at: Option<String>,
    /// Where it comes from.
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// An alert as Alertmanager lists it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GettableAlert {
    /// Texts by name.
    #[schema(value_type = Object)]
    annotations: Labels,
    /// When it ends unless it is posted again.
    ends_at: String,
    /// What makes it the same alert.
    fingerprint: String,
    /// Who is notified.
    receivers: Vec<Receiver>,
    /// When it began.
    starts_at: String,
    /// Whether it is held back.
    status: AlertStatus,
    /// When it was heard of last.
    updated_at: String,
    /// Where it comes from.
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
    /// Texts by name.
    #[schema(value_type = Object)]
    labels: Labels,
}

/// Whether an alert is held back.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    /// Silences cannot name what inhibits: always empty.
    inhibited_by: Vec<String>,
    /// The silences.
    silenced_by: Vec<String>,
    /// `active` or `suppressed`.
    state: &'static str,
}

/// Where notifications go.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Receiver {
    /// Its name.
    name: &'static str,
}

/// Alerts with the same name.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertGroup {
    /// Their alerts.
    alerts: Vec<GettableAlert>,
    /// What they have in common.
    #[schema(value_type = Object)]
    labels: Labels,
    /// Who is notified.
    receiver: Receiver,
}

/// Takes alerts as Prometheus posts them. Answered when they are in the store.
#[utoipa::path(post, path = "/api/v2/alerts", tag = "alertmanager", request_body = Vec<PostableAlert>,
    responses((status = 200, description = "Taken"), crate::http::openapi::Refused))]
pub async fn post(state: web::Data<State>, caller: Caller, body: Body, asked: Asked) -> HttpResponse {
    answered(take(&state, &caller, &body, &asked.0).await)
}

async fn take(state: &State, caller: &Caller, body: &Body, cause: &Cause) -> Result<HttpResponse, Problem> {
    let postable = body.one_or_list::<PostableAlert>()?;
    if postable.len() > ALERTS_MAX {
        return Err(Problem::new(Code::InvalidField, format!("may be at most {ALERTS_MAX} alerts")));
    }
    let now_ms = state.services.clock.unix_ms();
    let mut posted = Vec::new();
    for (at, alert) in postable.into_iter().enumerate() {
        posted.push(read(alert, now_ms).map_err(|(field, detail)| {
            Problem::fields(
                Code::InvalidField,
                vec![FieldError { pointer: format!("/{at}/{field}"), detail }],
            )
        })?);
    }
    posted.iter().try_for_each(|(posted, _)| allow(caller, posted.text.severity))?;
    for (posted, is_over) in posted {
        match is_over {
            true => end(state, &posted, cause).await?,
            false => drop(state.services.alerts.post(posted, &caller.0.sub, cause).await?),
        }
    }
    Ok(HttpResponse::Ok().finish())
}

/// What is posted, and whether it is over.
fn read(alert: PostableAlert, now_ms: u64) -> Result<(Posted, bool), (&'static str, String)> {
    let PostableAlert { labels, mut annotations, ends_at, generator_url, starts_at: _ } = alert;
    // A label that is empty is none.
    let labels: Labels = labels.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    annotations.extend(generator_url.filter(|url| !url.is_empty()).map(|url| (GENERATOR.to_owned(), url)));
    if labels.is_empty() {
        return Err(("labels", "must have one label at least".to_owned()));
    }
    for (field, texts, bytes_max) in
        [("labels", &labels, LABEL_BYTES_MAX), ("annotations", &annotations, ANNOTATION_BYTES_MAX)]
    {
        let fit = |(name, text): (&String, &String)| {
            (1..=NAME_BYTES_MAX).contains(&name.len()) && text.len() <= bytes_max
        };
        if texts.len() > LABELS_MAX || !texts.iter().all(fit) {
            let names = format!("names of 1 to {NAME_BYTES_MAX} bytes");
            return Err((
                field,
                format!("may be at most {LABELS_MAX}, with {names}, of {bytes_max} bytes each"),
            ));
        }
    }
    let ends_at_ms = match ends_at.as_deref().filter(|text| !text.starts_with("0001-01-01")) {
        None => None,
        Some(text) => Some(parse_rfc3339(text).ok_or(("endsAt", "must be a time of RFC 3339".to_owned()))?),
    };
    let title = labels.get(ALERTNAME).cloned().unwrap_or_else(|| "alert".to_owned());
    let message = MESSAGES.iter().find_map(|name| annotations.get(*name)).unwrap_or(&title).clone();
    let severity = labels.get(SEVERITY).map(|text| severity(text)).unwrap_or(Severity::Warning);
    let is_over = ends_at_ms.is_some_and(|ends_at_ms| ends_at_ms <= now_ms);
    let ends_at_ms = Some(ends_at_ms.unwrap_or_else(|| now_ms.saturating_add(LASTS_MS)));
    let text = Text { severity, title, message, labels, annotations };
    Ok((Posted { service: None, text, ends_at_ms }, is_over))
}

/// Ours, and what else is usual with Prometheus; a warning if it is neither.
fn severity(text: &str) -> Severity {
    Severity::parse(text).unwrap_or_else(|| match text.to_ascii_lowercase().as_str() {
        "page" | "emergency" | "fatal" | "disaster" => Severity::Critical,
        "major" => Severity::Error,
        "none" | "notice" | "debug" | "ok" => Severity::Info,
        _ => Severity::Warning,
    })
}

/// Its source says that it is over: so it is, unless it is anyway.
async fn end(state: &State, posted: &Posted, cause: &Cause) -> Result<(), Problem> {
    let labels = posted.text.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let filter = AlertFilter {
        fingerprint: Some(fingerprint::of_outside(None, &posted.text.title, labels)),
        ..open()
    };
    let found = state.store.search_alerts(filter, AlertSort::Newest, None, 1).await?;
    if let Some(alert) = found.first() {
        let why = Some("resolved by its source".to_owned());
        state.services.alerts.resolve(&alert.id, HUB, why, cause).await?;
    }
    Ok(())
}

/// Alerts that are open, and more than pending.
fn open() -> AlertFilter {
    let open = Life::ALL.into_iter().filter(|life| life.is_open() && *life != Life::Pending);
    AlertFilter { states: open.map(|life| life.as_str().to_owned()).collect(), ..AlertFilter::default() }
}

/// Alerts that are open.
#[utoipa::path(get, path = "/api/v2/alerts", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers, each a parameter of its own"),
        ("active" = Option<bool>, Query, description = "Whether those that are not held back are listed; true when left out"),
        ("silenced" = Option<bool>, Query, description = "Whether those that a silence holds back are; true when left out"),
        ("inhibited" = Option<bool>, Query, description = "Whether those that something else holds back are; true when left out"),
        ("receiver" = Option<String>, Query, description = "Matches the one receiver, `infrawatch`")),
    responses((status = 200, body = Vec<GettableAlert>, description = "Alerts"), crate::http::openapi::Refused))]
pub async fn list(state: web::Data<State>, caller: Caller, query: Query) -> HttpResponse {
    answered(find(&state, &caller, query).await.map(|alerts| HttpResponse::Ok().json(alerts)))
}

/// The same by name.
#[utoipa::path(get, path = "/api/v2/alerts/groups", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "As of the list of alerts")),
    responses((status = 200, body = Vec<AlertGroup>, description = "Groups"), crate::http::openapi::Refused))]
pub async fn groups(state: web::Data<State>, caller: Caller, query: Query) -> HttpResponse {
    answered(find(&state, &caller, query).await.map(|alerts| {
        let mut groups: BTreeMap<String, Vec<GettableAlert>> = BTreeMap::new();
        for alert in alerts {
            groups.entry(alert.labels.get(ALERTNAME).cloned().unwrap_or_default()).or_default().push(alert);
        }
        let groups = groups.into_iter().map(|(name, alerts)| AlertGroup {
            alerts,
            labels: Labels::from([(ALERTNAME.to_owned(), name)]),
            receiver: Receiver { name: RECEIVER },
        });
        HttpResponse::Ok().json(groups.collect::<Vec<_>>())
    }))
}

async fn find(state: &State, caller: &Caller, mut query: Query) -> Result<Vec<GettableAlert>, Problem> {
    let filter = Filter::read(&mut query);
    let mut flag = |name: &str| {
        let given = query.parsed(name, |text| text.parse::<bool>().map_err(|_other| "must be true or false"));
        given.unwrap_or(true)
    };
    let (active, silenced, inhibited) = (flag("active"), flag("silenced"), flag("inhibited"));
    let receiver = query.parsed("receiver", |text| crate::alert::Matcher::parse(&format!("name=~{text}")));
    query.check()?;
    if receiver.is_some_and(|matcher| !matcher.matches(Some(RECEIVER))) {
        return Ok(Vec::new());
    }
    let severities: Vec<u8> = readable(caller).into_iter().map(Severity::rank).collect();
    if severities.is_empty() {
        return Err(Problem::new(Code::Forbidden, "the token does not allow these alerts"));
    }
    let policies = Policies::read(&state.store).await?;
    let now_ms = state.services.clock.unix_ms();
    let (mut alerts, mut after) = (Vec::new(), None);
    while alerts.len() < ANSWERED_MAX {
        let wanted = AlertFilter { severities: severities.clone(), ..open() };
        let found = state.store.search_alerts(wanted, AlertSort::Newest, after, PART_MAX).await?;
        let is_last = found.len() < PART_MAX;
        after = found.last().map(|last| AlertSort::Newest.cursor(last));
        for record in found {
            let alert = gettable(Alert::from_record(record)?, &policies, now_ms);
            let is_wanted = match (alert.status.state, alert.status.silenced_by.is_empty()) {
                ("active", _) => active,
                (_, false) => silenced,
                (_, true) => inhibited,
            };
            if is_wanted && filter.lets_through(&alert.labels) {
                alerts.push(alert);
            }
        }
        if is_last {
            break;
        }
    }
    alerts.truncate(ANSWERED_MAX);
    Ok(alerts)
}

fn gettable(alert: Alert, policies: &Policies, now_ms: u64) -> GettableAlert {
    let is_held = alert.state == Life::Suppressed;
    let silenced_by = if is_held { silences_of(&alert, policies, now_ms) } else { Vec::new() };
    let Alert { mut labels, mut annotations, .. } = alert;
    // One of a rule of ours has them apart.
    labels.entry(ALERTNAME.to_owned()).or_insert_with(|| alert.rule_name.unwrap_or(alert.title));
    labels.entry(SEVERITY.to_owned()).or_insert_with(|| alert.severity.to_string());
    if let Some(service) = alert.service {
        labels.entry(SERVICE.to_owned()).or_insert(service);
    }
    if !MESSAGES.iter().any(|name| annotations.contains_key(*name)) {
        annotations.insert("description".to_owned(), alert.message);
    }
    GettableAlert {
        generator_url: annotations.remove(GENERATOR),
        annotations,
        ends_at: rfc3339(alert.ends_at_ms.unwrap_or_else(|| now_ms.saturating_add(LASTS_MS))),
        fingerprint: alert.fingerprint,
        receivers: vec![Receiver { name: RECEIVER }],
        starts_at: rfc3339(alert.started_at_ms),
        status: AlertStatus {
            inhibited_by: Vec::new(),
            silenced_by,
            state: if is_held { "suppressed" } else { "active" },
        },
        updated_at: rfc3339(alert.last_breach_at_ms),
        labels,
    }
}

fn silences_of(alert: &Alert, policies: &Policies, now_ms: u64) -> Vec<String> {
    let subject = Subject::of(alert, None);
    let windows = policies.windows.iter().filter(|window| {
        window.schedule.active_until_ms(now_ms).is_some() && subject.matches_all(&window.matchers)
    });
    windows.map(|window| window.id.clone()).collect()
}

/// Where notifications go: one receiver.
#[utoipa::path(get, path = "/api/v2/receivers", tag = "alertmanager",
    responses((status = 200, body = Vec<Receiver>, description = "Receivers"), crate::http::openapi::Refused))]
pub async fn receivers() -> web::Json<[Receiver; 1]> {
    web::Json([Receiver { name: RECEIVER }])
}
