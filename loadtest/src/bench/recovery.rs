//! A recovery storm: all subscribers are cut off at once while messages are published, come back, and
//! ask for what they missed.

use std::fmt;

use anyhow::{Result, ensure};

use crate::bench::client::Swarm;
use crate::bench::run::{Pace, Publisher, STALL_NS, Target, connect, ns};
use crate::clients::Clients as _;
use crate::latencies::ms;
use crate::net::now_ns;

/// Who is not back by then does not come any more.
const BACK_TIMEOUT_NS: u64 = 60_000_000_000;

/// What a storm is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storm {
    /// Messages per second, before, during and after.
    pub(crate) rate_hz: f64,
    /// Seconds before the cut.
    pub(crate) before_s: f64,
    /// Seconds after the last one is back.
    pub(crate) after_s: f64,
}

/// What became of the clients.
#[derive(Debug)]
pub(crate) struct Aftermath {
    pub(crate) clients: usize,
    pub(crate) published: u32,
    /// Messages that never came.
    pub(crate) gaps: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    /// Clients that never came back, or were lost again.
    pub(crate) lost: usize,
    pub(crate) not_recovered: usize,
    failed_attempts: usize,
    /// From the cut until the last one was subscribed.
    pub(crate) back_s: f64,
    back_p50_ms: f64,
    back_p99_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    first_failure: Option<String>,
}

impl Aftermath {
    /// Nobody missed anything, got anything twice, or was told so.
    pub(crate) fn is_clean(&self) -> bool {
        self.gaps + self.duplicates + self.reordered == 0 && self.lost + self.not_recovered == 0
    }
}

impl fmt::Display for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, published, gaps, duplicates, reordered, lost, .. } = self;
        write!(f, "{clients} clients, {published} messages: all back after {:.2} s", self.back_s)?;
        write!(f, " (p50 {:.0} p99 {:.0} ms)", self.back_p50_ms, self.back_p99_ms)?;
        write!(f, "  gaps {gaps} dup {duplicates} late {reordered}")?;
        write!(f, "  not recovered {} lost {lost}", self.not_recovered)?;
        write!(f, " failed attempts {}", self.failed_attempts)?;
        write!(f, "  message p50 {:.0} p99 {:.0} max {:.0} ms", self.p50_ms, self.p99_ms, self.max_ms)?;
        if let Some(failure) = &self.first_failure {
            write!(f, "  the first failure: {failure}")?;
        }
        Ok(())
    }
}

/// Carries a storm out against a fresh hub. What went wrong is a result, not an error. Latency of messages
/// counts from the cut on, those that had to be recovered included.
pub(crate) fn weather(target: &Target, storm: Storm) -> Result<Aftermath> {
    let mut swarm = Swarm::new(target)?;
    connect(&mut swarm, target)?;
    ensure!(swarm.ready == target.subs, "{} of {} clients ready", swarm.ready, target.subs);
    swarm.open_publisher()?;
    let start_ns = now_ns();
    let cut_ns = start_ns + ns(storm.before_s);
    (swarm.tally.run_start_ns, swarm.tally.record_from_ns) = (start_ns, cut_ns);
    let mut publisher = Publisher::new(Pace::Step(ns(1.0 / storm.rate_hz)), start_ns);
    let (mut is_cut, mut back_ns) = (false, None);
    let (mut delivered, mut progress_ns) = (0, start_ns);
    loop {
        let now = now_ns();
        if !is_cut && now >= cut_ns {
            swarm.cut_all();
            is_cut = true;
        }
        if is_cut && back_ns.is_none() && swarm.bring_back(target.inflight)? {
            back_ns = Some(now_ns());
        }
        let given_up = now > cut_ns + BACK_TIMEOUT_NS;
        let is_over = given_up || back_ns.is_some_and(|back| now > back + ns(storm.after_s));
        if swarm.tally.counts.delivered > delivered {
            (delivered, progress_ns) = (swarm.tally.counts.delivered, now);
        }
        let complete = delivered >= u64::from(publisher.published) * target.subs as u64;
        if is_over && (complete || now - progress_ns > STALL_NS) {
            break;
        }
        if !is_over && publisher.stage_due(&mut swarm, now)? {
            swarm.send_staged()?;
        }
        swarm.poll(publisher.wait())?;
    }
    let tally = &swarm.tally;
    let expected = u64::from(publisher.published) * target.subs as u64;
    Ok(Aftermath {
        clients: target.subs,
        published: publisher.published,
        gaps: expected.saturating_sub(tally.counts.delivered),
        duplicates: tally.counts.duplicated,
        reordered: tally.counts.reordered,
        lost: target.subs - swarm.ready,
        not_recovered: swarm.returns.not_recovered,
        failed_attempts: swarm.returns.failed_attempts,
        back_s: back_ns.map_or(f64::INFINITY, |back| (back - cut_ns) as f64 / 1e9),
        back_p50_ms: ms(&tally.returns, 0.5),
        back_p99_ms: ms(&tally.returns, 0.99),
        p50_ms: ms(&tally.latencies, 0.5),
        p99_ms: ms(&tally.latencies, 0.99),
        max_ms: ms(&tally.latencies, 1.0),
        first_failure: swarm.first_failure.take(),
    })
}
