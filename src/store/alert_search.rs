//! Looking through alerts: a filtered and sorted list, and figures. Alerts that never came to more than pending are
//! left out, unless they are asked for.

use super::alerts::{COLUMNS, read_alert};
use super::session::{Dialect, Session};
use super::value::{Bind, Row, Value, params};
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
        self.read(move |session| search(session, &filter, sort, after.as_ref(), limit)).await
    }

    /// The figures at this moment, with the `noisiest_max` rules that fired most.
    pub async fn alert_statistics(
        &self,
        now_ms: u64,
        noisiest_max: usize,
    ) -> Result<AlertStatistics, StoreError> {
        self.read(move |session| statistics(session, now_ms, noisiest_max)).await
    }
}

fn search(
    session: &Session,
    filter: &AlertFilter,
    sort: AlertSort,
    after: Option<&AlertCursor>,
    limit: usize,
) -> Result<Vec<AlertRecord>, StoreError> {
    let text = filter.text.as_deref().map(like);
    let mut conditions = Conditions::of(filter, text.as_ref(), session.dialect());
    let key = sort.expression();
    let (beyond, direction) = if sort == AlertSort::Oldest { (">", "ASC") } else { ("<", "DESC") };
    if let Some(AlertCursor { key: last, id }) = after {
        let (last, id) = (conditions.place(last), conditions.place(id));
        conditions.sql.push(format!("({key}, id) {beyond} ({last}, {id})"));
    }
    let limit = conditions.place(&limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM alerts WHERE {} ORDER BY {key} {direction}, id {direction} LIMIT {limit}",
        conditions.sql.join(" AND ")
    );
    session.query(&sql, &conditions.values, read_alert)
}

/// A pattern that finds this text anywhere.
fn like(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

/// What is asked of a row, and the values that it is asked with.
struct Conditions<'a> {
    sql: Vec<String>,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    fn of(filter: &'a AlertFilter, text: Option<&'a String>, dialect: Dialect) -> Self {
        let shown = if filter.with_dropped { "TRUE" } else { SHOWN };
        let mut conditions = Self { sql: vec![shown.to_owned()], values: Vec::new() };
        let (like, has_label) = match dialect {
            // By rows: a path would need its own escapes.
            Dialect::Sqlite => {
                ("LIKE", "EXISTS (SELECT 1 FROM json_each(labels) WHERE key = {name} AND value = {value})")
            }
            Dialect::Postgres => ("ILIKE", "CAST(labels AS JSONB) ->> {name} = {value}"),
        };
        if let Some(text) = text {
            let text = conditions.place(text);
            let like = ["title", "message", "service", "rule_id", "rule_name"]
                .map(|column| format!("{column} {like} {text} ESCAPE '\\'"));
            conditions.sql.push(format!("({})", like.join(" OR ")));
        }
        conditions.one_of("state", &filter.states);
        if !filter.states.is_empty() && !filter.states.iter().any(|state| state == "resolved") {
            // In the words of the index of those that are open, so that it is used.
            conditions.sql.push("state <> 'resolved'".to_owned());
        }
        conditions.one_of("severity", &filter.severities);
        conditions.one_of("service", &filter.services);
        conditions.one_of("rule_id", &filter.rule_ids);
        conditions.one_of("fingerprint", filter.fingerprint.as_slice());
        for (name, value) in &filter.labels {
            let (name, value) = (conditions.place(name), conditions.place(value));
            conditions.sql.push(has_label.replace("{name}", &name).replace("{value}", &value));
        }
        if let Some(since_ms) = &filter.since_ms {
            let since_ms = conditions.place(since_ms);
            conditions.sql.push(format!("started_at_ms >= {since_ms}"));
        }
        if let Some(until_ms) = &filter.until_ms {
            let until_ms = conditions.place(until_ms);
            conditions.sql.push(format!("started_at_ms < {until_ms}"));
        }
        conditions
    }

    /// Takes a value; what stands for it.
    fn place(&mut self, value: &'a impl Bind) -> String {
        self.values.push(value.bind());
        format!("?{}", self.values.len())
    }

    fn one_of(&mut self, column: &str, values: &'a [impl Bind]) {
        if !values.is_empty() {
            let places: Vec<String> = values.iter().map(|value| self.place(value)).collect();
            self.sql.push(format!("{column} IN ({})", places.join(", ")));
        }
    }
}

fn statistics(session: &Session, now_ms: u64, noisiest_max: usize) -> Result<AlertStatistics, StoreError> {
    let mut figures = AlertStatistics::default();
    let sql = format!("SELECT state, severity, count(*) FROM alerts WHERE {SHOWN} GROUP BY 1, 2 ORDER BY 1");
    session.each(&sql, params![], |row| {
        let (state, severity, count): (String, u8, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
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
        Ok(())
    })?;
    let current_ms = now_ms - now_ms % HOUR_MS;
    let from_ms = current_ms.saturating_sub((HOURS - 1) * HOUR_MS);
    figures.trend = (0..HOURS)
        .map(|hour| AlertHour { from_ms: from_ms + hour * HOUR_MS, ..AlertHour::default() })
        .collect();
    add_trend(session, &mut figures, from_ms)?;
    let sql =
        "SELECT rule_id, max(rule_name), count(*) FROM alerts WHERE fired_at_ms >= ?1 AND rule_id IS NOT NULL
         GROUP BY rule_id ORDER BY 3 DESC, 1 LIMIT ?2";
    let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    figures.noisiest = session.query(sql, params![from_ms, noisiest_max], read)?;
    Ok(figures)
}

fn add_trend(session: &Session, figures: &mut AlertStatistics, from_ms: u64) -> Result<(), StoreError> {
    let sql = "SELECT (fired_at_ms - ?1) / ?2, count(*),
             count(acknowledged_at_ms), CAST(sum(CASE WHEN acknowledged_at_ms > fired_at_ms
                 THEN acknowledged_at_ms - fired_at_ms ELSE 0 END) AS BIGINT),
             count(resolved_at_ms), CAST(sum(CASE WHEN resolved_at_ms > fired_at_ms
                 THEN resolved_at_ms - fired_at_ms ELSE 0 END) AS BIGINT)
         FROM alerts WHERE fired_at_ms >= ?1 GROUP BY 1";
    let (mut acknowledged, mut resolved) = ((0, 0.0), (0, 0.0));
    let mean = |(count, sum): (u64, f64)| (count > 0).then(|| sum / count as f64);
    session.each(sql, params![from_ms, HOUR_MS], |row| {
        let (to_acknowledge, to_resolve) =
            ((row.get(2)?, row.get::<f64>(3)?), (row.get(4)?, row.get::<f64>(5)?));
        acknowledged = (acknowledged.0 + to_acknowledge.0, acknowledged.1 + to_acknowledge.1);
        resolved = (resolved.0 + to_resolve.0, resolved.1 + to_resolve.1);
        // One that fired in the future (a clock that was wrong) has no hour.
        if let Some(hour) = figures.trend.get_mut(row.get::<u64>(0)? as usize) {
            hour.fired = row.get(1)?;
            hour.mtta_ms = mean(to_acknowledge);
            hour.mttr_ms = mean(to_resolve);
        }
        Ok(())
    })?;
    (figures.mtta_ms, figures.mttr_ms) = (mean(acknowledged), mean(resolved));
    let sql = "SELECT (resolved_at_ms - ?1) / ?2, count(*) FROM alerts
         WHERE state = 'resolved' AND resolved_at_ms >= ?1 AND fired_at_ms IS NOT NULL GROUP BY 1";
    session.each(sql, params![from_ms, HOUR_MS], |row| {
        if let Some(hour) = figures.trend.get_mut(row.get::<u64>(0)? as usize) {
            hour.resolved = row.get(1)?;
        }
        Ok(())
    })
}
