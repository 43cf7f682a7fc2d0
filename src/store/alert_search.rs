//! Looking through alerts: a filtered and sorted list, and figures. Alerts that never came to more than pending are
//! left out, unless they are asked for.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::alerts::{COLUMNS, read_alert};
use super::connection::{to_sql, unsigned};
use super::{AlertRecord, Store, StoreError};

/// The hours of a trend.
const HOURS: u64 = 24;

const HOUR_MS: u64 = 3_600_000;

/// Of an alert that came to more than pending, or still may.
const SHOWN: &str = "(fired_at_ms IS NOT NULL OR state <> 'resolved')";

/// Which alerts. What is empty or `None` lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// A part of title, message, service, rule or its name; ASCII letters in either case.
    pub text: Option<String>,
    /// Names of states.
    pub states: Vec<String>,
    /// 0 info, 1 warning, 2 error, 3 critical.
    pub severities: Vec<u8>,
    /// Services.
    pub services: Vec<String>,
    /// Rules.
    pub rule_ids: Vec<String>,
    /// What makes a further breach the same alert.
    pub fingerprint: Option<String>,
    /// Labels with this value each.
    pub labels: Vec<(String, String)>,
    /// Started then or later, Unix milliseconds.
    pub since_ms: Option<u64>,
    /// Started before, Unix milliseconds.
    pub until_ms: Option<u64>,
    /// Those too that never came to more than pending.
    pub with_dropped: bool,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AlertSort {
    /// By start, the newest first.
    #[default]
    Newest,
    /// By start, the oldest first.
    Oldest,
    /// By score, the most urgent first, of those the newest.
    MostUrgent,
    /// By severity, the worst first, of those the newest.
    Worst,
}

/// Where a page ends, and the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCursor {
    /// What the list is sorted by.
    pub key: u64,
    /// The last alert.
    pub id: String,
}

impl AlertSort {
    fn expression(self) -> &'static str {
        match self {
            Self::Newest | Self::Oldest => "started_at_ms",
            Self::MostUrgent => "(score << 48) + started_at_ms",
            Self::Worst => "(severity << 48) + started_at_ms",
        }
    }

    /// The place behind an alert.
    pub fn cursor(self, alert: &AlertRecord) -> AlertCursor {
        let key = match self {
            Self::Newest | Self::Oldest => alert.started_at_ms,
            Self::MostUrgent => (u64::from(alert.score) << 48) + alert.started_at_ms,
            Self::Worst => (u64::from(alert.severity) << 48) + alert.started_at_ms,
        };
        AlertCursor { key, id: alert.id.clone() }
    }
}

/// Figures about alerts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertStatistics {
    /// All that are kept.
    pub total: u64,
    /// How many in each state; states without any are left out.
    pub by_state: Vec<(String, u64)>,
    /// How many of each severity (0 info to 3 critical) are not resolved.
    pub by_severity: [u64; 4],
    /// Mean time from firing to acknowledgement, milliseconds, of those that fired within the trend.
    pub mtta_ms: Option<f64>,
    /// Mean time from firing to resolution, milliseconds, of those that fired within the trend.
    pub mttr_ms: Option<f64>,
    /// The hours up to the current one, oldest first.
    pub trend: Vec<AlertHour>,
    /// The rules whose alerts fired most within the trend: id, name, how often.
    pub noisiest: Vec<(String, Option<String>, u64)>,
}

/// One hour of the trend.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AlertHour {
    /// When it began, Unix milliseconds.
    pub from_ms: u64,
    /// Alerts that fired in it.
    pub fired: u64,
    /// Alerts that were resolved in it.
    pub resolved: u64,
    /// Of those that fired in it: mean time to acknowledgement, milliseconds.
    pub mtta_ms: Option<f64>,
    /// Of those that fired in it: mean time to resolution, milliseconds.
    pub mttr_ms: Option<f64>,
}

impl Store {
    /// Alerts that the filter lets through, at most `limit`, those behind `after` when it is given.
    pub async fn search_alerts(
        &self,
        filter: AlertFilter,
        sort: AlertSort,
        after: Option<AlertCursor>,
        limit: usize,
    ) -> Result<Vec<AlertRecord>, StoreError> {
        self.read(move |connection| search(connection, &filter, sort, after, limit)).await
    }

    /// The figures at this moment, with the `noisiest_max` rules that fired most.
    pub async fn alert_statistics(
        &self,
        now_ms: u64,
        noisiest_max: usize,
    ) -> Result<AlertStatistics, StoreError> {
        self.read(move |connection| statistics(connection, now_ms, noisiest_max)).await
    }
}

fn search(
    connection: &Connection,
    filter: &AlertFilter,
    sort: AlertSort,
    after: Option<AlertCursor>,
    limit: usize,
) -> Result<Vec<AlertRecord>, StoreError> {
    let mut conditions = Conditions::of(filter);
    let key = sort.expression();
    let (beyond, direction) = if sort == AlertSort::Oldest { (">", "ASC") } else { ("<", "DESC") };
    if let Some(AlertCursor { key: last, id }) = after {
        let values = vec![Value::from(to_sql(last)), Value::from(id)];
        conditions.add(format!("({key}, id) {beyond} (?, ?)"), values);
    }
    let Conditions { sql, mut values } = conditions;
    values.push(Value::from(limit as i64));
    let sql = format!(
        "SELECT {COLUMNS} FROM alerts WHERE {} ORDER BY {key} {direction}, id {direction} LIMIT ?",
        sql.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read_alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is asked of a row, and the values of the question marks.
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn of(filter: &AlertFilter) -> Self {
        let shown = if filter.with_dropped { "1" } else { SHOWN };
        let mut conditions = Self { sql: vec![shown.to_owned()], values: Vec::new() };
        if let Some(text) = &filter.text {
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let like = ["title", "message", "service", "rule_id", "rule_name"]
                .map(|column| format!("{column} LIKE ? ESCAPE '\\'"));
            conditions.add(format!("({})", like.join(" OR ")), vec![Value::from(format!("%{escaped}%")); 5]);
        }
        conditions.one_of("state", filter.states.iter().cloned());
        if !filter.states.is_empty() && !filter.states.iter().any(|state| state == "resolved") {
            // In the words of the index of those that are open, so that it is used.
            conditions.add("state <> 'resolved'".to_owned(), Vec::new());
        }
        conditions.one_of("severity", filter.severities.iter().map(|severity| i64::from(*severity)));
        conditions.one_of("service", filter.services.iter().cloned());
        conditions.one_of("rule_id", filter.rule_ids.iter().cloned());
        conditions.one_of("fingerprint", filter.fingerprint.iter().cloned());
        for (name, value) in &filter.labels {
            // By rows: a path would need its own escapes.
            let has =
                "EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.key = ? AND json_each.value = ?)";
            conditions.add(has.to_owned(), vec![Value::from(name.clone()), Value::from(value.clone())]);
        }
        if let Some(since_ms) = filter.since_ms {
            conditions.add("started_at_ms >= ?".to_owned(), vec![Value::from(to_sql(since_ms))]);
        }
        if let Some(until_ms) = filter.until_ms {
            conditions.add("started_at_ms < ?".to_owned(), vec![Value::from(to_sql(until_ms))]);
        }
        conditions
    }

    fn add(&mut self, sql: String, values: Vec<Value>) {
        self.sql.push(sql);
        self.values.extend(values);
    }

    fn one_of<T: Into<Value>>(&mut self, column: &str, values: impl Iterator<Item = T>) {
        let values: Vec<Value> = values.map(Into::into).collect();
        if !values.is_empty() {
            self.add(format!("{column} IN ({})", vec!["?"; values.len()].join(", ")), values);
        }
    }
}

fn statistics(
    connection: &Connection,
    now_ms: u64,
    noisiest_max: usize,
) -> Result<AlertStatistics, StoreError> {
    let mut figures = AlertStatistics::default();
    let sql = format!("SELECT state, severity, count(*) FROM alerts WHERE {SHOWN} GROUP BY 1, 2 ORDER BY 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (state, severity, count): (String, u8, u64) = (row.get(0)?, row.get(1)?, unsigned(row, 2)?);
        figures.total += count;
        if let Some(counted) =
            figures.by_severity.get_mut(usize::from(severity)).filter(|_| state != "resolved")
        {
            *counted += count;
        }
        match figures.by_state.last_mut().filter(|(last, _)| *last == state) {
            Some((_, counted)) => *counted += count,
            None => figures.by_state.push((state, count)),
        }
    }
    let current_ms = now_ms - now_ms % HOUR_MS;
    let from_ms = current_ms.saturating_sub((HOURS - 1) * HOUR_MS);
    figures.trend = (0..HOURS)
        .map(|hour| AlertHour { from_ms: from_ms + hour * HOUR_MS, ..AlertHour::default() })
        .collect();
    add_trend(connection, &mut figures, from_ms)?;
    let mut statement = connection.prepare_cached(
        "SELECT rule_id, max(rule_name), count(*) FROM alerts WHERE fired_at_ms >= ?1 AND rule_id IS NOT NULL
         GROUP BY rule_id ORDER BY 3 DESC, 1 LIMIT ?2",
    )?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, unsigned(row, 2)?));
    let rows = statement.query_map(params![to_sql(from_ms), noisiest_max as i64], read)?;
    figures.noisiest = rows.collect::<Result<_, _>>()?;
    Ok(figures)
}

fn add_trend(connection: &Connection, figures: &mut AlertStatistics, from_ms: u64) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT (fired_at_ms - ?1) / ?2, count(*),
             count(acknowledged_at_ms), total(max(acknowledged_at_ms - fired_at_ms, 0)),
             count(resolved_at_ms), total(max(resolved_at_ms - fired_at_ms, 0))
         FROM alerts WHERE fired_at_ms >= ?1 GROUP BY 1",
    )?;
    let mut rows = statement.query(params![to_sql(from_ms), to_sql(HOUR_MS)])?;
    let (mut acknowledged, mut resolved) = ((0, 0.0), (0, 0.0));
    let mean = |(count, sum): (u64, f64)| (count > 0).then(|| sum / count as f64);
    while let Some(row) = rows.next()? {
        let (to_acknowledge, to_resolve) =
            ((unsigned(row, 2)?, row.get::<_, f64>(3)?), (unsigned(row, 4)?, row.get::<_, f64>(5)?));
        acknowledged = (acknowledged.0 + to_acknowledge.0, acknowledged.1 + to_acknowledge.1);
        resolved = (resolved.0 + to_resolve.0, resolved.1 + to_resolve.1);
        // One that fired in the future (a clock that was wrong) has no hour.
        if let Some(hour) = figures.trend.get_mut(unsigned(row, 0)? as usize) {
            hour.fired = unsigned(row, 1)?;
            hour.mtta_ms = mean(to_acknowledge);
            hour.mttr_ms = mean(to_resolve);
        }
    }
    (figures.mtta_ms, figures.mttr_ms) = (mean(acknowledged), mean(resolved));
    let mut statement = connection.prepare_cached(
        "SELECT (resolved_at_ms - ?1) / ?2, count(*) FROM alerts
         WHERE state = 'resolved' AND resolved_at_ms >= ?1 AND fired_at_ms IS NOT NULL GROUP BY 1",
    )?;
    let mut rows = statement.query(params![to_sql(from_ms), to_sql(HOUR_MS)])?;
    while let Some(row) = rows.next()? {
        if let Some(hour) = figures.trend.get_mut(unsigned(row, 0)? as usize) {
            hour.resolved = unsigned(row, 1)?;
        }
    }
    Ok(())
}
