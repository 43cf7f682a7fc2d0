//! `infrawatch serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::file::File;
use super::{DataDir, StorePlace, answer, stop_signal};
use crate::clock::Clock;
use crate::hub::{self, Hub, HubOptions};
use crate::supervision::Places;
use crate::telemetry::logging::LogFormat;

/// Whether rate limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Limits {
    /// As the settings say.
    On,
    /// No rate limits, for benchmarks; size limits hold.
    Off,
}

/// Flags of `infrawatch serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:5050]
    #[arg(long, env = "INFRAWATCH_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Worker threads [default: the number of cores]
    #[arg(long, env = "INFRAWATCH_WORKERS", value_name = "N")]
    workers: Option<usize>,
    /// No authentication: everybody is admin. Loopback addresses only
    #[arg(long, env = "INFRAWATCH_DEV", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    dev: Option<bool>,
    /// Reliability Lab: admins can make the hub fail on purpose (docs/reliability-lab.md)
    #[arg(long, env = "INFRAWATCH_LAB", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    lab: Option<bool>,
    /// Rate limits; `off` is for benchmarks, size limits always hold [default: on]
    #[arg(long, env = "INFRAWATCH_LIMITS", value_enum)]
    limits: Option<Limits>,
    /// Directory of rule files (YAML, also of Prometheus), read again when one changes (docs/rules.md)
    #[arg(long, env = "INFRAWATCH_RULES", value_name = "DIR")]
    rules: Option<std::path::PathBuf>,
    /// Redis (or Valkey) that hub nodes share: redis://user:password@host:port/database, of a cluster
    /// redis+cluster://user:password@host:port,host:port [default: a hub alone]
    #[arg(long, env = "INFRAWATCH_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,
    #[command(flatten)]
    store: StorePlace,
    /// Where other hub nodes on the same PostgreSQL and Redis reach this one [default: the address it listens on]
    #[arg(long, env = "INFRAWATCH_ADVERTISE", value_name = "HOST:PORT")]
    advertise: Option<String>,
}

/// Most worker threads.
const WORKERS_MAX: usize = 512;

pub(super) fn run(arguments: &ServeArgs, file: &File, format: LogFormat) -> anyhow::Result<()> {
    let listen = arguments.listen.or(file.serve.listen);
    let listen = listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5050)));
    let options = options(arguments, file, listen)?;
    actix::System::new().block_on(async move {
        let listener = hub::bind(listen)?;
        let hub = Hub::start(options, listener).await?;
        announce(&hub, format)?;
        hub.serve(stop_signal()).await.context("the hub stopped")
    })
}

fn options(arguments: &ServeArgs, file: &File, listen: SocketAddr) -> anyhow::Result<HubOptions> {
    let dev = arguments.dev.or(file.serve.dev).unwrap_or(false);
    if dev && !listen.ip().is_loopback() {
        bail!("--dev has no authentication, so it listens on a loopback address only, not on {listen}");
    }
    if !listen.ip().is_loopback() {
        tracing::warn!(%listen, "listening beyond this machine without TLS: tokens and samples travel in the clear");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = arguments.workers.or(file.serve.workers).unwrap_or(cores);
    if !(1..=WORKERS_MAX).contains(&workers) {
        bail!("--workers must be 1 to {WORKERS_MAX}, not {workers}");
    }
    file.settings.check()?;
    let lab = arguments.lab.or(file.serve.lab).unwrap_or(false);
    if lab {
        tracing::warn!("the Reliability Lab is on: admins can make this hub fail on purpose");
    }
    Ok(HubOptions {
        settings: file.settings.clone(),
        data_dir: arguments.data_dir.or_file(&file.serve),
        store: arguments.store.or_file(&file.serve)?,
        signing_key: arguments.data_dir.signing_key(&file.serve),
        workers,
        dev,
        rate_limits: arguments.limits.or(file.serve.limits).unwrap_or(Limits::On) == Limits::On,
        places: Places::Spread,
        clock: Clock::system(),
        program: std::env::current_exe().context("where this program is")?,
        lab,
        rules: arguments.rules.clone().or_else(|| file.serve.rules.clone()),
        advertise: arguments.advertise.clone().or_else(|| file.serve.advertise.clone()),
        redis_url: arguments.redis_url.clone().or_else(|| file.serve.redis_url.clone()),
    })
}

/// One line on stdout: where the hub is and how to get in.
fn announce(hub: &Hub, format: LogFormat) -> anyhow::Result<()> {
    let (address, login_url) = (hub.address()?, hub.login_url()?);
    let line = match format {
        LogFormat::Json => serde_json::json!({
            "event": "listening", "address": address.to_string(), "login_url": login_url,
        })
        .to_string(),
        LogFormat::Human if std::io::stdout().is_terminal() => {
            format!(
                "InfraWatch is live. Open \x1b[1m{login_url}\x1b[0m (signs you in once, within 10 minutes)"
            )
        }
        LogFormat::Human => {
            format!("InfraWatch is live. Open {login_url} (signs you in once, within 10 minutes)")
        }
    };
    answer(&line);
    Ok(())
}
