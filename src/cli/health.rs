//! `infrawatch health`: whether a hub takes work, for the health checks of containers and scripts.

use std::time::Duration;

use anyhow::bail;
use clap::Args;

use super::{answer, http_agent};

/// A hub that takes longer is not well.
const TIMEOUT_S: u64 = 5;

/// Ask a hub whether it takes work; status 0 when it does
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Where the hub is
    #[arg(long, env = "INFRAWATCH_URL", value_name = "URL", default_value = "http://127.0.0.1:5050")]
    url: String,
}

pub(super) fn run(arguments: &HealthArgs) -> anyhow::Result<()> {
    let url = format!("{}/readyz", arguments.url.trim_end_matches('/'));
    let agent = http_agent(Duration::from_secs(TIMEOUT_S));
    let mut response = agent.get(&url).call().map_err(|error| anyhow::anyhow!("{url}: {error}"))?;
    let text = response.body_mut().read_to_string()?;
    if response.status() != 200 {
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        bail!("{url}: {}: {}", response.status(), problem["detail"].as_str().unwrap_or("no reason given"));
    }
    answer(&text);
    Ok(())
}
