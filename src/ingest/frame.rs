//! The `metrics` frame of agents: columnar, or a list of samples. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::IngestError;
use super::sample::{self, Reason};
use crate::config::IngestSection;
use crate::node::{Batch, Report, Source};
use crate::store::Column;

/// Payload of `metrics`.
#[derive(Debug, Deserialize)]
pub struct MetricsFrame<'a> {
    /// The node's name, not yet checked.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    interval_ms: Option<u64>,
    ttl_ms: Option<u64>,
    labels: Option<BTreeMap<String, String>>,
    inventory: Option<serde_json::Map<String, serde_json::Value>>,
    columns: Option<Vec<Column>>,
    names: Option<Vec<String>>,
    #[serde(borrow)]
    values: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    samples: Option<Vec<ListedSample<'a>>>,
}

#[derive(Debug, Deserialize)]
struct ListedSample<'a> {
    #[serde(borrow, alias = "metric_name")]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

/// A frame's samples, checked one by one.
#[derive(Debug)]
pub struct Parsed {
    /// What the node gets.
    pub report: Report,
    /// Samples taken.
    pub accepted: u64,
    /// Samples refused, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

/// Longest inventory, in bytes of JSON.
const INVENTORY_BYTES_MAX: usize = 16 * 1024;

/// Shortest and longest times that a node may promise, in milliseconds.
const PROMISE_MS: std::ops::RangeInclusive<u64> = 100..=86_400_000;

impl MetricsFrame<'_> {
    /// Checks the frame. Good samples of a frame with bad ones are taken.
    pub fn parse(self, now_ms: u64, settings: &IngestSection) -> Result<Parsed, IngestError> {
        self.check_description(settings)?;
        let mut tally = Tally::default();
        let batches = match (&self.samples, &self.values) {
            (Some(samples), None) => listed(samples, now_ms, settings, &mut tally)?,
            (None, Some(values)) => self.columnar(values, now_ms, settings, &mut tally)?,
            (Some(_), Some(_)) => return Err(invalid("`samples` and `values` exclude each other")),
            (None, None) => return Err(invalid("missing field `samples`, or `columns` and `values`")),
        };
        let inventory = self.inventory.map(serde_json::Value::Object);
        let report = Report {
            source: Source::Agent,
            batches,
            labels: self.labels,
            inventory,
            interval_ms: self.interval_ms,
            ttl_ms: self.ttl_ms,
        };
        Ok(Parsed { report, accepted: tally.accepted, rejected: tally.rejected })
    }

    fn check_description(&self, settings: &IngestSection) -> Result<(), IngestError> {
        for (field, ms) in [("interval_ms", self.interval_ms), ("ttl_ms", self.ttl_ms)] {
            if ms.is_some_and(|ms| !PROMISE_MS.contains(&ms)) {
                return Err(invalid(&format!(
                    "`{field}` must be {} to {}",
                    PROMISE_MS.start(),
                    PROMISE_MS.end()
                )));
            }
        }
        if self.labels.as_ref().is_some_and(|labels| !sample::labels_fit(labels, settings)) {
            return Err(invalid(&format!(
                "`labels` may be at most {} with {} characters each",
                settings.labels_max, settings.label_chars_max
            )));
        }
        let bytes =
            self.inventory.as_ref().map_or(0, |i| serde_json::to_string(i).map_or(0, |text| text.len()));
        if bytes > INVENTORY_BYTES_MAX {
            return Err(invalid(&format!(
                "`inventory` may have at most {INVENTORY_BYTES_MAX} bytes, not {bytes}"
            )));
        }
        Ok(())
    }

    fn columnar(
        &self,
        values: &[&RawValue],
        now_ms: u64,
        settings: &IngestSection,
        tally: &mut Tally,
    ) -> Result<Vec<Batch>, IngestError> {
        let columns: Vec<Column> = match (&self.columns, &self.names) {
            (Some(columns), None) => columns.clone(),
            (None, Some(names)) => {
                names.iter().map(|name| Column { name: name.clone(), labels: BTreeMap::new() }).collect()
            }
            (Some(_), Some(_)) => return Err(invalid("`columns` and `names` exclude each other")),
            (None, None) => return Err(invalid("missing field `columns` (or `names`)")),
        };
        if columns.len() != values.len() {
            let message = format!("{} columns have {} values", columns.len(), values.len());
            return Err(invalid(&message));
        }
        check_count(columns.len(), settings)?;
        let unix_ms = match self.timestamp.map_or(Ok(now_ms), |raw| sample::timestamp(raw, now_ms, settings))
        {
            Ok(unix_ms) => unix_ms,
            Err(reason) => {
                tally.reject(reason, columns.len() as u64);
                return Ok(Vec::new());
            }
        };
        let mut kept = (Vec::with_capacity(columns.len()), Vec::with_capacity(columns.len()));
        for (column, raw) in columns.into_iter().zip(values) {
            let checked =
                sample::series(&column.name, &column.labels, settings).and_then(|()| sample::value(raw));
            match checked {
                Ok(value) => {
                    tally.accepted += u64::from(value.is_some());
                    kept.0.push(column);
                    kept.1.push(value.unwrap_or(f64::NAN));
                }
                Err(reason) => tally.reject(reason, 1),
            }
        }
        let (columns, values) = kept;
        Ok(if columns.is_empty() {
            Vec::new()
        } else {
            vec![Batch { unix_ms, columns: columns.into(), values }]
        })
    }
}

fn listed(
    samples: &[ListedSample<'_>],
    now_ms: u64,
    settings: &IngestSection,
    tally: &mut Tally,
) -> Result<Vec<Batch>, IngestError> {
    check_count(samples.len(), settings)?;
    // One batch a moment; of two values of one series at one moment the later counts.
    let mut moments: BTreeMap<u64, BTreeMap<Column, f64>> = BTreeMap::new();
    for listed in samples {
        let checked = sample::series(&listed.name, &listed.labels, settings)
            .and_then(|()| sample::value(listed.value)?.ok_or(Reason::NotFinite))
            .and_then(|value| {
                let at =
                    listed.timestamp.map_or(Ok(now_ms), |raw| sample::timestamp(raw, now_ms, settings))?;
                Ok((at, value))
            });
        match checked {
            Ok((unix_ms, value)) => {
                tally.accepted += 1;
                let column = Column { name: listed.name.to_string(), labels: listed.labels.clone() };
                moments.entry(unix_ms).or_default().insert(column, value);
            }
            Err(reason) => tally.reject(reason, 1),
        }
    }
    let batches = moments.into_iter().map(|(unix_ms, series)| {
        let (columns, values): (Vec<_>, Vec<_>) = series.into_iter().unzip();
        Batch { unix_ms, columns: Arc::from(columns), values }
    });
    Ok(batches.collect())
}

fn check_count(samples: usize, settings: &IngestSection) -> Result<(), IngestError> {
    if samples > settings.samples_max {
        return Err(invalid(&format!(
            "a frame may have at most {} samples, not {samples}",
            settings.samples_max
        )));
    }
    Ok(())
}

fn invalid(message: &str) -> IngestError {
    IngestError::Invalid(message.to_owned())
}

#[derive(Default)]
struct Tally {
    accepted: u64,
    rejected: BTreeMap<Reason, u64>,
}

impl Tally {
    fn reject(&mut self, reason: Reason, count: u64) {
        *self.rejected.entry(reason).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_795_223_722_042;

    fn parse(text: &str) -> Result<Parsed, IngestError> {
        let frame: MetricsFrame<'_> = serde_json::from_str(text).unwrap();
        frame.parse(NOW_MS, &IngestSection::default())
    }

    #[test]
    fn the_columnar_form_keeps_what_is_good() {
        let parsed = parse(
            r#"{"node":"a","timestamp":"2026-11-21T01:15:22.000Z","labels":{"region":"eu"},
                "columns":[{"name":"cpu_percent"},{"name":"x","labels":{"core":"0"}},{"name":"bad name"},{"name":"y"}],
                "values":[12.5,null,1,1e999]}"#,
        )
        .unwrap();
        assert_eq!(parsed.accepted, 1);
        assert_eq!(parsed.rejected, BTreeMap::from([(Reason::NotFinite, 1), (Reason::InvalidName, 1)]));
        let batch = &parsed.report.batches[0];
        assert_eq!(batch.columns.len(), 2);
        assert_eq!(batch.values[0], 12.5);
        assert!(batch.values[1].is_nan(), "null is missing");
        assert_eq!(parsed.report.labels.unwrap()["region"], "eu");
    }

    #[test]
    fn the_list_form_is_grouped_by_moment() {
        let parsed = parse(&format!(
            r#"{{"node":"a","samples":[{{"name":"b","value":1,"timestamp":{NOW_MS}}},
                {{"name":"a","value":2}},{{"name":"a","value":3,"timestamp":"1970-01-01T00:00:00Z"}},
                {{"name":"a","value":4,"timestamp":{}}}]}}"#,
            NOW_MS - 1_000
        ))
        .unwrap();
        assert_eq!(parsed.accepted, 3);
        assert_eq!(parsed.rejected, BTreeMap::from([(Reason::TooOld, 1)]));
        let shape: Vec<_> = parsed.report.batches.iter().map(|b| (b.unix_ms, b.values.clone())).collect();
        assert_eq!(shape, [(NOW_MS - 1_000, vec![4.0]), (NOW_MS, vec![2.0, 1.0])]);
    }

    #[test]
    fn a_frame_that_makes_no_sense_is_refused_whole() {
        for text in [
            r#"{"node":"a"}"#,
            r#"{"node":"a","values":[1]}"#,
            r#"{"node":"a","names":["a","b"],"values":[1]}"#,
            r#"{"node":"a","names":["a"],"values":[1],"samples":[]}"#,
            r#"{"node":"a","names":["a"],"values":[1],"ttl_ms":1}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
