//! Log lines: human on a terminal, JSON for machines. Levels by `INFRAWATCH_LOG` (tracing directives).

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Starts logging to stderr; stdout belongs to what a command answers. A second call changes nothing.
pub fn start(format: LogFormat, directives: &str) -> Result<(), String> {
    let filter =
        EnvFilter::builder().parse(directives).map_err(|e| format!("log directives {directives:?}: {e}"))?;
    let builder = fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let started = match format {
        LogFormat::Human => builder.compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    // Tests start several hubs in one process: the first one's logger serves all.
    drop(started);
    Ok(())
}
