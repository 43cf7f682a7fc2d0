//! Frames of the agent's side: `metrics` written, the hub's read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Columns, Inventory, Snapshot};
use crate::clock::rfc3339;
use crate::ids::NodeName;

/// A payload stays below this, so that with labels and inventory it fits the hub's default frame of 64 KiB.
const PAYLOAD_BYTES_MAX: usize = 48 * 1024;
/// The longest way to write one value, with its comma.
const VALUE_BYTES_MAX: usize = 26;

/// Writes snapshots as `metrics` payloads. The text of the columns is kept while they stay the same.
pub(super) struct PayloadWriter {
    node: String,
    columns: Arc<Columns>,
    parts: Vec<Part>,
}

/// The columns of one payload: a machine with very many needs several.
struct Part {
    range: Range<usize>,
    columns_json: String,
}

impl PayloadWriter {
    pub(super) fn new(node: &NodeName) -> Self {
        Self { node: json(node.as_str()), columns: Arc::default(), parts: Vec::new() }
    }

    /// One JSON object per part: `{node, timestamp, columns, values}`.
    pub(super) fn write(&mut self, snapshot: &Snapshot) -> Vec<String> {
        if !Arc::ptr_eq(&self.columns, &snapshot.columns) {
            self.columns = snapshot.columns.clone();
            self.parts = split(&self.columns);
        }
        let timestamp = rfc3339(snapshot.unix_ms);
        let payload = |part: &Part| {
            let values = snapshot.values.get(part.range.clone()).unwrap_or_default();
            let mut text = String::with_capacity(part.columns_json.len() + values.len() * 12 + 128);
            // Writing to a string cannot fail.
            let _ = write!(text, r#"{{"node":{},"timestamp":"{timestamp}","columns":["#, self.node);
            text.push_str(&part.columns_json);
            text.push_str(r#"],"values":["#);
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                push_value(&mut text, *value);
            }
            text.push_str("]}");
            text
        };
        self.parts.iter().map(payload).collect()
    }
}

fn split(columns: &Columns) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut bytes = 0;
    for (index, column) in columns.as_slice().iter().enumerate() {
        let column_json = json(column);
        bytes += column_json.len() + 1 + VALUE_BYTES_MAX;
        match parts.last_mut().filter(|_| bytes <= PAYLOAD_BYTES_MAX) {
            Some(part) => {
                part.range.end = index + 1;
                part.columns_json.push(',');
                part.columns_json.push_str(&column_json);
            }
            None => {
                bytes = column_json.len() + 1 + VALUE_BYTES_MAX;
                parts.push(Part { range: index..index + 1, columns_json: column_json });
            }
        }
    }
    parts
}

/// Three decimals are more than any probe knows; whole numbers are written without a point.
fn push_value(text: &mut String, value: Option<f64>) {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        text.push_str("null");
        return;
    };
    let rounded = if value.abs() < 1e12 { (value * 1_000.0).round() / 1_000.0 } else { value.round() };
    // The default format of f64 has no exponent; beyond this it would be long and says nothing more.
    let _ = if rounded.abs() < 1e18 { write!(text, "{rounded}") } else { write!(text, "{rounded:e}") };
}

/// What the first frame of a connection says beside its samples, and a later one when it changes.
pub(super) struct Description<'a> {
    pub(super) interval_ms: u64,
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) inventory: &'a Inventory,
}

/// The `metrics` frame around a payload.
pub(super) fn metrics_frame(id: u64, payload: &str, description: Option<&Description<'_>>) -> String {
    let mut text = String::with_capacity(payload.len() + 64);
    let _ = write!(text, r#"{{"type":"metrics","id":"{}","payload":"#, FrameId(id));
    match description {
        None => text.push_str(payload),
        Some(Description { interval_ms, labels, inventory }) => {
            text.push_str(payload.trim_end_matches('}'));
            let (labels, inventory) = (json(labels), json(inventory));
            let _ =
                write!(text, r#","interval_ms":{interval_ms},"labels":{labels},"inventory":{inventory}}}"#);
        }
    }
    text.push('}');
    text
}

/// Ids of the agent's frames: `m-1`, `m-2`, ...
struct FrameId(u64);

impl std::fmt::Display for FrameId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "m-{}", self.0)
    }
}

/// Names, labels and inventory are maps with text keys, which can always be written.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A frame of the hub that matters to an agent.
#[derive(Debug, PartialEq)]
pub(super) enum HubFrame {
    Connected(Connected),
    /// The answer to the frame with this id.
    MetricsAck {
        frame: Option<u64>,
        ack: MetricsAck,
    },
    Flow(FlowOrder),
    Error {
        frame: Option<u64>,
        error: HubError,
    },
    Draining {
        reconnect_after_ms: u64,
    },
    /// Any other type.
    Other,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Connected {
    #[serde(default = "default_ping_interval_ms")]
    pub(super) ping_interval_ms: u64,
    #[serde(default)]
    pub(super) limits: Limits,
}

fn default_ping_interval_ms() -> u64 {
    25_000
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) frame_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame_bytes: 64 * 1024 }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct MetricsAck {
    #[serde(default)]
    pub(super) rejected: u64,
    #[serde(default)]
    pub(super) reasons: BTreeMap<String, u64>,
    pub(super) durable: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct FlowOrder {
    /// Absent or null: as fast as the agent likes.
    #[serde(default)]
    pub(super) max_rate_hz: Option<f64>,
    #[serde(default)]
    pub(super) pause_ms: Option<u64>,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct HubError {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) retryable: bool,
    #[serde(default)]
    pub(super) retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    reply_to: Option<Cow<'a, str>>,
}

impl HubFrame {
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Draining {
            #[serde(default)]
            reconnect_after_ms: u64,
        }
        let envelope: Envelope<'_> = serde_json::from_str(text)?;
        let payload = envelope.payload.get();
        let frame = envelope.metadata.reply_to.as_deref().and_then(|id| id.strip_prefix("m-")?.parse().ok());
        Ok(match &*envelope.kind {
            "connected" => Self::Connected(serde_json::from_str(payload)?),
            "metrics_ack" => Self::MetricsAck { frame, ack: serde_json::from_str(payload)? },
            "flow" => Self::Flow(serde_json::from_str(payload)?),
            "error" => Self::Error { frame, error: serde_json::from_str(payload)? },
            "draining" => {
                let Draining { reconnect_after_ms } = serde_json::from_str(payload)?;
                Self::Draining { reconnect_after_ms }
            }
            _ => Self::Other,
        })
    }
}

#[cfg(test)]
mod tests;
