//! `infrawatch agent`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use super::file::AgentSection;
use super::stop_signal;
use crate::agent::{AgentSettings, AgentToken};

/// Flags of `infrawatch agent`.
#[derive(Debug, Args)]
pub(super) struct AgentArgs {
    /// The hub, e.g. `ws://127.0.0.1:5050`
    #[arg(long, env = "INFRAWATCH_HUB", value_name = "URL")]
    hub: Option<String>,
    /// Token of role agent, from `infrawatch token --role agent --node NAME` on the hub's machine
    #[arg(long, env = "INFRAWATCH_TOKEN", value_name = "JWT", hide_env_values = true)]
    token: Option<String>,
    /// Name of this node [default: the token's]
    #[arg(long, env = "INFRAWATCH_NODE", value_name = "NAME")]
    node: Option<String>,
    /// Label of this node; repeat for more
    #[arg(long = "label", env = "INFRAWATCH_LABEL", value_name = "KEY=VALUE", value_delimiter = ',')]
    labels: Vec<String>,
    /// Time between samples, in milliseconds [default: 1000]
    #[arg(long, env = "INFRAWATCH_INTERVAL_MS", value_name = "MS")]
    interval_ms: Option<u64>,
    /// Where samples wait while the hub is away [default: a directory of this user]
    #[arg(long, env = "INFRAWATCH_SPOOL_DIR", value_name = "DIR")]
    spool_dir: Option<PathBuf>,
    /// Most that waits there, in bytes; the oldest goes first [default: 67108864]
    #[arg(long, env = "INFRAWATCH_SPOOL_BYTES_MAX", value_name = "BYTES")]
    spool_bytes_max: Option<u64>,
    /// Waiting frames that are sent a second after a reconnect [default: 20]
    #[arg(long, env = "INFRAWATCH_REPLAY_HZ", value_name = "HZ")]
    replay_hz: Option<u32>,
}

pub(super) fn run(arguments: AgentArgs, file: AgentSection) -> anyhow::Result<()> {
    let settings = settings(arguments, file)?;
    settings.check()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(crate::agent::run(settings, stop_signal())).context("the agent stopped")
}

fn settings(arguments: AgentArgs, file: AgentSection) -> anyhow::Result<AgentSettings> {
    let hub =
        arguments.hub.or(file.hub).ok_or_else(|| anyhow!("--hub is missing: where should samples go?"))?;
    let token = arguments.token.or(file.token).ok_or_else(|| {
        anyhow!("--token is missing; make one with `infrawatch token --role agent --node NAME`")
    })?;
    let spool_dir = arguments.spool_dir.or(file.spool_dir).unwrap_or_else(default_spool_dir);
    let mut settings = AgentSettings::new(&hub, AgentToken::new(&token), spool_dir);
    settings.node = arguments.node.or(file.node);
    settings.labels = file.labels.unwrap_or_default();
    settings.labels.extend(labels(&arguments.labels)?);
    if let Some(interval_ms) = arguments.interval_ms.or(file.interval_ms) {
        settings.interval_ms = interval_ms;
    }
    if let Some(bytes) = arguments.spool_bytes_max.or(file.spool_bytes_max) {
        settings.spool_bytes_max = bytes;
    }
    if let Some(hz) = arguments.replay_hz.or(file.replay_hz) {
        settings.replay_hz = hz;
    }
    Ok(settings)
}

fn labels(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    given
        .iter()
        .map(|label| {
            let (key, value) =
                label.split_once('=').ok_or_else(|| anyhow!("--label must be KEY=VALUE, not {label:?}"))?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// As systemd and the XDG convention have it; the agent runs without root.
fn default_spool_dir() -> PathBuf {
    let state = std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    let xdg = || std::env::var_os("XDG_STATE_HOME").map(|dir| PathBuf::from(dir).join("infrawatch"));
    let home = || std::env::var_os("HOME").map(|dir| PathBuf::from(dir).join(".local/state/infrawatch"));
    state.or_else(xdg).or_else(home).unwrap_or_else(|| PathBuf::from("infrawatch")).join("spool")
}
