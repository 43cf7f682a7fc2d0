//! What a rule would have done: on samples that the store has, or on values that somebody gives.

use std::sync::Arc;

use actix_web::web;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::alert::{Labels, Severity};
use crate::clock::rfc3339;
use crate::http::body::{Body, Fields};
use crate::http::definition::{bad_fields, of_members};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::ids::NodeName;
use crate::rule::definition::Definition;
use crate::rule::index::series_of;
use crate::rule::preview::{
    Course, Past, Preview, SAMPLES_MAX, SERIES_MAX, Stay, TestState, TestValue, VALUES_MAX, preview as judge,
    test as judge_values,
};
use crate::rule::{Phase, Rule, RuleError};
use crate::store::PastQuery;

/// The span that is looked at when none is given, and the longest.
const SPAN_MS: u64 = 3_600_000;
const SPAN_MS_MAX: u64 = 7 * 86_400_000;

/// Longest id, in bytes.
const ID_BYTES_MAX: usize = 128;

/// A rule and a time to look at.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct PreviewRule {
    /// The rule, kept or not; or `rule_id`.
    rule: Option<Definition>,
    /// A rule that is kept.
    rule_id: Option<String>,
    /// From when, RFC 3339 or Unix milliseconds; an hour before `until` when left out, at most a week.
    since: Option<String>,
    /// Until when; now when left out.
    until: Option<String>,
    /// On this node only.
    node: Option<String>,
}

/// What a rule would have done.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RulePreviewed)]
pub struct Previewed {
    /// From when, RFC 3339.
    pub from: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// How often it would have fired, all series together.
    pub fired: u32,
    /// Samples that were looked at.
    pub samples: usize,
    /// Each series that it judges; those that fired most first.
    pub series: Vec<PreviewedSeries>,
    /// Whether series, samples or phases were left out because there were too many.
    pub truncated: bool,
}

/// What would have become of one series.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PreviewedSeries {
    /// The metric; those that are joined where there are several.
    pub metric: String,
    /// The labels.
    #[schema(value_type = Object)]
    pub labels: Labels,
    /// How often it fired.
    pub fired: u32,
    /// How long it fired in all.
    pub firing_ms: u64,
    /// Its phases from the first that is not ok on, oldest first.
    pub phases: Vec<PreviewedPhase>,
}

/// A phase that a series would have been in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PreviewedPhase {
    /// Since when, RFC 3339.
    pub at: String,
    /// The phase.
    pub phase: Phase,
    /// What the condition looked at.
    pub value: Option<f64>,
    /// How bad, while it fires.
    pub severity: Option<Severity>,
    /// Why.
    pub reason: String,
}

/// The rule that a request is about.
fn rule_of(state: &State, fields: &mut Fields<'_>) -> Result<Option<Arc<Rule>>, Problem> {
    if let Some(raw) = fields.raw("rule") {
        let members = serde_json::from_str(raw.get()).map_err(|_other| {
            bad_fields(vec![crate::alert::FieldError::new("/rule", "must be the object of a rule")])
        })?;
        let definition: Definition = of_members(without_added(members))?;
        return Ok(Some(Arc::new(Rule::check(definition).map_err(bad_fields)?)));
    }
    let Some(id) = fields.optional_text("rule_id", 1..=ID_BYTES_MAX) else {
        if fields.raw("rule_id").is_none() {
            fields.refuse("rule", "is missing; it or rule_id must be there");
        }
        return Ok(None);
    };
    let rules = &state.services.rules;
    match (rules.checked(&id), rules.find(&id)) {
        (Some(rule), _) => Ok(Some(rule)),
        (None, Ok(_)) => {
            fields.refuse("rule_id", "this rule cannot be evaluated: it is not one of this version");
            Ok(None)
        }
        (None, Err(error)) => Err(error.into()),
    }
}

/// Whoever asks about a rule that it read leaves in what the hub added.
fn without_added(
    mut members: serde_json::Map<String, serde_json::Value>,
) -> serde_json::Map<String, serde_json::Value> {
    for name in crate::http::definition::ADDED {
        members.remove(name);
    }
    members
}

/// What a rule, kept or not, would have done on samples that the store has.
#[utoipa::path(post, path = "/api/v1/rules/preview", tag = "rules", request_body = PreviewRule,
    responses((status = 200, body = Previewed, description = "Series by series"), crate::http::openapi::Refused))]
pub async fn preview(state: web::Data<State>, body: Body) -> Result<web::Json<Previewed>, Problem> {
    let mut fields = body.fields(false)?;
    let rule = rule_of(&state, &mut fields)?;
    let until_ms = fields.optional_moment("until").unwrap_or_else(|| state.services.clock.unix_ms());
    let since_ms = fields.optional_moment("since").unwrap_or_else(|| until_ms.saturating_sub(SPAN_MS));
    if since_ms > until_ms || until_ms - since_ms > SPAN_MS_MAX {
        fields.refuse("since", format!("must be before until, by {} days at most", SPAN_MS_MAX / 86_400_000));
    }
    let node = fields.optional_text("node", 1..=NodeName::CHARS_MAX);
    fields.check()?;
    let Some(rule) = rule else { return Err(RuleError::NotFound.into()) };
    let query = PastQuery { node, since_ms, until_ms, series_max: SERIES_MAX, samples_max: SAMPLES_MAX };
    let wanting = rule.clone();
    let past = state.store.past_samples(query, move |node, labels, column| {
        Some(Arc::new(series_of(node, labels, column))).filter(|series| wanting.wants(series))
    });
    let past = past.await?;
    let truncated = past.truncated;
    let past: Vec<Past> = past.series.into_iter().map(|(series, samples)| Past { series, samples }).collect();
    // It may take a second: not on the thread that answers everybody.
    let judged = web::block(move || judge(&rule, &past, until_ms)).await;
    let judged = judged.map_err(|error| Problem::internal(&error, &crate::telemetry::Cause::own()))?;
    Ok(web::Json(previewed(judged, since_ms, until_ms, truncated)))
}

fn previewed(judged: Preview, since_ms: u64, until_ms: u64, truncated: bool) -> Previewed {
    let Preview { series, fired, samples, truncated: more } = judged;
    let mut series: Vec<_> = series.into_iter().map(|course| of_course(course, until_ms)).collect();
    series.sort_by_key(|one| std::cmp::Reverse((one.fired, one.firing_ms)));
    let (from, until) = (rfc3339(since_ms), rfc3339(until_ms));
    Previewed { from, until, fired, samples, series, truncated: truncated || more }
}

fn of_course(course: Course, until_ms: u64) -> PreviewedSeries {
    let firing = course.phases.iter().filter(|stay| stay.phase == Phase::Firing);
    let lasted = firing.map(|stay| stay.to_ms.unwrap_or(until_ms).saturating_sub(stay.from_ms));
    PreviewedSeries {
        firing_ms: lasted.sum(),
        metric: course.metric,
        labels: course.labels,
        fired: course.fired,
        phases: course.phases.into_iter().map(of_stay).collect(),
    }
}

fn of_stay(stay: Stay) -> PreviewedPhase {
    let Stay { phase, from_ms, severity, value, reason, to_ms: _ } = stay;
    PreviewedPhase { at: rfc3339(from_ms), phase, value, severity, reason }
}

/// A rule and values to try it on.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct TestRule {
    /// The rule, kept or not; or `rule_id`.
    rule: Option<Definition>,
    /// A rule that is kept.
    rule_id: Option<String>,
    /// Numbers, each so long after the one before as `interval_seconds` says; or `{value, at}`.
    test_values: Vec<TestValue>,
    /// 10 when left out.
    interval_seconds: Option<f64>,
}

/// What the rule says after each value.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RuleTested {
    /// In order.
    pub items: Vec<TestedValue>,
}

/// What a rule says after one value.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TestedValue {
    /// Seconds after the first value.
    pub at_s: f64,
    /// The value.
    pub value: f64,
    /// The phase after it.
    pub state: Phase,
    /// How bad, while it fires.
    pub severity: Option<Severity>,
    /// Where it is, and why.
    pub text: String,
}

/// The state of a rule, kept or not, after each of some values.
#[utoipa::path(post, path = "/api/v1/test/rule", tag = "rules", request_body = TestRule,
    responses((status = 200, body = RuleTested, description = "After each value"), crate::http::openapi::Refused))]
pub async fn test(state: web::Data<State>, body: Body) -> Result<web::Json<RuleTested>, Problem> {
    const INTERVAL_S: f64 = 10.0;
    let mut fields = body.fields(false)?;
    let rule = rule_of(&state, &mut fields)?;
    let values = read::<Vec<TestValue>>(&mut fields, "test_values", "numbers, or objects of value and at");
    if fields.raw("test_values").is_none() {
        fields.refuse("test_values", format!("is missing; it must be 1 to {VALUES_MAX} values"));
    }
    let interval_s =
        read::<f64>(&mut fields, "interval_seconds", "a number of seconds").unwrap_or(INTERVAL_S);
    fields.check()?;
    let Some(rule) = rule else { return Err(RuleError::NotFound.into()) };
    let states = judge_values(&rule, &values.unwrap_or_default(), interval_s).map_err(bad_fields)?;
    let first_ms = states.first().map_or(0, |state| state.at_ms);
    let tested = |state: TestState| TestedValue {
        at_s: (state.at_ms - first_ms) as f64 / 1_000.0,
        value: state.value,
        state: state.state,
        severity: state.severity,
        text: state.text,
    };
    Ok(web::Json(RuleTested { items: states.into_iter().map(tested).collect() }))
}

fn read<T: serde::de::DeserializeOwned>(fields: &mut Fields<'_>, name: &str, wanted: &str) -> Option<T> {
    let raw: &RawValue = fields.raw(name)?;
    let read = serde_json::from_str(raw.get()).ok();
    if read.is_none() {
        fields.refuse(name, format!("must be {wanted}"));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firing_times_add_up_to_the_end() {
        let stay = |phase, from_ms, to_ms| Stay {
            phase,
            from_ms,
            to_ms,
            severity: None,
            value: None,
            reason: String::new(),
        };
        let course = Course {
            metric: "m".into(),
            labels: Labels::new(),
            phases: vec![
                stay(Phase::Firing, 1_000, Some(3_000)),
                stay(Phase::Ok, 3_000, Some(4_000)),
                stay(Phase::Firing, 4_000, None),
            ],
            fired: 2,
            longest_firing_ms: 5_000,
        };
        let told = of_course(course, 9_000);
        assert_eq!((told.firing_ms, told.fired, told.phases.len()), (7_000, 2, 3));
    }
}
