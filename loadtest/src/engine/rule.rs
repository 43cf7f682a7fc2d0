//! The rule of a run that measures alerts: made before it, and deleted behind it, which ends its alerts.

use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::plan::Plan;
use crate::protocol;

/// How long the hub may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A rule of the hub.
pub(super) struct Rule {
    url: String,
    token: Option<String>,
}

impl Rule {
    /// Makes it.
    pub(super) fn make(plan: &Plan, id: &str, address: SocketAddrV4, token: Option<String>) -> Result<Self> {
        let rules = format!("http://{address}/api/v1/rules");
        let body = protocol::rule(id, &plan.topic);
        let request = agent().post(&rules).header("content-type", "application/json");
        let request = match &token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let mut answer = request.send(&body).context("the rule of the run")?;
        if answer.status() != 201 {
            let (status, text) = (answer.status(), answer.body_mut().read_to_string().unwrap_or_default());
            bail!("the rule of the run was refused: {status} {text}");
        }
        Ok(Self { url: format!("{rules}/{id}"), token })
    }

    /// Deletes it.
    pub(super) fn delete(self) -> Result<()> {
        let request = agent().delete(&self.url);
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        let answer = request.call().context("the rule of the run is left behind")?;
        if !answer.status().is_success() {
            bail!("the rule of the run is left behind: {} {}", self.url, answer.status());
        }
        Ok(())
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER)).http_status_as_error(false);
    config.build().into()
}
