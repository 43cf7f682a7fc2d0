//! The command line.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::comparison::{self, CompareArgs};
use crate::running::{self, RunArgs};
use crate::{bench, net};

/// A bad command line or a bad plan.
const BAD: u8 = 2;

/// Load tests of a hub on loopback: plans with phases and thresholds, and the hub beside the physical limit
#[derive(Debug, Parser)]
#[command(name = "infrawatch-loadtest", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry out a plan against a hub; its token is taken from INFRAWATCH_TOKEN
    Run(RunArgs),
    /// Show two results side by side, and where they differ by more than a quarter
    Compare(CompareArgs),
    #[command(flatten)]
    Bench(bench::Command),
}

/// What a command came to when nothing kept it from its work.
pub(crate) enum Outcome {
    /// Everything held.
    Held,
    /// Something was missed; it has been said what.
    Missed,
    /// What was asked for makes no sense.
    Bad(String),
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
        Command::Run(args) => running::run(&args, out),
        Command::Compare(args) => comparison::compare(&args, out),
        Command::Bench(command) => bench::carry_out(command, out).map(|()| Outcome::Held),
    });
    match done {
        Ok(Outcome::Held) => ExitCode::SUCCESS,
        Ok(Outcome::Missed) => ExitCode::FAILURE,
        Ok(Outcome::Bad(why)) => {
            eprintln!("Error: {why}");
            ExitCode::from(BAD)
        }
        Err(error) => {
            eprintln!("Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
