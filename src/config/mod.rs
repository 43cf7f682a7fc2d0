//! Settings: one section a domain, each with defaults and a check; unknown keys are errors.
//!
//! Order of strength: command line, environment, file, default. This module knows files and sections;
//! flags and environment are the program's (`cli`).

mod alert;
mod breaker;
mod connection;
mod engine;
mod http;
mod ingest;
mod lab;
mod namespace;
mod room;
mod sampler;
mod store;
mod sync;
mod topic;
mod webhook;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use alert::AlertSection;
pub use breaker::BreakerSection;
pub use connection::ConnectionSection;
pub use engine::EngineSection;
pub use http::HttpSection;
pub use ingest::IngestSection;
pub use lab::LabSection;
pub use namespace::{Class, Kept, NamespaceSection};
pub use room::RoomSection;
pub use sampler::SamplerSection;
pub use store::StoreSection;
pub use sync::SyncSection;
pub use topic::TopicSection;
pub use webhook::{WebhookEvent, WebhookSection};

/// All settings of `serve`, as the TOML file has them.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Rules and alerts.
    pub alert: AlertSection,
    /// When breakers open, and what is held meanwhile.
    pub breaker: BreakerSection,
    /// Sockets, outboxes, heartbeat.
    pub connection: ConnectionSection,
    /// What hub nodes share.
    pub engine: EngineSection,
    /// Doors of the HTTP side.
    pub http: HttpSection,
    /// Which samples are taken.
    pub ingest: IngestSection,
    /// Load tests.
    pub lab: LabSection,
    /// Who is in a room, and how that is told.
    pub room: RoomSection,
    /// The sampler of the hub's own host.
    pub sampler: SamplerSection,
    /// Durable state.
    pub store: StoreSection,
    /// Shared state.
    pub sync: SyncSection,
    /// History and bounds of topics.
    pub topic: TopicSection,
    /// Programs that are told what happens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook: Vec<WebhookSection>,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("settings file {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("settings file {path}: {source}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value outside its range.
    #[error("setting {key} must be {allowed}, not {found}")]
    OutOfRange {
        /// `section.key`.
        key: &'static str,
        /// What is allowed, in words.
        allowed: String,
        /// What was given.
        found: String,
    },
}

impl Settings {
    /// Reads a TOML file; keys that are not there keep their defaults.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|e| ConfigError::Malformed { path: path.to_owned(), source: Box::new(e) })
    }

    /// Checks every section.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.alert.check()?;
        self.breaker.check()?;
        self.connection.check()?;
        self.engine.check()?;
        self.http.check()?;
        self.ingest.check()?;
        self.lab.check()?;
        self.room.check()?;
        self.sampler.check()?;
        self.store.check()?;
        self.sync.check()?;
        self.topic.check()?;
        WebhookSection::check(&self.webhook)
    }
}

fn in_range<T: PartialOrd + std::fmt::Display + Copy>(
    key: &'static str,
    value: T,
    min: T,
    max: T,
) -> Result<(), ConfigError> {
    if value >= min && value <= max {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { key, allowed: format!("{min} to {max}"), found: value.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_their_own_checks() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn an_unknown_key_names_the_known_ones() {
        let error = toml::from_str::<Settings>("[connection]\npng_interval_ms = 3").unwrap_err().to_string();
        assert!(error.contains("png_interval_ms") && error.contains("ping_interval_ms"), "{error}");
    }

    #[test]
    fn a_value_out_of_range_names_key_and_range() {
        let settings: Settings = toml::from_str("[sampler]\ninterval_ms = 1").unwrap();
        let error = settings.check().unwrap_err().to_string();
        assert_eq!(error, "setting sampler.interval_ms must be 100 to 3600000, not 1");
    }

    #[test]
    fn a_pong_is_due_before_the_next_ping() {
        let settings: Settings =
            toml::from_str("[connection]\nping_interval_ms = 5000\npong_grace_ms = 5001").unwrap();
        let error = settings.check().unwrap_err().to_string();
        assert_eq!(error, "setting connection.pong_grace_ms must be 50 to 5000, not 5001");
    }

    #[test]
    fn a_namespace_is_checked_by_name_and_value() {
        let check = |text: &str| {
            let settings: Settings = toml::from_str(text).map_err(|e| e.to_string())?;
            settings.check().map_err(|e| e.to_string())
        };
        check("[topic.namespaces.orders]\nclass = \"latest\"\nkept = \"store\"\npriority = \"low\"").unwrap();
        assert!(check("[topic.namespaces.room]\nclass = \"log\"").unwrap_err().contains("none of"));
        assert!(check("[topic.namespaces.a]\nclass = \"newest\"").unwrap_err().contains("newest"));
        assert!(check("[topic.namespaces.a]\nhistory_messages_max = 0").unwrap_err().contains("1 to"));
    }

    #[test]
    fn the_documented_example_is_the_defaults() {
        let written = toml::to_string(&Settings::default()).unwrap();
        let example = include_str!("../../docs/infrawatch.example.toml");
        let body: String =
            example.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
        assert_eq!(body.trim(), written.trim(), "regenerate docs/infrawatch.example.toml from the defaults");
    }
}
