//! One run against one server: connect, publish in the shape asked for, count what arrives.

use std::net::SocketAddrV4;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::bench::bounds;
use crate::bench::client::Swarm;
use crate::bench::proto::{Proto, Style};
use crate::bench::report::Report;
use crate::clients::Clients as _;
use crate::latencies::ms;
use crate::marker::Marker;
use crate::net::{self, now_ns};
use crate::process::Usage;

const CONNECT_TIMEOUT_NS: u64 = 60_000_000_000;
/// A run that delivers nothing for this long has ended.
pub(crate) const STALL_NS: u64 = 3_000_000_000;
pub(crate) const BURST_MAX: u32 = 64;
pub(crate) const UNSENT_BYTES_MAX: usize = 256 * 1024;

/// How many clients are between opening and being ready at one time, unless told otherwise.
pub(crate) const INFLIGHT: usize = 256;

/// Whom to measure, and with what.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The server, on loopback
    #[arg(long, value_parser = net::loopback)]
    pub(crate) addr: SocketAddrV4,
    /// What the server speaks
    #[arg(long, value_enum)]
    pub(crate) proto: Proto,
    /// Subscribers
    #[arg(long, default_value_t = 1_000, value_parser = bounds::subs)]
    pub(crate) subs: usize,
    #[command(flatten)]
    pub(crate) style: Style,
    /// Token for the hub
    #[arg(long, env = "INFRAWATCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Length of the published data in bytes
    #[arg(long, default_value_t = 200, value_parser = bounds::payload_bytes)]
    pub(crate) payload: usize,
    /// Clients between opening and being ready at one time
    #[arg(long, default_value_t = INFLIGHT, value_parser = bounds::subs)]
    pub(crate) inflight: usize,
    /// The server's process, to read its CPU time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Name of the server in the output
    #[arg(long, default_value = "server")]
    pub(crate) label: String,
    /// Print a JSON line instead of one for people
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Connect and subscribe, as fast as it goes.
    Storm,
    /// Connect, subscribe, and look at the memory after `settle_s` seconds.
    Idle { settle_s: f64 },
    /// Keep `window` messages in flight (closed loop).
    Fanout { window: u32, warm_s: f64, measure_s: f64 },
    /// Publish at fixed times whatever comes back (open loop).
    Paced { rate_hz: f64, warm_s: f64, measure_s: f64 },
}

/// What is read at the two ends of the measured time.
#[derive(Clone, Copy)]
struct Snapshot {
    at_ns: u64,
    delivered: u64,
    reads: u64,
    server: Usage,
    own: Usage,
}

impl Snapshot {
    fn take(swarm: &Swarm<'_>, target: &Target) -> Result<Self> {
        Ok(Self {
            at_ns: now_ns(),
            delivered: swarm.tally.counts.delivered,
            reads: swarm.tally.reads,
            server: Usage::of_server(target.pid)?,
            own: Usage::of(std::process::id())?,
        })
    }
}

pub(crate) fn ns(seconds: f64) -> u64 {
    Duration::from_secs_f64(seconds).as_nanos().try_into().unwrap_or(u64::MAX)
}

/// Carries a run out. Lost messages and clients are results, not errors.
pub(crate) fn run(target: &Target, shape: Shape) -> Result<Report> {
    let mut swarm = Swarm::new(target)?;
    let before = Usage::of_server(target.pid)?;
    let mut report = Report { label: target.label.clone(), subs: target.subs, ..Report::default() };
    let connect_s = connect(&mut swarm, target)?;
    report.ready = swarm.ready;
    report.connects_per_s = swarm.ready as f64 / connect_s;
    report.connect_p99_ms = ms(&swarm.tally.connects, 0.99);
    match shape {
        Shape::Storm => report.mode = "storm",
        Shape::Idle { settle_s } => {
            report.mode = "idle";
            let end_ns = now_ns() + ns(settle_s);
            while now_ns() < end_ns {
                swarm.poll(Duration::from_millis(50))?;
            }
            let grown_bytes = Usage::of_server(target.pid)?.rss_bytes.saturating_sub(before.rss_bytes);
            report.idle_bytes_per_connection = Some(grown_bytes as f64 / swarm.ready.max(1) as f64);
        }
        Shape::Fanout { window, warm_s, measure_s } => {
            report.mode = "fanout";
            publish(&mut swarm, target, &mut report, (warm_s, measure_s), Pace::Window(window))?;
        }
        Shape::Paced { rate_hz, warm_s, measure_s } => {
            report.mode = "paced";
            publish(&mut swarm, target, &mut report, (warm_s, measure_s), Pace::Step(ns(1.0 / rate_hz)))?;
        }
    }
    report.lost_clients = swarm.tally.lost_clients;
    report.first_failure = swarm.first_failure.take();
    Ok(report)
}

/// Opens all subscribers and waits until each is ready or lost; returns the seconds it took.
pub(crate) fn connect(swarm: &mut Swarm<'_>, target: &Target) -> Result<f64> {
    let start_ns = now_ns();
    while swarm.opened() < target.subs || swarm.underway() > 0 {
        while swarm.opened() < target.subs && swarm.underway() < target.inflight {
            swarm.open_one()?;
        }
        swarm.poll(Duration::from_millis(20))?;
        if now_ns() - start_ns > CONNECT_TIMEOUT_NS {
            bail!("{} of {} clients ready after 60 s: {:?}", swarm.ready, target.subs, swarm.first_failure);
        }
    }
    if swarm.ready == 0 {
        bail!("no client became ready: {}", swarm.first_failure.take().unwrap_or_default());
    }
    Ok((now_ns() - start_ns) as f64 / 1e9)
}

/// When the next message is due.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as fewer than this many are in flight.
    Window(u32),
    /// Every so many nanoseconds.
    Step(u64),
}

/// Publishes through the last client of a swarm.
pub(crate) struct Publisher {
    pace: Pace,
    pub(crate) published: u32,
    next_due_ns: u64,
}

impl Publisher {
    pub(crate) fn new(pace: Pace, start_ns: u64) -> Self {
        Self { pace, published: 0, next_due_ns: start_ns }
    }

    /// Stages what is due now and returns whether there was any.
    pub(crate) fn stage_due(&mut self, swarm: &mut Swarm<'_>, now: u64) -> Result<bool> {
        let first = self.published;
        match self.pace {
            Pace::Window(window) => {
                let subs = swarm.ready.max(1) as u64;
                let done = swarm.tally.counts.delivered / subs;
                let room = u64::from(window).saturating_sub(u64::from(self.published).saturating_sub(done));
                if swarm.unsent_bytes()? < UNSENT_BYTES_MAX {
                    for _ in 0..room.min(u64::from(BURST_MAX)) {
                        self.stage_one(swarm, now);
                    }
                }
            }
            Pace::Step(step_ns) => {
                while self.next_due_ns <= now {
                    self.stage_one(swarm, self.next_due_ns);
                    self.next_due_ns += step_ns;
                }
            }
        }
        Ok(self.published > first)
    }

    fn stage_one(&mut self, swarm: &mut Swarm<'_>, due_ns: u64) {
        swarm.stage(Marker { due_ns, sequence: self.published });
        self.published += 1;
    }

    pub(crate) fn wait(&self) -> Duration {
        let until_due = self.next_due_ns.saturating_sub(now_ns());
        let pause = if matches!(self.pace, Pace::Step(_)) { until_due / 1_000_000 } else { 20 };
        Duration::from_millis(pause.min(20))
    }
}

fn publish(
    swarm: &mut Swarm<'_>,
    target: &Target,
    report: &mut Report,
    (warm_s, measure_s): (f64, f64),
    pace: Pace,
) -> Result<()> {
    swarm.open_publisher()?;
    let start_ns = now_ns();
    let (from_ns, end_ns) = (start_ns + ns(warm_s), start_ns + ns(warm_s + measure_s));
    (swarm.tally.run_start_ns, swarm.tally.record_from_ns) = (start_ns, from_ns);
    let subs = swarm.ready as u64;
    let mut publisher = Publisher::new(pace, start_ns);
    let (mut first, mut last) = (None, None);
    let (mut delivered, mut progress_ns) = (0, start_ns);
    loop {
        let now = now_ns();
        if first.is_none() && now >= from_ns {
            first = Some(Snapshot::take(swarm, target)?);
        }
        if last.is_none() && now >= end_ns && matches!(pace, Pace::Window(_)) {
            last = Some(Snapshot::take(swarm, target)?);
        }
        if swarm.tally.counts.delivered > delivered {
            (delivered, progress_ns) = (swarm.tally.counts.delivered, now);
        }
        if now >= end_ns && delivered >= u64::from(publisher.published) * subs {
            break;
        }
        if now - progress_ns > STALL_NS && (now >= end_ns || matches!(pace, Pace::Window(_))) {
            break;
        }
        if now < end_ns && publisher.stage_due(swarm, now)? {
            swarm.send_staged()?;
        }
        swarm.poll(publisher.wait())?;
    }
    // An open loop is measured until everything published has arrived.
    let last = match last {
        Some(last) => last,
        None => Snapshot::take(swarm, target)?,
    };
    report.expected = u64::from(publisher.published) * subs;
    report.tally(&swarm.tally);
    if let Some(first) = first {
        let seconds = (last.at_ns - first.at_ns) as f64 / 1e9;
        let millions = (last.delivered - first.delivered) as f64 / 1e6;
        let server_s = last.server.cpu_s - first.server.cpu_s;
        report.deliveries_per_s = millions * 1e6 / seconds;
        report.messages_per_read = millions * 1e6 / (last.reads - first.reads).max(1) as f64;
        report.client_cpu_percent = (last.own.cpu_s - first.own.cpu_s) / seconds * 100.0;
        report.server_cpu_percent = target.pid.map(|_| server_s / seconds * 100.0);
        report.server_cpu_s_per_million = target.pid.map(|_| server_s / millions.max(1e-6));
    }
    Ok(())
}
