//! Windows in which alerts are held back: a range of time, or a cron expression with a time zone and a duration.

use cronexpr::{Crontab, MakeTimestamp};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::field_error::FieldError;
use super::matchers::{MATCHERS_MAX, Matcher, Operator};
use super::subject::{METRIC, SERVICE, Subject};
use crate::clock::parse_rfc3339;

/// Longest window that comes again: a week. One range may be longer.
const DURATION_MS_MAX: u64 = 7 * 86_400_000;

/// Shortest: a minute, the step of cron.
const DURATION_MS_MIN: u64 = 60_000;

/// Longest cron expression and zone, in bytes; longest comment, in bytes.
const CRON_BYTES_MAX: usize = 256;
const COMMENT_BYTES_MAX: usize = 1_024;

/// Windows without a gap between them that are joined when the end is asked for.
const JOINED_MAX: usize = 64;

/// A window as it is given: `start` and `end`, or `cron` (with `time_zone`) and `duration_seconds`; and at least one
/// of `metric_pattern`, `service`, `matchers`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WindowDefinition {
    /// What it is called.
    pub name: String,
    /// Regular expression of whole metric names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_pattern: Option<String>,
    /// Alerts about this service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Conditions on labels, each as `name=~"value"`.
    pub matchers: Vec<String>,
    /// From when, RFC 3339; with `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Until when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// When it begins, again and again: minute, hour, day of month, month, day of week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Where those hours are, e.g. `Europe/Berlin`; UTC when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How long it lasts each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<u64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// When alerts are held back.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// Once. Unix milliseconds; the end is not in it.
    Range {
        /// From when.
        from_ms: u64,
        /// Until when.
        until_ms: u64,
    },
    /// Again and again.
    Recurring {
        /// When it begins.
        cron: Box<Crontab>,
        /// How long it lasts, milliseconds.
        duration_ms: u64,
    },
}

impl Schedule {
    /// A window that begins as a cron expression says, in a time zone of the IANA database.
    pub fn recurring(cron: &str, time_zone: &str, duration_ms: u64) -> Result<Self, String> {
        if !(DURATION_MS_MIN..=DURATION_MS_MAX).contains(&duration_ms) {
            return Err(format!(
                "must last {} to {} seconds, not {}",
                DURATION_MS_MIN / 1_000,
                DURATION_MS_MAX / 1_000,
                duration_ms / 1_000
            ));
        }
        if cron.len() + time_zone.len() > CRON_BYTES_MAX {
            return Err(format!("must have at most {CRON_BYTES_MAX} bytes"));
        }
        if cron.split_whitespace().count() != 5 {
            return Err("must have minute, hour, day of month, month and day of week".to_owned());
        }
        // Its error draws the place over several lines.
        let parsed = cronexpr::parse_crontab(&format!("{cron} {time_zone}"));
        let cron =
            parsed.map_err(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))?;
        Ok(Self::Recurring { cron: Box::new(cron), duration_ms })
    }

    /// Until when it lasts, if it has begun: Unix milliseconds. Windows that touch are one.
    pub fn active_until_ms(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Range { from_ms, until_ms } => (*from_ms..*until_ms).contains(&now_ms).then_some(*until_ms),
            Self::Recurring { cron, duration_ms } => {
                let first_ms = next_ms(cron, now_ms.checked_sub(*duration_ms)?)?;
                if first_ms > now_ms {
                    return None;
                }
                let (mut last_ms, mut until_ms) = (first_ms, first_ms + duration_ms);
                for _ in 0..JOINED_MAX {
                    let Some(next_ms) = next_ms(cron, last_ms).filter(|next_ms| *next_ms <= until_ms) else {
                        break;
                    };
                    (last_ms, until_ms) = (next_ms, next_ms + duration_ms);
                }
                Some(until_ms)
            }
        }
    }

    /// When it begins next, Unix milliseconds. `None`: never again (within four years).
    pub fn next_start_ms(&self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Range { from_ms, .. } => (*from_ms > now_ms).then_some(*from_ms),
            Self::Recurring { cron, .. } => next_ms(cron, now_ms),
        }
    }

    /// Whether it is over for good.
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.active_until_ms(now_ms).is_none() && self.next_start_ms(now_ms).is_none()
    }
}

fn next_ms(cron: &Crontab, after_ms: u64) -> Option<u64> {
    let after = Timestamp::from_millisecond(i64::try_from(after_ms).ok()?).ok()?;
    let next = cron.find_next(MakeTimestamp(after)).ok()?;
    u64::try_from(next.timestamp().as_millisecond()).ok()
}

/// A window that was checked.
#[derive(Debug, Clone)]
pub struct Window {
    /// Its identity.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// Which alerts.
    pub matchers: Vec<Matcher>,
}

impl WindowDefinition {
    /// The window, or every bad field.
    pub fn check(&self, id: &str) -> Result<Window, Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.name.len() > COMMENT_BYTES_MAX {
            errors.push(FieldError::new("/name", format!("must have at most {COMMENT_BYTES_MAX} bytes")));
        }
        if self.comment.as_ref().is_some_and(|comment| comment.len() > COMMENT_BYTES_MAX) {
            errors.push(FieldError::new("/comment", format!("must have at most {COMMENT_BYTES_MAX} bytes")));
        }
        let matchers = self.check_matchers(&mut errors);
        match self.check_schedule(&mut errors) {
            Some(schedule) if errors.is_empty() => {
                let name = if self.name.is_empty() { id } else { &self.name };
                Ok(Window { id: id.to_owned(), name: name.to_owned(), schedule, matchers })
            }
            _ => Err(errors),
        }
    }

    fn check_matchers(&self, errors: &mut Vec<FieldError>) -> Vec<Matcher> {
        let mut matchers = Vec::new();
        let parts = [
            ("/metric_pattern", METRIC, Operator::Matches, &self.metric_pattern),
            ("/service", SERVICE, Operator::Is, &self.service),
        ];
        for (pointer, name, operator, value) in parts {
            match value.as_ref().map(|value| Matcher::new(name, operator, value)) {
                Some(Ok(matcher)) => matchers.push(matcher),
                Some(Err(error)) => errors.push(FieldError::new(pointer, error.to_string())),
                None => {}
            }
        }
        if self.matchers.len() > MATCHERS_MAX {
            errors.push(FieldError::new("/matchers", format!("must be at most {MATCHERS_MAX}")));
        }
        for (at, text) in self.matchers.iter().take(MATCHERS_MAX).enumerate() {
            match Matcher::parse(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => errors.push(FieldError::new(format!("/matchers/{at}"), error.to_string())),
            }
        }
        if matchers.is_empty() && errors.is_empty() {
            errors
                .push(FieldError::new("/matchers", "one of metric_pattern, service and matchers is needed"));
        }
        matchers
    }

    fn check_schedule(&self, errors: &mut Vec<FieldError>) -> Option<Schedule> {
        let mut moment = |pointer, text: &Option<String>| {
            let text = text.as_ref()?;
            let parsed = parse_rfc3339(text);
            if parsed.is_none() {
                errors.push(FieldError::new(pointer, "must be a time as 2026-11-21T01:15:22Z"));
            }
            parsed
        };
        let (from_ms, until_ms) = (moment("/start", &self.start), moment("/end", &self.end));
        match (&self.start, &self.end, &self.cron) {
            (Some(_), Some(_), None) => {
                let (from_ms, until_ms) = (from_ms?, until_ms?);
                if until_ms <= from_ms {
                    errors.push(FieldError::new("/end", "must be after start"));
                }
                Some(Schedule::Range { from_ms, until_ms })
            }
            (None, None, Some(cron)) => {
                let Some(seconds) = self.duration_seconds else {
                    errors.push(FieldError::new(
                        "/duration_seconds",
                        "is missing; it says how long the window lasts",
                    ));
                    return None;
                };
                let zone = self.time_zone.as_deref().unwrap_or("UTC");
                let schedule = Schedule::recurring(cron, zone, seconds.saturating_mul(1_000));
                schedule.map_err(|why| errors.push(FieldError::new("/cron", why))).ok()
            }
            _ => {
                errors.push(FieldError::new("/start", "needs start and end, or cron and duration_seconds"));
                None
            }
        }
    }
}

/// The window that holds an alert back the longest, and until when, Unix milliseconds.
pub fn suppressed_by<'a>(
    windows: &'a [Window],
    subject: &Subject<'_>,
    now_ms: u64,
) -> Option<(&'a Window, u64)> {
    let matching = windows.iter().filter(|window| subject.matches_all(&window.matchers));
    matching
        .filter_map(|window| Some((window, window.schedule.active_until_ms(now_ms)?)))
        .max_by_key(|(_, until_ms)| *until_ms)
}

#[cfg(test)]
mod tests;
