//! Two hub nodes on one Redis beside one: how much more they deliver, and how late a message is on the other node.
//!
//! A node has a CPU of its own, which it shares with its subscribers. Messages are published to the first node.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Args;
use hdrhistogram::Histogram;

use crate::bench::beside::median;
use crate::bench::bounds;
use crate::bench::client::Swarm;
use crate::bench::hub::{Cpus, Hub, Placement};
use crate::bench::proto::{Proto, Style};
use crate::bench::run::{BURST_MAX, INFLIGHT, STALL_NS, Target, UNSENT_BYTES_MAX, connect, ns};
use crate::clients::Clients as _;
use crate::latencies::{histogram, ms};
use crate::marker::Marker;
use crate::net::now_ns;
use crate::process::pin;

/// Deliveries of two nodes to those of one.
const FANOUT_RATIO_MIN: f64 = 1.6;

/// Messages a second at which the other node's latency is measured, and its bar.
const LATENCY_HZ: f64 = 5_000.0;
const LATENCY_P99_MS_MAX: f64 = 10.0;

const WINDOW: u64 = 64;
const WARM_S: f64 = 0.7;
const AHEAD_S: f64 = 0.1;
const POLL: Duration = Duration::from_millis(5);

/// What `nodes` is told.
#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    /// The hub's binary
    #[arg(long)]
    hub: PathBuf,
    /// The Redis that the nodes share
    #[arg(long)]
    redis_url: String,
    /// Rounds, each with fresh hubs; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Subscribers of each node
    #[arg(long, default_value_t = 500, value_parser = bounds::subs)]
    subs: usize,
    /// Seconds measured
    #[arg(long, default_value_t = 3.0, value_parser = bounds::seconds)]
    secs: f64,
    /// The CPU of the first node and its clients
    #[arg(long, default_value_t = 0)]
    first_cpu: usize,
    /// The CPU of the second node and its clients
    #[arg(long, default_value_t = 1)]
    second_cpu: usize,
}

/// How messages are published.
#[derive(Clone, Copy)]
enum Way {
    /// A number in flight, as the slowest node takes them.
    Window,
    /// At fixed times.
    Paced(f64),
}

/// What the subscribers of one node got.
struct Got {
    delivered: u64,
    is_clean: bool,
    latencies: Histogram<u64>,
}

/// What all that measure at the same time share.
struct Progress {
    start_ns: AtomicU64,
    is_over: AtomicBool,
    /// Deliveries so far, by node.
    delivered: Vec<AtomicU64>,
}

/// Measures both bars; an error when one was missed.
pub(crate) fn nodes(args: &NodesArgs, out: &mut impl Write) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let (mut ratios, mut p99s) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let start =
            |count: usize, part: &str| start(args, count, &scratch.path().join(format!("{part}-{round}")));
        let mut rates = [0.0; 2];
        for (rate, count) in rates.iter_mut().zip([1, 2]) {
            let hubs = start(count, &format!("fanout-{count}"))?;
            let got = measure(args, &hubs, args.subs, Way::Window)?;
            *rate = got.iter().map(|got| got.delivered).sum::<u64>() as f64 / args.secs;
            writeln!(out, "fanout    {count} nodes, {} subscribers each: {rate:.0} deliveries/s", args.subs)?;
        }
        ratios.push(rates[1] / rates[0]);
        let hubs = start(2, "latency")?;
        let got = measure(args, &hubs, 1, Way::Paced(LATENCY_HZ))?;
        for (node, got) in ["the same", "the other"].iter().zip(&got) {
            let [p50, p99, max] = [0.5, 0.99, 1.0].map(|quantile| ms(&got.latencies, quantile));
            writeln!(
                out,
                "latency   on {node} node at {LATENCY_HZ} messages/s: p50 {p50:.3} p99 {p99:.3} max {max:.3} ms"
            )?;
        }
        p99s.push(ms(&got[1].latencies, 0.99));
    }
    let (ratio, p99) = (median(ratios.into_iter()), median(p99s.into_iter()));
    let verdict = |held: bool| if held { "held" } else { "MISSED" };
    let held = [ratio >= FANOUT_RATIO_MIN, p99 < LATENCY_P99_MS_MAX];
    writeln!(
        out,
        "fanout    two nodes to one: {ratio:.2} (at least {FANOUT_RATIO_MIN}): {}",
        verdict(held[0])
    )?;
    writeln!(out, "latency   p99 {p99:.3} ms (below {LATENCY_P99_MS_MAX}): {}", verdict(held[1]))?;
    ensure!(held == [true; 2], "a bar was missed");
    Ok(())
}

fn start(args: &NodesArgs, count: usize, data: &Path) -> Result<Vec<Hub>> {
    let cpus = [args.first_cpu, args.second_cpu];
    let start = |(node, cpu): (usize, &usize)| {
        let placement = Placement::pinned(Cpus { server_cpu: *cpu, client_cpu: *cpu });
        Hub::start_with(&args.hub, &data.join(node.to_string()), placement, &["--redis-url", &args.redis_url])
    };
    cpus.iter().take(count).enumerate().map(start).collect()
}

/// Publishes to the first hub; what the subscribers of each got in the measured time.
fn measure(args: &NodesArgs, hubs: &[Hub], subs: usize, way: Way) -> Result<Vec<Got>> {
    let progress = Progress {
        start_ns: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
        delivered: hubs.iter().map(|_| AtomicU64::new(0)).collect(),
    };
    let targets: Vec<Target> = hubs.iter().map(|hub| target(hub, subs)).collect();
    thread::scope(|scope| {
        let others: Vec<_> = targets
            .iter()
            .enumerate()
            .skip(1)
            .map(|(node, target)| {
                let (progress, cpu) = (&progress, args.second_cpu);
                scope.spawn(move || {
                    pin(cpu)?;
                    follow(target, node, progress, args.secs)
                })
            })
            .collect();
        pin(args.first_cpu)?;
        let first = lead(&targets[0], &progress, args.secs, way);
        progress.is_over.store(true, Ordering::Relaxed);
        let mut got = vec![first?];
        for other in others {
            got.push(other.join().map_err(|_panic| anyhow!("a node's clients panicked"))??);
        }
        ensure!(got.iter().all(|got| got.is_clean), "messages were lost, repeated or reordered");
        Ok(got)
    })
}

fn target(hub: &Hub, subs: usize) -> Target {
    Target {
        addr: hub.address,
        proto: Proto::Infrawatch,
        subs,
        style: Style::default(),
        token: Some(hub.token.clone()),
        payload: 200,
        inflight: INFLIGHT,
        pid: Some(hub.pid()),
        label: "node".to_owned(),
        json: false,
    }
}

/// Subscribes to a node until the measurement is over.
fn follow(target: &Target, node: usize, progress: &Progress, secs: f64) -> Result<Got> {
    let mut swarm = Swarm::new(target)?;
    connect(&mut swarm, target)?;
    // Known to the one who leads: it begins when every node has its subscribers.
    progress.delivered[node].store(u64::MAX, Ordering::Release);
    let mut window = Window::new(secs);
    while !progress.is_over.load(Ordering::Relaxed) {
        if let Some(start_ns) = Some(progress.start_ns.load(Ordering::Acquire)).filter(|start| *start > 0) {
            window.begin(&mut swarm, start_ns);
            progress.delivered[node].store(swarm.tally.counts.delivered, Ordering::Relaxed);
            window.look(&swarm);
        }
        swarm.poll(POLL)?;
    }
    window.close(&swarm)
}

/// Subscribes to the first node, and publishes to it.
fn lead(target: &Target, progress: &Progress, secs: f64, way: Way) -> Result<Got> {
    let mut swarm = Swarm::new(target)?;
    connect(&mut swarm, target)?;
    swarm.open_publisher()?;
    let ready = |node: &AtomicU64| node.load(Ordering::Acquire) == u64::MAX;
    while !progress.delivered.iter().skip(1).all(ready) {
        swarm.poll(POLL)?;
    }
    progress.delivered.iter().for_each(|node| node.store(0, Ordering::Relaxed));
    // Everybody knows before the first message comes: what is due earlier does not count.
    let start_ns = now_ns() + ns(AHEAD_S);
    progress.start_ns.store(start_ns, Ordering::Release);
    let mut window = Window::new(secs);
    window.begin(&mut swarm, start_ns);
    while now_ns() < start_ns {
        swarm.poll(POLL)?;
    }
    let (mut published, mut moved) = (0u32, (0, start_ns));
    let end_ns = start_ns + ns(WARM_S + secs);
    loop {
        let now = now_ns();
        window.look(&swarm);
        progress.delivered[0].store(swarm.tally.counts.delivered, Ordering::Relaxed);
        let slowest = progress.delivered.iter().map(|node| node.load(Ordering::Relaxed)).min().unwrap_or(0);
        let done = slowest / target.subs as u64;
        if done > moved.0 {
            moved = (done, now);
        }
        if now >= end_ns && done >= u64::from(published) {
            break;
        }
        ensure!(now - moved.1 < STALL_NS, "{} of {published} messages came everywhere", moved.0);
        let due = match way {
            _ if now >= end_ns || swarm.unsent_bytes()? >= UNSENT_BYTES_MAX => 0,
            Way::Window => (done + WINDOW).saturating_sub(published.into()).min(BURST_MAX.into()),
            Way::Paced(hz) => (((now - start_ns) as f64 / 1e9 * hz) as u64).saturating_sub(published.into()),
        };
        for _ in 0..due {
            let due_ns = match way {
                Way::Window => now,
                Way::Paced(hz) => start_ns + ns(f64::from(published) / hz),
            };
            swarm.stage(Marker { due_ns, sequence: published });
            published += 1;
        }
        if due > 0 {
            swarm.send_staged()?;
        }
        swarm.poll(if matches!(way, Way::Paced(_)) { Duration::ZERO } else { POLL })?;
    }
    window.close(&swarm)
}

/// The measured time of one node.
struct Window {
    secs: f64,
    from_ns: u64,
    at_begin: Option<u64>,
    at_end: Option<u64>,
}

impl Window {
    fn new(secs: f64) -> Self {
        Self { secs, from_ns: 0, at_begin: None, at_end: None }
    }

    fn begin(&mut self, swarm: &mut Swarm<'_>, start_ns: u64) {
        self.from_ns = start_ns + ns(WARM_S);
        (swarm.tally.run_start_ns, swarm.tally.record_from_ns) = (start_ns, self.from_ns);
    }

    fn look(&mut self, swarm: &Swarm<'_>) {
        let (now, delivered) = (now_ns(), swarm.tally.counts.delivered);
        if now >= self.from_ns {
            self.at_begin.get_or_insert(delivered);
        }
        if now >= self.from_ns + ns(self.secs) {
            self.at_end.get_or_insert(delivered);
        }
    }

    fn close(self, swarm: &Swarm<'_>) -> Result<Got> {
        let begin = self.at_begin.context("the measured time did not begin")?;
        // All that was published came: nothing more does.
        let end = self.at_end.unwrap_or(swarm.tally.counts.delivered);
        let counts = &swarm.tally.counts;
        let is_clean = counts.duplicated + counts.reordered == 0 && swarm.tally.lost_clients == 0;
        let mut latencies = histogram()?;
        latencies.add(&swarm.tally.latencies)?;
        Ok(Got { delivered: end - begin, is_clean, latencies })
    }
}
