//! All alerts that a search finds, as a stream: CSV or a JSON array. One page of the store is in memory at a time.

use std::fmt::Write;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::try_unfold;

use super::search::{Wanted, alerts};
use crate::alert::Alert;
use crate::clock::rfc3339;
use crate::http::body::Body;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::store::{AlertCursor, AlertFilter, AlertSort, Store, StoreError};

/// Alerts that are read at once.
const PART_MAX: usize = 500;

const COLUMNS: &str = "id,fingerprint,rule_id,rule_name,state,severity,score,service,title,message,labels,value,\
    reason,count,started_at,fired_at,acknowledged_by,acknowledged_at,resolved_by,resolved_at\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// What is still to be written.
struct Export {
    store: Store,
    filter: AlertFilter,
    sort: AlertSort,
    format: Format,
    place: Place,
}

enum Place {
    Begin,
    Behind(AlertCursor),
    End,
}

/// All alerts that a search finds, as a file: CSV with a line of names, or a JSON array. In CSV a text that a
/// spreadsheet would take for a formula begins with an apostrophe.
#[utoipa::path(post, path = "/api/v1/alerts/export", tag = "alerts", request_body = super::search::AlertSearch,
    responses((status = 200, body = String, content_type = "text/csv", description = "The alerts"),
        crate::http::openapi::Refused))]
pub async fn export(state: web::Data<State>, caller: Caller, body: Body) -> Result<HttpResponse, Problem> {
    let mut fields = body.fields(true)?;
    let format = match fields.optional_word("format", &["csv", "json"]) {
        Some("json") => Format::Json,
        _ => Format::Csv,
    };
    let Wanted { filter, sort, .. } = Wanted::of_body(fields, &caller)?;
    let mut export = Export { store: state.store.clone(), filter, sort, format, place: Place::Begin };
    // What cannot be read at all is told by a status.
    let first = export.next_part().await?.unwrap_or_default();
    let rest = try_unfold((Some(first), export), |(first, mut export)| async move {
        let part = match first {
            Some(first) => Some(first),
            None => export.next_part().await?,
        };
        Ok::<_, StoreError>(part.map(|part| (part, (None, export))))
    });
    let (media_type, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "alerts.csv"),
        Format::Json => ("application/json", "alerts.json"),
    };
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(rest))
}

impl Export {
    async fn next_part(&mut self) -> Result<Option<Bytes>, StoreError> {
        let (after, is_first) = match std::mem::replace(&mut self.place, Place::End) {
            Place::Begin => (None, true),
            Place::Behind(cursor) => (Some(cursor), false),
            Place::End => return Ok(None),
        };
        let found = self.store.search_alerts(self.filter.clone(), self.sort, after, PART_MAX).await?;
        if let Some(last) = found.last().filter(|_| found.len() == PART_MAX) {
            self.place = Place::Behind(self.sort.cursor(last));
        }
        let is_last = matches!(self.place, Place::End);
        let alerts = alerts(found)?;
        Ok(Some(Bytes::from(match self.format {
            Format::Csv => csv(&alerts, is_first),
            Format::Json => json(&alerts, is_first, is_last)?,
        })))
    }
}

fn json(alerts: &[Alert], is_first: bool, is_last: bool) -> Result<String, StoreError> {
    let mut text = String::from(if is_first { "[" } else { "" });
    for (at, alert) in alerts.iter().enumerate() {
        if at > 0 || !is_first {
            text.push_str(",\n");
        }
        text.push_str(&serde_json::to_string(alert)?);
    }
    text.push_str(if is_last { "]\n" } else { "" });
    Ok(text)
}

fn csv(alerts: &[Alert], is_first: bool) -> String {
    let mut text = String::from(if is_first { COLUMNS } else { "" });
    for alert in alerts {
        let moment = |at_ms: Option<u64>| at_ms.map(rfc3339).unwrap_or_default();
        let (labels, value) = (labels(alert), alert.value.map(|value| value.to_string()).unwrap_or_default());
        let given = |text: &Option<String>| written(text.as_deref().unwrap_or_default());
        let cells = [
            alert.id.clone(),
            alert.fingerprint.clone(),
            given(&alert.rule_id),
            given(&alert.rule_name),
            alert.state.as_str().to_owned(),
            alert.severity.as_str().to_owned(),
            alert.score.to_string(),
            given(&alert.service),
            written(&alert.title),
            written(&alert.message),
            written(&labels),
            value,
            written(&alert.reason),
            alert.count.to_string(),
            rfc3339(alert.started_at_ms),
            moment(alert.fired_at_ms),
            given(&alert.acknowledged_by),
            moment(alert.acknowledged_at_ms),
            given(&alert.resolved_by),
            moment(alert.resolved_at_ms),
        ];
        // Writing to a String cannot fail.
        let _written = write!(text, "{}\r\n", cells.join(","));
    }
    text
}

fn labels(alert: &Alert) -> String {
    serde_json::to_string(&alert.labels).unwrap_or_default()
}

/// A text that somebody wrote: no formula, and in quotation marks where it needs them (RFC 4180).
fn written(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formulas() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }
}
