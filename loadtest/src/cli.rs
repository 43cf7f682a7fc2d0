//! The command line.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{bench, net};

/// A bad command line or a bad plan.
const BAD: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "infrawatch-loadtest", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Bench(bench::Command),
}

/// Carries out a command line; the first argument is the program's name. 0 when everything held, 1 when something was
/// missed or could not be carried out, 2 when the command line or the plan makes no sense. Complaints go to stderr.
pub fn main_with<I>(arguments: I) -> ExitCode
where
    I: IntoIterator<Item: Into<OsString> + Clone>,
{
    let command = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.command,
        Err(error) => {
            // Nobody is left to tell when even stderr is gone.
            drop(error.print());
            return if error.use_stderr() { ExitCode::from(BAD) } else { ExitCode::SUCCESS };
        }
    };
    let out = &mut io::stdout().lock();
    let done = net::raise_file_limit().and_then(|()| match command {
        Command::Bench(command) => bench::carry_out(command, out).map(|()| ExitCode::SUCCESS),
    });
    done.unwrap_or_else(|error| {
        eprintln!("Error: {error:?}");
        ExitCode::FAILURE
    })
}
