//! The program: sub-commands, and settings from flags, environment and file.
//!
//! Order of strength: flag, environment variable (`INFRAWATCH_...`), file (`--config`), default.

mod accounts;
mod e2e;
mod file;
mod health;
mod report;
mod serve;
mod servers;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::agent::AgentError;
use crate::auth::{KeyError, Tokens};
use crate::store::{DataDirectory, Place};
use crate::telemetry::logging::LogFormat;

/// Realtime monitoring hub: agents stream metrics in, browsers see them live.
#[derive(Debug, Parser)]
#[command(name = "infrawatch", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Every flag can also be set by the environment variable shown beside it, or in a TOML \
                        file given by --config (docs/infrawatch.example.toml). A flag beats the environment, \
                        the environment beats the file."
)]
struct Cli {
    #[command(flatten)]
    general: General,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct General {
    /// TOML file with settings; unknown keys are errors
    #[arg(long, global = true, env = "INFRAWATCH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How log lines look (they go to stderr)
    #[arg(long, global = true, env = "INFRAWATCH_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged: tracing directives, e.g. `info,infrawatch::connection=debug`
    #[arg(long, global = true, env = "INFRAWATCH_LOG", value_name = "DIRECTIVES")]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub: API, WebSocket and console on one port
    Serve(serve::ServeArgs),
    /// Sample this machine and stream it to a hub
    Agent(report::AgentArgs),
    /// Print a token for an agent, a script or a person
    Token(accounts::TokenArgs),
    /// Add, list, disable users of the console
    User(accounts::UserArgs),
    /// Bring the store's schema up to date
    Migrate(accounts::MigrateArgs),
    /// Copy the store to a file, also while a hub runs
    Backup(accounts::BackupArgs),
    /// Check settings, data directory and store, and say what is wrong
    Check(accounts::CheckArgs),
    /// Ask a hub whether it takes work, for health checks of containers
    Health(health::HealthArgs),
    /// Check the whole pipeline of a running hub, step by step
    E2e(e2e::EndToEndArgs),
    /// The load of a load test: the command line of `infrawatch-loadtest`, which the hub starts
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Loadtest(LoadtestArgs),
}

#[derive(Debug, Args)]
struct LoadtestArgs {
    /// As `infrawatch-loadtest` takes them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// The data directory, as every command takes it that needs one.
#[derive(Debug, Clone, Args)]
struct DataDir {
    /// Directory with the store and the signing key [default: data]
    #[arg(long, env = "INFRAWATCH_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// File with the 32 bytes that tokens are signed with, the same for all hub nodes [default: made in the data directory]
    #[arg(long, env = "INFRAWATCH_SIGNING_KEY", value_name = "FILE")]
    signing_key: Option<PathBuf>,
}

impl DataDir {
    fn signing_key(&self, file: &file::ServeSection) -> Option<PathBuf> {
        self.signing_key.clone().or_else(|| file.signing_key.clone())
    }

    fn tokens(&self, file: &file::ServeSection, directory: &DataDirectory) -> Result<Tokens, KeyError> {
        match self.signing_key(file) {
            Some(given) => Tokens::open_given(&given),
            None => Tokens::open(directory.path()),
        }
    }

    fn or_file(&self, file: &file::ServeSection) -> PathBuf {
        self.data_dir.clone().or_else(|| file.data_dir.clone()).unwrap_or_else(|| PathBuf::from("data"))
    }
}

/// Where durable state is, as every command takes it that reads or writes it.
#[derive(Debug, Clone, Args)]
struct StorePlace {
    /// PostgreSQL for durable state: postgres://user:password@host:port/database [default: a file in the data directory]
    #[arg(long, env = "INFRAWATCH_POSTGRES_URL", hide_env_values = true, value_name = "URL")]
    postgres_url: Option<String>,
}

impl StorePlace {
    /// The server that is named, if one is.
    fn or_file(&self, file: &file::ServeSection) -> anyhow::Result<Option<Place>> {
        let url = self.postgres_url.as_ref().or(file.postgres_url.as_ref());
        url.map(|url| Place::postgres(url)).transpose().context("--postgres-url")
    }
}

/// Runs the program; errors go to stderr with their causes.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with status 0, mistakes to stderr with status 2.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Command::Loadtest(LoadtestArgs { arguments }) = cli.command {
        let program = OsString::from("infrawatch-loadtest");
        return infrawatch_loadtest::main_with(std::iter::once(program).chain(arguments));
    }
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("infrawatch: {error:#}");
            let agent = error.downcast_ref::<AgentError>().map(AgentError::exit_status);
            let check = error.downcast_ref::<e2e::EndToEndError>().map(e2e::EndToEndError::exit_status);
            agent.or(check).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    let file = file::File::read(cli.general.config.as_deref())?;
    let format = cli.general.log_format.or(file.log_format).unwrap_or(LogFormat::Human);
    let quiet = if matches!(cli.command, Command::Serve(_) | Command::Agent(_)) { "info" } else { "warn" };
    let directives = cli.general.log.or_else(|| file.log.clone()).unwrap_or_else(|| quiet.to_owned());
    crate::telemetry::logging::start(format, &directives).map_err(anyhow::Error::msg)?;
    match cli.command {
        Command::Serve(arguments) => serve::run(&arguments, &file, format),
        Command::Agent(arguments) => report::run(arguments, file.agent),
        Command::Token(arguments) => accounts::token(&arguments, &file),
        Command::User(arguments) => accounts::user(&arguments, &file),
        Command::Migrate(arguments) => accounts::migrate(&arguments, &file),
        Command::Backup(arguments) => accounts::backup(&arguments, &file),
        Command::Check(arguments) => accounts::check(&arguments, &file),
        Command::Health(arguments) => health::run(&arguments),
        Command::E2e(arguments) => e2e::run(&arguments),
        // `run` has taken it: it has no settings and no log.
        Command::Loadtest(_) => Ok(()),
    }
}

/// Prints what a command answers; stdout that is closed early is no error of the command.
#[expect(clippy::print_stdout, reason = "the one place that answers on stdout")]
fn answer(text: &str) {
    println!("{text}");
}

/// Asks a hub; a refusal is an answer, with a body that says why.
fn http_agent(timeout: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder().timeout_global(Some(timeout));
    config.http_status_as_error(false).build().new_agent()
}

/// Resolves on SIGINT or SIGTERM.
async fn stop_signal() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        // Without a handler the signal ends the process by itself.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_flag_has_its_variable() {
        let command = Cli::command();
        for sub in std::iter::once(&command).chain(command.get_subcommands()) {
            for argument in sub.get_arguments().filter(|a| a.get_long().is_some()) {
                let long = argument.get_long().unwrap();
                if ["help", "version"].contains(&long) {
                    continue;
                }
                let env = argument.get_env().map(|e| e.to_string_lossy().into_owned());
                assert!(env.is_some_and(|e| e.starts_with("INFRAWATCH_")), "--{long} of {}", sub.get_name());
            }
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
