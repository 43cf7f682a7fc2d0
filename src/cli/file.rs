//! The settings file: what the flags set, and the sections of every domain.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::{ConfigError, Settings};
use crate::telemetry::logging::LogFormat;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) log_format: Option<LogFormat>,
    pub(super) log: Option<String>,
    pub(super) serve: ServeSection,
    pub(super) agent: AgentSection,
    alert: Option<toml::Value>,
    breaker: Option<toml::Value>,
    connection: Option<toml::Value>,
    engine: Option<toml::Value>,
    http: Option<toml::Value>,
    ingest: Option<toml::Value>,
    lab: Option<toml::Value>,
    room: Option<toml::Value>,
    sampler: Option<toml::Value>,
    store: Option<toml::Value>,
    sync: Option<toml::Value>,
    topic: Option<toml::Value>,
    webhook: Option<toml::Value>,
    #[serde(skip)]
    pub(super) settings: Settings,
}

/// `[serve]`: the flags of `infrawatch serve`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServeSection {
    pub(super) listen: Option<SocketAddr>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) signing_key: Option<PathBuf>,
    pub(super) workers: Option<usize>,
    pub(super) dev: Option<bool>,
    pub(super) lab: Option<bool>,
    pub(super) limits: Option<super::serve::Limits>,
    pub(super) rules: Option<PathBuf>,
    pub(super) redis_url: Option<String>,
    pub(super) postgres_url: Option<String>,
    pub(super) advertise: Option<String>,
}

/// `[agent]`: the flags of `infrawatch agent`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AgentSection {
    pub(super) hub: Option<String>,
    pub(super) token: Option<String>,
    pub(super) node: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) interval_ms: Option<u64>,
    pub(super) spool_dir: Option<PathBuf>,
    pub(super) spool_bytes_max: Option<u64>,
    pub(super) replay_hz: Option<u32>,
}

impl File {
    /// Reads the file, or gives the defaults when there is none.
    pub(super) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|e| ConfigError::Malformed { path: path.to_owned(), source: Box::new(e) })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        let mut file: Self = toml::from_str(text)?;
        let sections = [
            ("alert", file.alert.take()),
            ("breaker", file.breaker.take()),
            ("connection", file.connection.take()),
            ("engine", file.engine.take()),
            ("http", file.http.take()),
            ("ingest", file.ingest.take()),
            ("lab", file.lab.take()),
            ("room", file.room.take()),
            ("sampler", file.sampler.take()),
            ("store", file.store.take()),
            ("sync", file.sync.take()),
            ("topic", file.topic.take()),
            ("webhook", file.webhook.take()),
        ];
        let table: toml::Table =
            sections.into_iter().filter_map(|(name, section)| Some((name.to_owned(), section?))).collect();
        file.settings = Settings::deserialize(toml::Value::Table(table))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_sections_stand_in_one_file() {
        let file =
            File::parse("[serve]\nlisten = \"127.0.0.1:0\"\n[connection]\nping_interval_ms = 300").unwrap();
        assert_eq!(file.serve.listen.unwrap().port(), 0);
        assert_eq!(file.settings.connection.ping_interval_ms, 300);
        assert_eq!(file.settings.connection.pong_grace_ms, 8_000);
    }

    #[test]
    fn every_section_of_the_settings_is_taken_from_the_file() {
        let settings = toml::Table::try_from(Settings::default()).unwrap();
        for (name, section) in settings {
            File::parse(&toml::to_string(&toml::Table::from_iter([(name, section)])).unwrap()).unwrap();
        }
        let webhook = "[[webhook]]\nurl = \"http://127.0.0.1:1/\"\nsecret = \"0123456789abcdef\"\nevents = [\"connect\"]";
        assert_eq!(File::parse(webhook).unwrap().settings.webhook.len(), 1);
    }

    #[test]
    fn unknown_keys_are_errors_at_every_level() {
        for text in ["port = 1", "[serve]\nport = 1", "[connection]\nport = 1", "[agent]\nport = 1"] {
            let error = File::parse(text).unwrap_err().to_string();
            assert!(error.contains("port"), "{error}");
        }
    }
}
