//! The hub beside a rival: runs of the same mode next to each other in time, at equal bytes per
//! message, because machines drift by more within minutes than what is to be told apart.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::bench::bounds;
use crate::bench::hub::{Cpus, Hub, Placement, free_address};
use crate::bench::proto::{Proto, Style};
use crate::bench::report::Report;
use crate::bench::run::{INFLIGHT, Shape, Target, run};
use crate::process::{Server, pin};

/// What `beside` is told.
#[derive(Debug, Args)]
pub(crate) struct BesideArgs {
    /// The hub's binary
    #[arg(long)]
    hub: PathBuf,
    /// Modes to run, in this order
    #[arg(long, value_delimiter = ',', default_values_t = MODES.iter().map(|mode| mode.name.to_owned()))]
    modes: Vec<String>,
    /// Rounds; each runs every mode against both servers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Length of the published data in bytes, before the hub's envelope
    #[arg(long, default_value_t = 200, value_parser = bounds::payload_bytes)]
    payload: usize,
    #[command(flatten)]
    cpus: Cpus,
    /// Print a JSON line per run instead of one for people
    #[arg(long)]
    json: bool,
}

/// Which figure of a report a mode is about.
#[derive(Clone, Copy)]
enum Figure {
    Deliveries,
    P99,
    Connects,
    IdleBytes,
}

impl Figure {
    fn of(self, report: &Report) -> f64 {
        match self {
            Self::Deliveries => report.deliveries_per_s,
            Self::P99 => report.p99_ms,
            Self::Connects => report.connects_per_s,
            Self::IdleBytes => report.idle_bytes_per_connection.unwrap_or_default(),
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries/s",
            Self::P99 => "p99 ms",
            Self::Connects => "connects/s",
            Self::IdleBytes => "bytes/connection",
        }
    }
}

/// What the hub is measured beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rival {
    /// The physical limit one message at a time: a write for each frame.
    Write,
    /// The physical limit in bursts: frames are joined.
    Batch,
    /// The hub itself with one worker, while the hub has two and nothing is pinned.
    OneWorker,
}

impl Rival {
    fn label(self) -> &'static str {
        match self {
            Self::Write => "base-write",
            Self::Batch => "base-batch",
            Self::OneWorker => "one worker",
        }
    }
}

struct Mode {
    name: &'static str,
    subs: usize,
    shape: Shape,
    rival: Rival,
    figure: Figure,
    target: &'static str,
}

const fn fanout(window: u32, measure_s: f64) -> Shape {
    Shape::Fanout { window, warm_s: 0.7, measure_s }
}

const fn paced(rate_hz: f64) -> Shape {
    Shape::Paced { rate_hz, warm_s: 0.5, measure_s: 4.0 }
}

#[rustfmt::skip]
const MODES: &[Mode] = &[
    Mode { name: "storm", subs: 5_000, shape: Shape::Storm, rival: Rival::Write, figure: Figure::Connects, target: ">= 0.4" },
    Mode { name: "fan100", subs: 100, shape: fanout(64, 2.0), rival: Rival::Batch, figure: Figure::Deliveries, target: ">= 0.7" },
    Mode { name: "fan1000", subs: 1_000, shape: fanout(64, 2.5), rival: Rival::Batch, figure: Figure::Deliveries, target: ">= 0.7" },
    Mode { name: "fan1000w1", subs: 1_000, shape: fanout(1, 2.5), rival: Rival::Write, figure: Figure::Deliveries, target: ">= 0.85" },
    Mode { name: "fan5000", subs: 5_000, shape: fanout(16, 3.0), rival: Rival::Batch, figure: Figure::Deliveries, target: ">= 0.7" },
    Mode { name: "p5000", subs: 5_000, shape: paced(10.0), rival: Rival::Write, figure: Figure::P99, target: "<= 1.4" },
    Mode { name: "p1000", subs: 1_000, shape: paced(50.0), rival: Rival::Write, figure: Figure::P99, target: "<= 1.4" },
    Mode { name: "workers2", subs: 1_000, shape: fanout(1, 2.5), rival: Rival::OneWorker, figure: Figure::Deliveries, target: ">= 1.3" },
    Mode { name: "idle", subs: 10_000, shape: Shape::Idle { settle_s: 3.0 }, rival: Rival::Write, figure: Figure::IdleBytes, target: "<= 4096 B" },
];

/// Runs every mode in every round, prints each run and then the table of medians.
pub(crate) fn beside(args: &BesideArgs, out: &mut impl Write) -> Result<()> {
    let modes = args.modes.iter().map(|name| {
        let mode = MODES.iter().find(|mode| mode.name == name);
        mode.with_context(|| {
            format!(
                "no mode {name}; there is {}",
                MODES.iter().map(|m| m.name).collect::<Vec<_>>().join(", ")
            )
        })
    });
    let modes = modes.collect::<Result<Vec<_>>>()?;
    let scratch = tempfile::tempdir()?;
    let mut runs: BTreeMap<&str, Vec<(Report, Report)>> = BTreeMap::new();
    for round in 1..=args.rounds {
        for mode in &modes {
            let directory = scratch.path().join(format!("{}-{round}", mode.name));
            let placement = match mode.rival {
                Rival::OneWorker => Placement::anywhere(2),
                Rival::Write | Rival::Batch => Placement::pinned(args.cpus),
            };
            let hub = measure_hub(args, mode, "hub", placement, &directory)?;
            crate::bench::print(&hub, args.json, out)?;
            let rival = if mode.rival == Rival::OneWorker {
                let directory = directory.join("one-worker");
                measure_hub(args, mode, mode.rival.label(), Placement::anywhere(1), &directory)?
            } else {
                // The header of the baseline's frame is not payload.
                let same_bytes = hub.wire_bytes_per_message.round() as usize;
                let payload = if same_bytes > args.payload { same_bytes - 4 } else { args.payload };
                measure_baseline(args, mode, payload, &scratch.path().join("baseline.log"))?
            };
            crate::bench::print(&rival, args.json, out)?;
            runs.entry(mode.name).or_default().push((hub, rival));
        }
    }
    if !args.json {
        table(&modes, &runs, out)?;
    }
    let unclean = runs.values().flatten().filter(|(hub, rival)| !hub.is_clean() || !rival.is_clean()).count();
    ensure!(unclean == 0, "{unclean} pairs of runs lost, repeated or reordered messages, or lost clients");
    Ok(())
}

fn measure_hub(
    args: &BesideArgs,
    mode: &Mode,
    label: &str,
    placement: Placement,
    data_dir: &Path,
) -> Result<Report> {
    let hub = Hub::start(&args.hub, data_dir, placement)?;
    let mut target = target(args, mode, hub.address, Proto::Infrawatch, Some(hub.pid()));
    target.token = Some(hub.token);
    measure(label, target, mode)
}

fn measure_baseline(args: &BesideArgs, mode: &Mode, payload: usize, log: &Path) -> Result<Report> {
    let address = free_address()?;
    let program = std::env::current_exe()?;
    let mut arguments = vec!["baseline".to_owned(), "--listen".to_owned(), address.to_string()];
    if program.file_stem().is_some_and(|name| name != env!("CARGO_PKG_NAME")) {
        // Another program whose sub-command this crate is.
        arguments.insert(0, "loadtest".to_owned());
    }
    if mode.rival == Rival::Batch {
        arguments.push("--batch".to_owned());
    }
    pin(args.cpus.server_cpu)?;
    let base = Server::start(&program, &arguments, address, log)?;
    pin(args.cpus.client_cpu)?;
    measure(
        mode.rival.label(),
        Target { payload, ..target(args, mode, address, Proto::Raw, Some(base.pid())) },
        mode,
    )
}

fn target(args: &BesideArgs, mode: &Mode, addr: SocketAddrV4, proto: Proto, pid: Option<u32>) -> Target {
    let (subs, payload, json) = (mode.subs, args.payload, args.json);
    let (style, label) = (Style::default(), String::new());
    Target { addr, proto, subs, style, token: None, payload, inflight: INFLIGHT, pid, label, json }
}

fn measure(label: &str, target: Target, mode: &Mode) -> Result<Report> {
    let target = Target { label: label.to_owned(), ..target };
    run(&target, mode.shape).with_context(|| format!("{label}, {}", mode.name))
}

fn table(modes: &[&Mode], runs: &BTreeMap<&str, Vec<(Report, Report)>>, out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "\n{:<10} {:>16} {:>12} {:>12} {:>7} {:>10} {:>10}",
        "mode", "median of", "hub", "rival", "ratio", "target", "CPU ratio"
    )?;
    for mode in modes {
        let Some(pairs) = runs.get(mode.name) else { continue };
        let (hub, base) = medians(pairs, |report| mode.figure.of(report));
        let cpu = medians(pairs, |report| report.server_cpu_s_per_million.unwrap_or_default());
        let cpu = if cpu.1 > 0.0 { format!("{:.2}", cpu.0 / cpu.1) } else { "-".to_owned() };
        let (name, unit, target) = (mode.name, mode.figure.unit(), mode.target);
        writeln!(
            out,
            "{name:<10} {unit:>16} {hub:>12.1} {base:>12.1} {:>7.2} {target:>10} {cpu:>10}",
            hub / base
        )?;
    }
    Ok(())
}

fn medians(pairs: &[(Report, Report)], figure: impl Fn(&Report) -> f64) -> (f64, f64) {
    (median(pairs.iter().map(|(hub, _)| figure(hub))), median(pairs.iter().map(|(_, base)| figure(base))))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        upper
    } else {
        (values.get(middle.wrapping_sub(1)).copied().unwrap_or(upper) + upper) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median([].into_iter()).is_nan());
    }
}
