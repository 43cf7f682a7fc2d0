//! `infrawatch token`, `user`, `migrate`, `backup`, `check`: what is done beside a hub, on its data directory.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::file::File;
use super::{DataDir, StorePlace, answer};
use crate::auth::{Auth, NewToken, Role};
use crate::clock::{Clock, rfc3339};
use crate::ids::NodeName;
use crate::store::{self, DataDirectory, Place, Store, StoreOptions};

const HOUR_MS: u64 = 3_600_000;
const AGENT_TTL_MS: u64 = 90 * 24 * HOUR_MS;

/// Flags of `infrawatch token`.
#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// viewer, operator, admin or agent
    #[arg(long, env = "INFRAWATCH_ROLE", value_name = "ROLE")]
    role: Role,
    /// The node of an agent
    #[arg(long, env = "INFRAWATCH_NODE", value_name = "NAME", required_if_eq("role", "agent"))]
    node: Option<String>,
    /// Whom the token speaks for [default: the role, or agent:NODE]
    #[arg(long, env = "INFRAWATCH_SUB", value_name = "SUBJECT")]
    sub: Option<String>,
    /// How long it lives: seconds, or with a unit as 15m, 1h, 90d [default: 90d for agents, 1h for others]
    #[arg(long, env = "INFRAWATCH_TTL", value_name = "TIME", value_parser = parse_ttl)]
    ttl: Option<u64>,
}

/// Flags of `infrawatch user`.
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user; the password is asked for, or the first line of stdin
    Add {
        #[command(flatten)]
        data_dir: DataDir,
        #[command(flatten)]
        store: StorePlace,
        /// Name to sign in with
        name: String,
        /// viewer, operator or admin
        #[arg(long, env = "INFRAWATCH_ROLE", value_name = "ROLE", default_value = "viewer")]
        role: Role,
    },
    /// List users
    List {
        #[command(flatten)]
        data_dir: DataDir,
        #[command(flatten)]
        store: StorePlace,
    },
    /// Keep a user from signing in, and take back their tokens
    Disable {
        #[command(flatten)]
        data_dir: DataDir,
        #[command(flatten)]
        store: StorePlace,
        /// Who
        name: String,
    },
    /// Let a user sign in again
    Enable {
        #[command(flatten)]
        data_dir: DataDir,
        #[command(flatten)]
        store: StorePlace,
        /// Who
        name: String,
    },
}

/// Flags of `infrawatch migrate`.
#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    data_dir: DataDir,
    #[command(flatten)]
    store: StorePlace,
    /// Change nothing; status 1 when there is something to apply
    #[arg(long, env = "INFRAWATCH_CHECK")]
    check: bool,
}

/// Flags of `infrawatch backup`.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    data_dir: DataDir,
    #[command(flatten)]
    store: StorePlace,
    /// Where the copy goes; the file must not exist yet
    #[arg(value_name = "FILE")]
    into: std::path::PathBuf,
}

/// Flags of `infrawatch check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    data_dir: DataDir,
    #[command(flatten)]
    store: StorePlace,
    /// Also check this Redis: its version, persistence, eviction, limits
    #[arg(long, env = "INFRAWATCH_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,
}

fn parse_ttl(text: &str) -> Result<u64, String> {
    let (number, unit_ms) = match text.char_indices().last() {
        Some((at, 's')) => (text.get(..at), 1_000),
        Some((at, 'm')) => (text.get(..at), 60_000),
        Some((at, 'h')) => (text.get(..at), HOUR_MS),
        Some((at, 'd')) => (text.get(..at), 24 * HOUR_MS),
        _ => (Some(text), 1_000),
    };
    let count = number.and_then(|n| n.parse::<u64>().ok()).filter(|n| *n > 0);
    count
        .and_then(|n| n.checked_mul(unit_ms))
        .ok_or_else(|| "must be a whole number of seconds, or one with s, m, h or d, as 90d".to_owned())
}

pub(super) fn token(arguments: &TokenArgs, file: &File) -> anyhow::Result<()> {
    if let Some(node) = &arguments.node {
        NodeName::parse(node)?;
        if arguments.role != Role::Agent {
            bail!("--node is for --role agent; a {} sees all nodes", arguments.role.as_str());
        }
    }
    let directory = DataDirectory::prepare(&arguments.data_dir.or_file(&file.serve))?;
    let tokens = arguments.data_dir.tokens(&file.serve, &directory)?;
    let agent = arguments.role == Role::Agent;
    let subject = match (&arguments.sub, &arguments.node) {
        (Some(subject), _) => subject.clone(),
        (None, Some(node)) => format!("agent:{node}"),
        (None, None) => arguments.role.as_str().to_owned(),
    };
    let new = NewToken {
        subject,
        role: arguments.role,
        node: arguments.node.clone(),
        topics: None,
        ttl_ms: arguments.ttl.unwrap_or(if agent { AGENT_TTL_MS } else { HOUR_MS }),
    };
    let (token, _) = tokens.issue(new, Clock::system().unix_ms())?;
    answer(&token);
    Ok(())
}

pub(super) fn user(arguments: &UserArgs, file: &File) -> anyhow::Result<()> {
    let (UserCommand::Add { data_dir, store, .. }
    | UserCommand::List { data_dir, store }
    | UserCommand::Disable { data_dir, store, .. }
    | UserCommand::Enable { data_dir, store, .. }) = &arguments.command;
    let now_ms = Clock::system().unix_ms();
    let directory = DataDirectory::prepare(&data_dir.or_file(&file.serve))?;
    let place = place(store, file, &directory)?;
    let store = Store::open(place, &StoreOptions::default(), now_ms)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let auth = Auth::open(data_dir.tokens(&file.serve, &directory)?, store.clone(), now_ms).await?;
        let done = change_users(&auth, &arguments.command, now_ms).await;
        store.close().await;
        done
    })
}

async fn change_users(auth: &Auth, command: &UserCommand, now_ms: u64) -> anyhow::Result<()> {
    match command {
        UserCommand::Add { name, role, .. } => {
            auth.add_user(name, &read_password()?, *role, now_ms).await?;
            answer(&format!("added {} {name}", role.as_str()));
        }
        UserCommand::List { .. } => {
            let mut after: Option<String> = None;
            loop {
                let page = auth.users(after.as_deref(), 100).await?;
                for user in &page {
                    let state = if user.disabled { "disabled" } else { "enabled" };
                    let created = rfc3339(user.created_at_ms);
                    answer(&format!("{:<24} {:<9} {state:<9} {created}", user.name, user.role.as_str()));
                }
                match page.last() {
                    Some(last) if page.len() == 100 => after = Some(last.name.clone()),
                    _ => break,
                }
            }
        }
        UserCommand::Disable { name, .. } => {
            known(name, auth.set_user_disabled(name, true, now_ms).await?)?;
            answer(&format!("disabled {name}"));
        }
        UserCommand::Enable { name, .. } => {
            known(name, auth.set_user_disabled(name, false, now_ms).await?)?;
            answer(&format!("enabled {name}"));
        }
    }
    Ok(())
}

fn known(name: &str, found: bool) -> anyhow::Result<()> {
    if !found {
        bail!("there is no user {name:?}; `infrawatch user list` shows who there is");
    }
    Ok(())
}

/// The password: typed without echo at a terminal, else the first line of stdin.
fn read_password() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        eprint!("Password: ");
        let before = rustix::termios::tcgetattr(&stdin).context("terminal")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &hidden)
            .context("terminal")?;
        let read = stdin.lock().read_line(&mut line);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &before)
            .context("terminal")?;
        eprintln!();
        read?;
    } else {
        stdin.lock().read_line(&mut line)?;
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// The database of a hub that is started with the same flags.
fn place(store: &StorePlace, file: &File, directory: &DataDirectory) -> anyhow::Result<Place> {
    Ok(directory.store_place(store.or_file(&file.serve)?.as_ref()))
}

pub(super) fn migrate(arguments: &MigrateArgs, file: &File) -> anyhow::Result<()> {
    let directory = DataDirectory::prepare(&arguments.data_dir.or_file(&file.serve))?;
    let place = place(&arguments.store, file, &directory)?;
    if arguments.check {
        let pending = store::check(place)?.pending;
        if !pending.is_empty() {
            bail!("migrations are pending: {}", pending.join(", "));
        }
        answer("the schema is up to date");
        return Ok(());
    }
    let applied = store::migrate(place, Clock::system().unix_ms())?;
    match applied.as_slice() {
        [] => answer("the schema is up to date"),
        names => names.iter().for_each(|name| answer(&format!("applied {name}"))),
    }
    Ok(())
}

pub(super) fn backup(arguments: &BackupArgs, file: &File) -> anyhow::Result<()> {
    if arguments.store.or_file(&file.serve)?.is_some() {
        bail!(
            "the store is on a PostgreSQL server, which has tools of its own for this: pg_dump copies the database"
        );
    }
    let data_dir = arguments.data_dir.or_file(&file.serve);
    let database = DataDirectory::prepare(&data_dir)?.database();
    if !database.exists() {
        bail!("{}: there is no store yet", database.display());
    }
    let bytes =
        store::backup(&database, &arguments.into).with_context(|| arguments.into.display().to_string())?;
    answer(&format!("{}: {bytes} bytes, sound", arguments.into.display()));
    answer(
        "not in it: the signing key; without the same key every token is void after a restore (docs/operations.md)",
    );
    Ok(())
}

pub(super) fn check(arguments: &CheckArgs, file: &File) -> anyhow::Result<()> {
    file.settings.check()?;
    answer("settings: good");
    let directory = DataDirectory::prepare(&arguments.data_dir.or_file(&file.serve))?;
    answer(&format!("data directory {}: writable", directory.path().display()));
    arguments.data_dir.tokens(&file.serve, &directory)?;
    answer("signing key: good");
    if let Some(url) = arguments.redis_url.as_ref().or(file.serve.redis_url.as_ref()) {
        super::servers::check_redis(url, &file.settings.engine)?;
    }
    let server = arguments.store.or_file(&file.serve)?;
    if server.is_none() && !directory.database().exists() {
        answer("store: not there yet; `infrawatch serve` makes it");
        return Ok(());
    }
    let sound = if server.is_some() { "server reached" } else { "file sound" };
    let report = store::check(directory.store_place(server.as_ref()))?;
    if !report.pending.is_empty() {
        bail!("store: migrations are pending ({}); run `infrawatch migrate`", report.pending.join(", "));
    }
    if !report.problems.is_empty() {
        bail!("store: the file is damaged: {}", report.problems.join("; "));
    }
    answer(&format!("store: schema up to date, {sound}"));
    if server.is_some() { super::servers::check_postgres(&report.settings) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_have_units() {
        assert_eq!(parse_ttl("90d"), Ok(AGENT_TTL_MS));
        assert_eq!(parse_ttl("1h"), Ok(HOUR_MS));
        assert_eq!(parse_ttl("15m"), Ok(900_000));
        assert_eq!(parse_ttl("30"), Ok(30_000));
        for bad in ["", "d", "0", "-1h", "1w", "1.5h", "99999999999999999999d"] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }
}
