//! Why a rule did or did not fire: where each of its series is, or was, and what was decided on the way.

use std::collections::BTreeMap;

use actix_web::web;
use serde::Serialize;

use crate::alert::{Alert, Labels, Matcher, State as Life, Transition, fingerprint, replay};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::rule::{Explanation, NO_DATA, Phase, RuleView};
use crate::store::{AlertFilter, AlertSort, StoreError};

/// Series of one answer; each costs two reads.
const SERIES_MAX: usize = 50;

/// Alerts of a rule that are looked through for series that are not there any more.
const ALERTS_MAX: usize = 200;

/// Where the series of a rule are, and why.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RuleExplained)]
pub struct Explained {
    /// The rule.
    pub rule_id: String,
    /// What it is called.
    pub rule_name: String,
    /// The moment that is explained, RFC 3339.
    pub at: String,
    /// Its series; those that matter most first.
    pub items: Vec<ExplainedSeries>,
    /// Whether there are more than are told: ask for some by `series`.
    pub truncated: bool,
    /// Why more may have been true at that moment than is known of it, in words; none for the present.
    pub caveats: Vec<String>,
}

/// One series with a rule.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ExplainedSeries {
    /// The metric; of a composite those that are joined. Null for a series that is not there any more.
    pub metric: Option<String>,
    /// Its labels.
    #[schema(value_type = Object)]
    pub labels: Labels,
    /// What makes its breaches the same alert.
    pub fingerprint: String,
    /// Where it is.
    pub phase: Phase,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// While pending: how long the condition has held.
    pub held_ms: Option<u64>,
    /// While pending: how long it must hold.
    pub needed_ms: Option<u64>,
    /// The newest sample, RFC 3339; null for the past.
    pub seen_at: Option<String>,
    /// What the condition looked at.
    pub value: Option<f64>,
    /// All of it in words.
    pub text: String,
    /// Its alert.
    pub alert: Option<AlertBrief>,
    /// The steps of that alert up to the moment, oldest first.
    pub decisions: Vec<Transition>,
}

/// An alert in short.
#[derive(Serialize, utoipa::ToSchema)]
pub struct AlertBrief {
    /// Its id.
    pub id: String,
    /// Where it was at the moment.
    pub state: Life,
    /// Why.
    pub reason: String,
}

/// Why a rule did or did not fire, now or at a moment of the past, series by series.
#[utoipa::path(get, path = "/api/v1/rules/{id}/explain", tag = "rules",
    params(("id" = String, Path, description = "The rule's id"),
        ("series" = Option<String>, Query, description = "Which series: `name=value`, `!=`, `=~`, `!~`, with commas between them; all when left out"),
        ("at" = Option<String>, Query, description = "The moment, RFC 3339 or Unix milliseconds; now when left out")),
    responses((status = 200, body = Explained, description = "Its series"), crate::http::openapi::Refused))]
pub async fn explain(
    state: web::Data<State>,
    id: web::Path<String>,
    mut query: Query,
) -> Result<web::Json<Explained>, Problem> {
    let matchers = query.parsed("series", Matcher::parse_all).unwrap_or_default();
    let at_ms = query.moment("at");
    query.check()?;
    let rule = state.services.rules.find(&id)?;
    let now_ms = state.services.clock.unix_ms();
    let mut known = state.services.rules.explain(&id).await?;
    known.retain(|series| matchers.iter().all(|matcher| matcher.matches_labels(&series.labels)));
    known.sort_by_key(|series| std::cmp::Reverse(series.phase));
    let (mut items, truncated) = match at_ms.filter(|at_ms| *at_ms < now_ms) {
        None => {
            let truncated = known.len() > SERIES_MAX;
            known.truncate(SERIES_MAX);
            (present(&state, &id, known).await?, truncated)
        }
        Some(at_ms) => past(&state, &rule, known, &matchers, at_ms).await?,
    };
    items.truncate(SERIES_MAX);
    let moment_ms = at_ms.unwrap_or(now_ms).min(now_ms);
    let forgotten_ms = now_ms.saturating_sub(state.alert_settings.resolved_keep_ms);
    let caveats = caveats(&rule, moment_ms, state.started_ms, forgotten_ms);
    let (rule_id, rule_name, at) = (id.into_inner(), rule.definition.name, rfc3339(moment_ms));
    Ok(web::Json(Explained { rule_id, rule_name, at, items, truncated, caveats }))
}

/// What the hub cannot know of a moment. `forgotten_ms`: alerts that were over before are not kept.
fn caveats(rule: &RuleView, at_ms: u64, started_ms: u64, forgotten_ms: u64) -> Vec<String> {
    let is_before = |time: &str| parse_rfc3339(time).is_some_and(|time_ms| at_ms < time_ms);
    if is_before(&rule.created_at) {
        return vec![format!("the rule was made at {}: before it judged nothing", rule.created_at)];
    }
    let RuleView { version, updated_at, updated_by, .. } = rule;
    let written = format!(
        "the rule was written at {updated_at} by {updated_by} (version {version}): before it may have said something else"
    );
    let forgotten =
        format!("alerts that were over before {} are not kept: one may be missing", rfc3339(forgotten_ms));
    let started =
        format!("the hub was started at {}: while it was down it judged nothing", rfc3339(started_ms));
    let all =
        [(is_before(updated_at), written), (at_ms < forgotten_ms, forgotten), (at_ms < started_ms, started)];
    all.into_iter().filter(|(applies, _)| *applies).map(|(_, caveat)| caveat).collect()
}

/// The fingerprint of a series, and the labels of its alert as far as they are those of the series.
fn of_series(rule_id: &str, series: &Explanation) -> (String, Labels) {
    let pairs = series.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut labels = series.labels.clone();
    if !series.is_silence {
        return (fingerprint::of_rule(rule_id, pairs), labels);
    }
    let fingerprint = fingerprint::of_silence(rule_id, pairs);
    labels.insert(NO_DATA.0.to_owned(), NO_DATA.1.to_owned());
    (fingerprint, labels)
}

async fn present(state: &State, id: &str, known: Vec<Explanation>) -> Result<Vec<ExplainedSeries>, Problem> {
    let mut items = Vec::new();
    for series in known {
        let mut item = now(id, series);
        if let Some((alert, steps)) = last_alert(state, &item.fingerprint, None).await? {
            item.alert = Some(AlertBrief { id: alert.id, state: alert.state, reason: alert.reason });
            item.decisions = steps;
        }
        items.push(item);
    }
    Ok(items)
}

fn now(id: &str, series: Explanation) -> ExplainedSeries {
    let (fingerprint, labels) = of_series(id, &series);
    ExplainedSeries {
        fingerprint,
        metric: Some(series.metric),
        labels,
        phase: series.phase,
        since: series.since_ms.map(rfc3339),
        held_ms: series.held_ms,
        needed_ms: series.needed_ms,
        seen_at: series.seen_ms.map(rfc3339),
        value: series.value,
        text: series.text,
        alert: None,
        decisions: Vec::new(),
    }
}

/// The newest alert of a fingerprint that began by then, with its steps.
async fn last_alert(
    state: &State,
    fingerprint: &str,
    at_ms: Option<u64>,
) -> Result<Option<(Alert, Vec<Transition>)>, Problem> {
    let filter = AlertFilter {
        fingerprint: Some(fingerprint.to_owned()),
        until_ms: at_ms.map(|at_ms| at_ms.saturating_add(1)),
        with_dropped: true,
        ..AlertFilter::default()
    };
    let found = state.store.search_alerts(filter, AlertSort::Newest, None, 1).await?;
    let Some(record) = found.into_iter().next() else { return Ok(None) };
    let steps = state.store.alert_history(&record.id).await?;
    let steps = steps.into_iter().map(Transition::from_record).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Some((Alert::from_record(record)?, steps)))
}

/// As the history of alerts has it: the series that are there, and those that had an alert.
async fn past(
    state: &State,
    rule: &RuleView,
    known: Vec<Explanation>,
    matchers: &[Matcher],
    at_ms: u64,
) -> Result<(Vec<ExplainedSeries>, bool), Problem> {
    let id = rule.definition.id.as_deref().unwrap_or_default();
    let mut series = BTreeMap::new();
    for one in known {
        let (fingerprint, labels) = of_series(id, &one);
        series.insert(fingerprint, (Some(one.metric), labels));
    }
    let filter = AlertFilter {
        rule_ids: vec![id.to_owned()],
        until_ms: Some(at_ms.saturating_add(1)),
        with_dropped: true,
        ..AlertFilter::default()
    };
    let alerts = state.store.search_alerts(filter, AlertSort::Newest, None, ALERTS_MAX).await?;
    for alert in alerts.into_iter().filter(|alert| matchers.iter().all(|m| m.matches_labels(&alert.labels))) {
        series.entry(alert.fingerprint).or_insert((None, alert.labels));
    }
    let truncated = series.len() > SERIES_MAX;
    let mut items = Vec::new();
    for (fingerprint, (metric, labels)) in series.into_iter().take(SERIES_MAX) {
        let found = last_alert(state, &fingerprint, Some(at_ms)).await?;
        items.push(then(fingerprint, metric, labels, found, at_ms));
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.phase));
    Ok((items, truncated))
}

fn then(
    fingerprint: String,
    metric: Option<String>,
    labels: Labels,
    found: Option<(Alert, Vec<Transition>)>,
    at_ms: u64,
) -> ExplainedSeries {
    let mut item = ExplainedSeries {
        metric,
        labels,
        fingerprint,
        phase: Phase::Ok,
        since: None,
        held_ms: None,
        needed_ms: None,
        seen_at: None,
        value: None,
        text: "ok: no alert had begun".to_owned(),
        alert: None,
        decisions: Vec::new(),
    };
    let Some((alert, mut steps)) = found else { return item };
    steps.retain(|step| step.at_ms <= at_ms);
    let (Some(last), Some(then)) = (steps.last(), replay(&steps)) else { return item };
    item.phase = match then.state {
        Life::Pending => Phase::Pending,
        Life::Firing | Life::Acknowledged | Life::Suppressed => Phase::Firing,
        Life::Resolved => Phase::Ok,
    };
    item.since = Some(rfc3339(last.at_ms));
    item.value = last.value;
    item.text = format!("{}: {}", item.phase, then.reason);
    item.alert = Some(AlertBrief { id: alert.id, state: then.state, reason: then.reason });
    item.decisions = steps;
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::definition::Definition;

    #[test]
    fn what_cannot_be_known_is_said() {
        let definition: Definition =
            serde_json::from_value(serde_json::json!({"name": "CPU", "kind": "threshold"})).unwrap();
        let (made, written) = (rfc3339(1_000_000), rfc3339(2_000_000));
        let rule = RuleView {
            definition,
            version: 3,
            created_at: made,
            created_by: "alice".into(),
            updated_at: written,
            updated_by: "bob".into(),
            live: crate::rule::Live {
                state: Phase::Ok,
                series: 0,
                pending: 0,
                firing: 0,
                last_sample_at: None,
                dropped: 0,
                turned_away: 0,
                failed: None,
            },
        };
        let at = |at_ms| caveats(&rule, at_ms, 4_000_000, 3_000_000);
        let starts = |at_ms| {
            let all = at(at_ms);
            all.iter().map(|text| text[..15].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(starts(999_999), ["the rule was ma"], "then nothing else matters");
        assert_eq!(starts(1_500_000), ["the rule was wr", "alerts that wer", "the hub was sta"]);
        assert_eq!(starts(2_500_000), ["alerts that wer", "the hub was sta"]);
        assert_eq!(starts(3_500_000), ["the hub was sta"]);
        assert!(at(4_000_000).is_empty());
        assert!(at(1_500_000)[0].contains("by bob (version 3)"));
    }
}
