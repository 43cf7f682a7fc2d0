//! The command `run`: a plan in, progress on the way, a result out.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::cli::Outcome;
use crate::engine::{self, Options};
use crate::plan::Plan;
use crate::result::{Line, Progress, RunResult, Status};
use crate::terminal::{self, Live};
use crate::{csv, html, net};

/// The longest plan, in bytes.
const PLAN_BYTES_MAX: u64 = 256 * 1024;

/// What `run` is told.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The plan, a YAML file; `-` for stdin
    plan: PathBuf,
    /// The hub, on loopback; instead of the plan's `target`
    #[arg(long, value_parser = net::loopback)]
    addr: Option<SocketAddrV4>,
    /// The hub's process, to read its CPU time, memory and open files
    #[arg(long)]
    pid: Option<u32>,
    /// How to tell where the run stands
    #[arg(long, value_enum, default_value = "auto")]
    progress: Show,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write one line a phase, and one for the whole run
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write a report to look at: one file, no script, nothing from the network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// How to tell where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Show {
    /// `live` on a terminal, else `plain`
    Auto,
    /// One line that is written over
    Live,
    /// A line every five seconds
    Plain,
    /// A JSON object a line, twice a second, and the result as the last
    Json,
    /// Only the result
    None,
}

/// Carries out a plan.
pub(crate) fn run(args: &RunArgs, out: &mut impl Write) -> Result<Outcome> {
    let plan = match Plan::parse(&read(&args.plan)?) {
        Ok(plan) => plan,
        Err(error) => return Ok(Outcome::Bad(format!("{}: {error}", args.plan.display()))),
    };
    let Some(address) = args.addr.or(plan.target) else {
        return Ok(Outcome::Bad("no hub: give --addr, or `target` in the plan".to_owned()));
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The first one ends the run with a result, a second one ends the program.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let token = std::env::var("INFRAWATCH_TOKEN").ok().filter(|token| !token.is_empty());
    let options = Options { address, token, pid: args.pid, stop };
    let show = match args.progress {
        Show::Auto if io::stdout().is_terminal() => Show::Live,
        Show::Auto => Show::Plain,
        chosen => chosen,
    };
    if matches!(show, Show::Live | Show::Plain) {
        writeln!(out, "{}", terminal::headline(&plan, address))?;
    }
    let result = observed(&plan, &options, show, out)?;
    if show == Show::Json {
        line(&Line::Result(Box::new(result.clone())), out)?;
    } else {
        write!(out, "{}", terminal::summary(&result))?;
        out.flush()?;
    }
    write_files(args, &result)?;
    Ok(if result.status == Status::Completed { Outcome::Held } else { Outcome::Missed })
}

fn observed(plan: &Plan, options: &Options, show: Show, out: &mut impl Write) -> Result<RunResult> {
    let mut live = Live::new(plan.run_s());
    let mut plain_s = 0.0;
    let mut observer = |progress: &Progress| match show {
        Show::Json => line(&Line::Progress(Box::new(progress.clone())), out),
        Show::Live => Ok(live.show(progress, out)?),
        Show::Plain if progress.elapsed_s >= plain_s => {
            plain_s = progress.elapsed_s + 5.0;
            Ok(writeln!(out, "{}", terminal::status_line(progress, plan.run_s()))?)
        }
        _ => Ok(()),
    };
    let result = engine::carry_out(plan, options, &mut observer)?;
    if show == Show::Live {
        live.end(out)?;
    }
    Ok(result)
}

fn line(line: &Line, out: &mut impl Write) -> Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(PLAN_BYTES_MAX)
            .read_to_string(&mut text)
            .context("reading the plan from stdin")?;
    } else {
        let file = fs::File::open(path).with_context(|| format!("opening the plan {}", path.display()))?;
        file.take(PLAN_BYTES_MAX).read_to_string(&mut text).with_context(|| path.display().to_string())?;
    }
    Ok(text)
}

fn write_files(args: &RunArgs, result: &RunResult) -> Result<()> {
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        Some(path) => fs::write(path, text()?).with_context(|| format!("writing {}", path.display())),
        None => Ok(()),
    };
    write(&args.json, &|| Ok(serde_json::to_string_pretty(result)? + "\n"))?;
    write(&args.csv, &|| Ok(csv::table(result)))?;
    write(&args.html, &|| Ok(html::report(result)))
}
