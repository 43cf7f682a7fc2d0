//! `infrawatch check` on the servers that the hub is given: whether their settings keep its promises.

use anyhow::bail;

use super::answer;
use crate::config::EngineSection;
use crate::engine::advice::{self, Advice, ServerSettings};
use crate::engine::{EngineError, Redis};

/// Asks a Redis, or each server of a cluster, for its settings and says what to change.
pub(super) fn check_redis(url: &str, settings: &EngineSection) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told: Result<Vec<_>, EngineError> = runtime.block_on(async {
        let mut told = Vec::new();
        for (address, server) in Redis::new(url, settings)?.servers().await? {
            told.push((address, server.settings().await?));
        }
        Ok(told)
    });
    let mut checked = Vec::new();
    for (address, mut told) in told? {
        let version = told.get("redis_version").map_or("of an unknown version", String::as_str);
        let about =
            if told.len() > 1 { "" } else { " (it hides its settings: check them with its provider)" };
        let server = address.as_ref().map_or(String::new(), |address| format!(" at {address}"));
        let name = format!("Redis {version}{server}{about}");
        if address.is_some() {
            // It was found as a part of its cluster.
            told.remove("cluster-enabled");
        }
        checked.push(report(&name, &advice::of_redis(&told)));
    }
    checked.into_iter().collect()
}

/// Says what to change in a PostgreSQL with these settings.
pub(super) fn check_postgres(told: &ServerSettings) -> anyhow::Result<()> {
    let version = told.get("server_version").map_or("of an unknown version", String::as_str);
    report(&format!("PostgreSQL {version}"), &advice::of_postgres(told))
}

/// One line a finding; problems are an error of the command.
fn report(server: &str, found: &[Advice]) -> anyhow::Result<()> {
    for finding in found {
        let word = if finding.is_problem { "problem" } else { "hint" };
        answer(&format!("{server}: {word}: {}", finding.text));
    }
    let problems = found.iter().filter(|finding| finding.is_problem).count();
    match (problems, found.len()) {
        (0, 0) => answer(&format!("{server}: good")),
        (0, _) => {}
        (problems, _) => bail!("{server}: {problems} of its settings break what the hub promises, see above"),
    }
    Ok(())
}
