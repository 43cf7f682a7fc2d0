//! The doors of the HTTP side.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Doors of the HTTP side.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSection {
    /// Longest request body.
    pub body_bytes_max: usize,
    /// Other origins that may call the API and open sockets, e.g. `https://status.example.org`.
    pub origins: Vec<String>,
    /// Failed or not, login attempts of one address a minute; 0 is unlimited.
    pub logins_per_minute: u32,
    /// Polls that may wait at once; more are refused.
    pub polls_max: usize,
    /// Event streams that may be open at once; more are refused.
    pub streams_max: usize,
    /// Time between two signs of life of an event stream.
    pub heartbeat_ms: u64,
    /// How long a stop may take.
    pub drain_ms_max: u64,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            body_bytes_max: 1024 * 1024,
            origins: Vec::new(),
            logins_per_minute: 10,
            polls_max: 1_000,
            streams_max: 1_000,
            heartbeat_ms: 15_000,
            drain_ms_max: 30_000,
        }
    }
}

impl HttpSection {
    /// Checks ranges and the form of origins.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("http.body_bytes_max", self.body_bytes_max, 1024, 1 << 30)?;
        in_range("http.polls_max", self.polls_max, 1, 1_000_000)?;
        in_range("http.streams_max", self.streams_max, 1, 1_000_000)?;
        in_range("http.heartbeat_ms", self.heartbeat_ms, 100, 600_000)?;
        in_range("http.drain_ms_max", self.drain_ms_max, 0, 600_000)?;
        let bad = self.origins.iter().find(|o| {
            let host = o.strip_prefix("https://").or_else(|| o.strip_prefix("http://"));
            host.is_none_or(|h| h.is_empty() || h.contains('/'))
        });
        match bad {
            None => Ok(()),
            Some(found) => Err(ConfigError::OutOfRange {
                key: "http.origins",
                allowed: "scheme and host without a path, as https://status.example.org".to_owned(),
                found: format!("{found:?}"),
            }),
        }
    }
}
