//! The hub's promises of delivery, each measured and held against its bar.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::bench::beside::median;
use crate::bench::bounds;
use crate::bench::critical;
use crate::bench::hub::{Cpus, Hub, Placement};
use crate::bench::proto::{Proto, Style};
use crate::bench::recovery::{Storm, weather};
use crate::bench::run::{INFLIGHT, Shape, Target, run};
use crate::latencies::ms;

/// What `delivery` is told.
#[derive(Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// The hub's binary
    #[arg(long)]
    hub: PathBuf,
    /// What to measure, in this order
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["deflate", "critical", "recovery"])]
    bars: Vec<Bar>,
    /// Rounds, each with fresh hubs; the median counts, of a recovery storm every one
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Subscribers, if other than the bar's (1,000 for deflate, 5,000 for recovery)
    #[arg(long, value_parser = bounds::subs)]
    subs: Option<usize>,
    /// Critical messages of each kind in a round
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(10..=10_000))]
    samples: u32,
    /// Seconds of each part of a round
    #[arg(long, default_value_t = 4.0, value_parser = bounds::seconds)]
    secs: f64,
    #[command(flatten)]
    cpus: Cpus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bar {
    /// CPU of a 2 kB broadcast to subscribers with permessage-deflate, to those without
    Deflate,
    /// p99 of a critical message behind 512 KiB of other topics, to an idle connection
    Critical,
    /// All subscribers cut off at once while 200 messages a second are published
    Recovery,
}

/// Published data of the broadcasts that are compressed.
const BROADCAST_BYTES: usize = 2_000;
const BROADCASTS_HZ: f64 = 40.0;
const DEFLATE_RATIO_MAX: f64 = 1.3;
const CRITICAL_RATIO_MAX: f64 = 2.0;
const RECOVERY_MESSAGES_HZ: f64 = 200.0;
const BACK_S_MAX: f64 = 10.0;

/// Measures every bar that was asked for; an error when one was missed.
pub(crate) fn delivery(args: &DeliveryArgs, out: &mut impl Write) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let mut missed = Vec::new();
    for bar in &args.bars {
        let held = match bar {
            Bar::Deflate => deflate(args, scratch.path(), out),
            Bar::Critical => critical(args, scratch.path(), out),
            Bar::Recovery => recovery(args, scratch.path(), out),
        };
        if !held.with_context(|| format!("{bar:?}"))? {
            missed.push(format!("{bar:?}").to_lowercase());
        }
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

fn verdict(held: bool) -> &'static str {
    if held { "held" } else { "MISSED" }
}

fn target(args: &DeliveryArgs, hub: &Hub, subs: usize, style: Style) -> Target {
    Target {
        addr: hub.address,
        proto: Proto::Infrawatch,
        subs: args.subs.unwrap_or(subs),
        style,
        token: Some(hub.token.clone()),
        payload: BROADCAST_BYTES,
        inflight: INFLIGHT,
        pid: Some(hub.pid()),
        label: if style.deflate { "deflate" } else { "plain" }.to_owned(),
        json: false,
    }
}

fn deflate(args: &DeliveryArgs, scratch: &Path, out: &mut impl Write) -> Result<bool> {
    let mut ratios = Vec::new();
    for round in 1..=args.rounds {
        let mut cpu_s = [0.0; 2];
        for (deflate, cpu_s) in [false, true].into_iter().zip(&mut cpu_s) {
            let hub = Hub::start(
                &args.hub,
                &scratch.join(format!("deflate-{round}-{deflate}")),
                Placement::pinned(args.cpus),
            )?;
            let style = Style { deflate, samples: true, unhurried: false };
            let shape = Shape::Paced { rate_hz: BROADCASTS_HZ, warm_s: 0.5, measure_s: args.secs };
            let report = run(&target(args, &hub, 1_000, style), shape)?;
            crate::bench::print(&report, false, out)?;
            if !report.is_clean() {
                bail!("messages were lost, repeated or reordered, or clients lost");
            }
            *cpu_s = report.server_cpu_s_per_million.context("no CPU time of the hub")?;
        }
        ratios.push(cpu_s[1] / cpu_s[0]);
    }
    let ratio = median(ratios.iter().copied());
    let held = ratio <= DEFLATE_RATIO_MAX;
    let (bar, verdict) = (DEFLATE_RATIO_MAX, verdict(held));
    writeln!(
        out,
        "deflate   hub CPU per delivery, deflate to plain: {ratio:.2} (at most {bar:.1}): {verdict}"
    )?;
    Ok(held)
}

fn critical(args: &DeliveryArgs, scratch: &Path, out: &mut impl Write) -> Result<bool> {
    let (mut idle_ms, mut behind_ms) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let hub =
            Hub::start(&args.hub, &scratch.join(format!("critical-{round}")), Placement::pinned(args.cpus))?;
        let latencies = critical::measure(&hub, args.samples)?;
        let waited = format!("behind {} KiB", latencies.backlog_bytes_min / 1024);
        for (name, histogram, p99s) in
            [("idle", &latencies.idle, &mut idle_ms), (&waited, &latencies.behind, &mut behind_ms)]
        {
            let (messages, [p50, p99, max]) =
                (histogram.len(), [0.5, 0.99, 1.0].map(|quantile| ms(histogram, quantile)));
            writeln!(
                out,
                "critical  {name:<15} {messages} messages  p50 {p50:.3} p99 {p99:.3} max {max:.3} ms"
            )?;
            p99s.push(p99);
        }
        let ahead = latencies.ahead_bytes_max / 1024;
        writeln!(out, "critical  at most {ahead} KiB of other topics came before a critical message")?;
    }
    let (idle, behind) = (median(idle_ms.into_iter()), median(behind_ms.into_iter()));
    let (ratio, bar) = (behind / idle, CRITICAL_RATIO_MAX);
    let held = ratio <= bar;
    let verdict = verdict(held);
    writeln!(
        out,
        "critical  p99 behind a backlog to idle: {behind:.3} / {idle:.3} ms = {ratio:.2} (at most {bar:.1}): {verdict}"
    )?;
    Ok(held)
}

fn recovery(args: &DeliveryArgs, scratch: &Path, out: &mut impl Write) -> Result<bool> {
    let mut held = true;
    let storm = Storm { rate_hz: RECOVERY_MESSAGES_HZ, before_s: args.secs, after_s: args.secs };
    for round in 1..=args.rounds {
        let hub =
            Hub::start(&args.hub, &scratch.join(format!("recovery-{round}")), Placement::pinned(args.cpus))?;
        let style = Style { unhurried: true, ..Style::default() };
        let target = Target { payload: 200, ..target(args, &hub, 5_000, style) };
        let aftermath = weather(&target, storm)?;
        writeln!(out, "recovery  {aftermath}")?;
        held &= aftermath.is_clean() && aftermath.back_s <= BACK_S_MAX;
    }
    let verdict = verdict(held);
    writeln!(out, "recovery  no gap, no duplicate, all back within {BACK_S_MAX} s: {verdict}")?;
    Ok(held)
}
