//! `infrawatch e2e`: asks a running hub to check its whole pipeline, and prints what it found.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::{answer, http_agent};

/// Longer than all steps of a check may take together.
const TIMEOUT_S: u64 = 60;

/// The status when the hub cannot be asked: not reachable, or it refuses.
const NOT_CHECKED: u8 = 2;

/// Check the whole pipeline of a running hub, step by step
#[derive(Debug, Args)]
pub(super) struct EndToEndArgs {
    /// Where the hub is
    #[arg(long, env = "INFRAWATCH_URL", value_name = "URL", default_value = "http://127.0.0.1:5050")]
    url: String,
    /// A token of an operator or admin (`infrawatch token --role operator`); none for a hub under --dev
    #[arg(long, env = "INFRAWATCH_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print the answer as JSON
    #[arg(long, env = "INFRAWATCH_JSON")]
    json: bool,
}

/// Why the pipeline is not known to be good.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndToEndError {
    /// The hub was not asked, or did not answer.
    #[error("{0}")]
    NotChecked(String),
    /// Some steps failed.
    #[error("{failed} of {steps} steps failed")]
    Failed {
        /// How many failed.
        failed: usize,
        /// Of how many.
        steps: usize,
    },
}

impl EndToEndError {
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::NotChecked(_) => NOT_CHECKED,
            Self::Failed { .. } => 1,
        }
    }
}

#[derive(Deserialize)]
struct Report {
    passed: bool,
    duration_ms: u64,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    name: String,
    passed: bool,
    ms: f64,
    detail: String,
}

pub(super) fn run(arguments: &EndToEndArgs) -> anyhow::Result<()> {
    let text = ask(arguments)?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        EndToEndError::NotChecked(format!("{}: no hub answers there: {error}", arguments.url))
    })?;
    answer(&if arguments.json { text } else { table(&report) });
    let failed = report.steps.iter().filter(|step| !step.passed).count();
    match report.passed {
        true => Ok(()),
        false => Err(EndToEndError::Failed { failed, steps: report.steps.len() }.into()),
    }
}

fn ask(arguments: &EndToEndArgs) -> Result<String, EndToEndError> {
    let url = format!("{}/api/v1/operations/e2e", arguments.url.trim_end_matches('/'));
    let not_checked = |error: &dyn std::fmt::Display| EndToEndError::NotChecked(format!("{url}: {error}"));
    let agent = http_agent(Duration::from_secs(TIMEOUT_S));
    let mut request = agent.post(&url);
    if let Some(token) = &arguments.token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = request.send_empty().map_err(|error| not_checked(&error))?;
    let status = response.status();
    let text = response.body_mut().read_to_string().map_err(|error| not_checked(&error))?;
    if status != 200 {
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("no reason given");
        return Err(not_checked(&format!("{status}: {detail}")));
    }
    Ok(text)
}

fn table(report: &Report) -> String {
    let width = report.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Step { name, passed, ms, detail } in &report.steps {
        let word = if *passed { "ok    " } else { "FAILED" };
        // Writing to a text cannot fail.
        let _written = writeln!(text, "{word}  {name:width$}  {ms:>8.1} ms  {detail}");
    }
    let verdict = if report.passed { "passed" } else { "FAILED" };
    let _written = write!(text, "{verdict} in {} ms", report.duration_ms);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_every_step_and_the_verdict() {
        let step = |name: &str, passed| Step { name: name.into(), passed, ms: 1.25, detail: "d".into() };
        let report =
            Report { passed: false, duration_ms: 7, steps: vec![step("token", true), step("ack", false)] };
        let expected = "ok      token       1.2 ms  d\nFAILED  ack         1.2 ms  d\nFAILED in 7 ms";
        assert_eq!(table(&report), expected);
    }
}
