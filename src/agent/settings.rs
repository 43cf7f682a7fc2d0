//! Settings of the agent, and what follows from them: the node, the address, the spool's place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio_tungstenite::tungstenite::http::Uri;

use super::{AgentError, AgentToken};
use crate::ids::{ClientId, NodeName};

const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 128;

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
    /// Time between two samples, 200 to 60,000.
    pub interval_ms: u64,
    /// Directory of the spool; each node has a directory of its own in it.
    pub spool_dir: PathBuf,
    /// The spool never takes more than this on disk; the oldest goes first.
    pub spool_bytes_max: u64,
    /// How many spooled frames are sent again per second, 1 to 1,000.
    pub replay_hz: u32,
}

/// Where and as whom an agent connects.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) node: NodeName,
    /// `ws://host:port/ws/agent-{node}`
    pub(super) uri: Uri,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) token: AgentToken,
    /// When the token runs out, milliseconds since 1970.
    pub(super) token_expires_unix_ms: Option<u64>,
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
        range("replay_hz", u64::from(self.replay_hz), 1, 1_000)?;
        range("labels", self.labels.len() as u64, 0, LABELS_MAX as u64)?;
        for (key, value) in &self.labels {
            if [key, value].iter().any(|text| text.is_empty() || text.len() > LABEL_BYTES_MAX) {
                let problem =
                    format!("{key}={value:?}: name and value must have 1 to {LABEL_BYTES_MAX} bytes");
                return Err(AgentError::Setting { setting: "labels", problem });
            }
        }
        self.target().map(|_| ())
    }

    /// The node's name: as set, or as the token says.
    fn node(&self) -> Result<NodeName, AgentError> {
        let name = match (self.node.clone(), self.token.claims()?.node) {
            (Some(setting), Some(token)) if setting != token => {
                return Err(AgentError::NodeMismatch { setting, token });
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => return Err(AgentError::NodeUnnamed),
        };
        // A name of dots only would be a path of its own in the spool directory.
        if name.bytes().all(|byte| byte == b'.') {
            return Err(AgentError::Setting { setting: "node", problem: format!("cannot be {name:?}") });
        }
        NodeName::parse(&name)
            .map_err(|error| AgentError::Setting { setting: "node", problem: error.to_string() })
    }

    pub(super) fn target(&self) -> Result<Target, AgentError> {
        let node = self.node()?;
        let hub = |problem: String| AgentError::Setting { setting: "hub", problem };
        let client_id = ClientId::parse(&format!("agent-{node}"))
            .map_err(|error| AgentError::Setting { setting: "node", problem: error.to_string() })?;
        let base: Uri = self
            .hub
            .trim_end_matches('/')
            .parse()
            .map_err(|error| hub(format!("{:?} is not an address: {error}", self.hub)))?;
        match base.scheme_str() {
            Some("ws") => {}
            Some("wss") => {
                return Err(hub(
                    "wss:// is not supported yet: use ws:// in a trusted network or through a tunnel".into(),
                ));
            }
            _ => return Err(hub(format!("must be ws://host:port, not {:?}", self.hub))),
        }
        let host = base.host().filter(|host| !host.is_empty()).ok_or_else(|| hub("names no host".into()))?;
        if base.authority().is_some_and(|authority| authority.as_str().contains('@'))
            || base.query().is_some()
        {
            return Err(hub(
                "must not carry credentials or a query; the token has a setting of its own".into()
            ));
        }
        let uri = format!("{}/ws/{client_id}", self.hub.trim_end_matches('/'));
        Ok(Target {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: base.port_u16().unwrap_or(80),
            uri: uri.parse().map_err(|error| hub(format!("{uri:?} is not an address: {error}")))?,
            node,
            token: self.token.clone(),
            token_expires_unix_ms: self.token.claims()?.exp.map(|s| s.saturating_mul(1_000)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token with the claims `{"node":"web-1"}`.
    const TOKEN: &str = "e30.eyJub2RlIjoid2ViLTEifQ.c2ln";

    fn settings(hub: &str, node: Option<&str>) -> AgentSettings {
        AgentSettings {
            node: node.map(str::to_owned),
            ..AgentSettings::new(hub, AgentToken::new(TOKEN), PathBuf::from("spool"))
        }
    }

    #[test]
    fn the_target_follows_from_hub_and_token() {
        let target = settings("ws://hub.example:5050/", None).target().unwrap();
        assert_eq!(target.uri.to_string(), "ws://hub.example:5050/ws/agent-web-1");
        assert_eq!((target.host.as_str(), target.port, target.node.as_str()), ("hub.example", 5050, "web-1"));
        let behind_a_proxy = settings("ws://[::1]/infra", Some("web-1")).target().unwrap();
        assert_eq!(behind_a_proxy.uri.path(), "/infra/ws/agent-web-1");
        assert_eq!((behind_a_proxy.host.as_str(), behind_a_proxy.port), ("::1", 80));
    }

    #[test]
    fn a_node_that_is_not_the_tokens_is_refused_naming_both() {
        let error = settings("ws://h", Some("db-1")).check().unwrap_err();
        assert!(error.to_string().contains("\"db-1\"") && error.to_string().contains("\"web-1\""), "{error}");
        assert_eq!(error.exit_status(), 3);
    }

    #[test]
    fn bad_settings_are_named() {
        let changed = |change: fn(&mut AgentSettings)| {
            let mut settings = settings("ws://h:1", None);
            change(&mut settings);
            settings
        };
        let table = [
            (changed(|s| s.hub = "wss://h".into()), "hub wss:// is not supported yet"),
            (changed(|s| s.hub = "http://h".into()), "hub must be ws://"),
            (changed(|s| s.hub = "localhost:5050".into()), "hub must be ws://"),
            (changed(|s| s.hub = "ws://a b".into()), "hub \"ws://a b\" is not an address"),
            (changed(|s| s.hub = "ws://me:pass@h".into()), "hub must not carry credentials"),
            (changed(|s| s.interval_ms = 5), "interval_ms must be 200 to 60000, not 5"),
            (changed(|s| s.replay_hz = 0), "replay_hz must be 1 to 1000, not 0"),
            (changed(|s| s.spool_bytes_max = 10), "spool_bytes_max must be"),
            (changed(|s| drop(s.labels.insert("region".into(), String::new()))), "labels region=\"\""),
            (changed(|s| s.token = AgentToken::new("")), "the node has no name"),
            (changed(|s| (s.token, s.node) = (AgentToken::new(""), Some("..".into()))), "node cannot be"),
            (changed(|s| (s.token, s.node) = (AgentToken::new(""), Some("a/b".into()))), "node a node name"),
        ];
        for (settings, expected) in table {
            let error = settings.check().unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        assert!(changed(|_| ()).check().is_ok());
    }
}
