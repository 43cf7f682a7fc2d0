//! Settings of the agent.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::AgentError;

/// A token that shows itself to nobody: `Debug` and `Display` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentToken(String);

impl AgentToken {
    /// Takes the token as it was printed, with or without surrounding white space. Empty means none (`serve --dev`).
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether there is a token at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AgentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "no token" } else { "a token" })
    }
}

/// How an agent runs.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Where the hub is: `ws://host:port`, optionally with a path before `/ws/`.
    pub hub: String,
    /// Who this agent is.
    pub token: AgentToken,
    /// Name of the node; taken from the token when absent.
    pub node: Option<String>,
    /// Labels of the node, e.g. `service=api`.
    pub labels: BTreeMap<String, String>,
    /// Time between two samples.
    pub interval_ms: u64,
    /// Directory of the spool; each node has a directory of its own in it.
    pub spool_dir: PathBuf,
    /// The spool never takes more than this on disk; the oldest goes first.
    pub spool_bytes_max: u64,
    /// How many spooled frames are sent again per second.
    pub replay_hz: u32,
}

impl AgentSettings {
    /// Settings with every default for a hub, a token and a spool directory.
    pub fn new(hub: &str, token: AgentToken, spool_dir: PathBuf) -> Self {
        Self {
            hub: hub.to_owned(),
            token,
            node: None,
            labels: BTreeMap::new(),
            interval_ms: 1_000,
            spool_dir,
            spool_bytes_max: 64 * 1024 * 1024,
            replay_hz: 20,
        }
    }

    /// Refuses what cannot work, naming the setting and what it may be.
    pub fn check(&self) -> Result<(), AgentError> {
        let range = |setting, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(AgentError::Setting { setting, problem: format!("must be {min} to {max}, not {value}") })
        };
        range("interval_ms", self.interval_ms, 200, 60_000)?;
        range("spool_bytes_max", self.spool_bytes_max, 1024 * 1024, 64 * 1024 * 1024 * 1024)?;
        range("replay_hz", u64::from(self.replay_hz), 1, 1_000)
    }
}
