//! Carries out plans: one thread, one epoll, an open loop. Every message has a planned time, and its latency counts
//! from there, however late it could be sent.

mod accepted;
mod books;
mod crowd;
mod director;
mod outcome;
mod reading;
mod rule;
mod slot;

use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;

use crate::clients::Clients as _;
use crate::net::now_ns;
use crate::plan::{Plan, Scenario};
use crate::process::Usage;
use crate::result::{Progress, RunResult};
use crowd::Crowd;
use director::Director;
use outcome::{End, Spent};
use rule::Rule;

/// After the last phase: how long nothing may come, and how long all of it may take.
const STALL_NS: u64 = 3_000_000_000;
const DRAIN_NS_MAX: u64 = 30_000_000_000;
/// After it was told to stop.
const CANCELLED_NS_MAX: u64 = 1_000_000_000;

/// Whom to test.
#[derive(Clone)]
pub struct Options {
    /// The hub, on loopback.
    pub address: SocketAddrV4,
    /// Of somebody who may subscribe and publish; of an admin when samples are pushed.
    pub token: Option<String>,
    /// The hub's process, to read what it uses.
    pub pid: Option<u32>,
    /// Set from outside to end the run; what was found until then is the result.
    pub stop: Arc<AtomicBool>,
}

/// Why there is no result at all: this machine denied what a run needs.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RunError(String);

/// Carries a plan out and tells `observer` about twice a second where it stands. What goes wrong with the hub is in
/// the result.
///
/// # Errors
/// When this machine denies what the run itself needs, as sockets.
pub fn run(
    plan: &Plan,
    options: &Options,
    mut observer: impl FnMut(&Progress),
) -> Result<RunResult, RunError> {
    let mut observer = |progress: &Progress| {
        observer(progress);
        Ok(())
    };
    carry_out(plan, options, &mut observer).map_err(|error| RunError(format!("{error:#}")))
}

/// Carries a plan out and tells `observer` about twice a second where it stands. What goes wrong is in the result.
pub(crate) fn carry_out(
    plan: &Plan,
    options: &Options,
    observer: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<RunResult> {
    let mut crowd = Crowd::new(plan, options.address, options.token.clone())?;
    let (begin, own) = (now_ns(), Usage::of(std::process::id())?);
    let mut run = Run { plan, options, observer, told_ns: 0, load_cpu_s: None };
    let end = match run.go_with_rule(&mut crowd) {
        Ok(end) => end,
        Err(error) => End::Broken(format!("{error:#}")),
    };
    let at_ns = now_ns() - crowd.start_ns;
    let (published, delivered) = (crowd.published_or_pushed(), crowd.delivered_or_acknowledged());
    crowd.books.turn(at_ns, published, delivered)?;
    let duration_s = (now_ns() - begin) as f64 / 1e9;
    let own_s = Usage::of(std::process::id())?.cpu_s - own.cpu_s;
    let server_s = run.server().zip(run.load_cpu_s).map(|(usage, before_s)| usage.cpu_s - before_s);
    let client_cpu_percent = own_s / duration_s * 100.0;
    Ok(outcome::result(
        plan,
        &crowd,
        end,
        Spent { begin_ns: begin, duration_s, server_s, client_cpu_percent },
    ))
}

struct Run<'r> {
    plan: &'r Plan,
    options: &'r Options,
    observer: &'r mut dyn FnMut(&Progress) -> Result<()>,
    told_ns: u64,
    /// CPU time of the server when publishing began.
    load_cpu_s: Option<f64>,
}

impl Run<'_> {
    fn server(&self) -> Option<Usage> {
        self.options.pid.and_then(|pid| Usage::of(pid).ok())
    }

    /// Carries it out, between making and deleting the rule that it needs, if it needs one.
    fn go_with_rule(&mut self, crowd: &mut Crowd<'_>) -> Result<End> {
        if self.plan.scenario != Scenario::AlertLatency {
            return self.go(crowd);
        }
        let rule = Rule::make(self.plan, crowd.run_id(), self.options.address, self.options.token.clone())?;
        let end = self.go(crowd);
        rule.delete().and(end)
    }

    fn go(&mut self, crowd: &mut Crowd<'_>) -> Result<End> {
        if self.plan.subscribers() > 0 {
            crowd.open_publisher()?;
        } else {
            crowd.without_publisher();
        }
        let mut director = Director::new(self.plan);
        crowd.start_ns = now_ns();
        let end_ns = crowd.timetable.end_ns();
        let load_begin_ns = crowd.timetable.load_begin_ns();
        loop {
            let now = now_ns() - crowd.start_ns;
            if self.options.stop.load(Ordering::Relaxed) {
                self.drain(crowd, None, now + CANCELLED_NS_MAX)?;
                return Ok(End::Cancelled(now));
            }
            if now >= end_ns {
                break;
            }
            if self.load_cpu_s.is_none() && now >= load_begin_ns {
                self.load_cpu_s = self.server().map(|usage| usage.cpu_s);
            }
            director.act(crowd, now)?;
            crowd.bring_back()?;
            crowd.see_off();
            crowd.poll(director.wait(now_ns() - crowd.start_ns))?;
            crowd.check_publisher()?;
            let plan = self.plan;
            let phase = plan.phases.get(crowd.timetable.phase_at(now));
            self.tell(crowd, phase.map_or("", |phase| &phase.name))?;
        }
        self.drain(crowd, Some(&mut director), end_ns + DRAIN_NS_MAX)?;
        Ok(End::Reached)
    }

    /// Waits for what is on its way, and has `director` cut off whom it could not in time.
    fn drain(
        &mut self,
        crowd: &mut Crowd<'_>,
        mut director: Option<&mut Director<'_>>,
        until_ns: u64,
    ) -> Result<()> {
        crowd.pause_slow(false);
        let mut progress = (0, now_ns());
        loop {
            let now = now_ns();
            let sum = crowd.counts.delivered + crowd.acknowledged + crowd.returned + crowd.ready as u64;
            if sum != progress.0 {
                progress = (sum, now);
            }
            let owes = director.as_mut().is_some_and(|director| director.cut_due(crowd, u64::MAX));
            crowd.bring_back()?;
            crowd.see_off();
            let at_ns = now - crowd.start_ns;
            let is_complete = !owes && Director::is_complete(crowd);
            if is_complete || now > progress.1 + STALL_NS || at_ns > until_ns {
                return Ok(());
            }
            crowd.poll(Duration::from_millis(5))?;
            crowd.check_publisher()?;
            self.tell(crowd, "draining")?;
        }
    }

    fn tell(&mut self, crowd: &mut Crowd<'_>, phase: &str) -> Result<()> {
        let at_ns = now_ns() - crowd.start_ns;
        if at_ns < self.told_ns + books::INTERVAL_NS {
            return Ok(());
        }
        self.told_ns = at_ns;
        let delivered = crowd.delivered_or_acknowledged();
        let published = crowd.published_or_pushed();
        let deliveries_per_s = crowd.books.turn(at_ns, published, delivered)?;
        let (server, pid) = (self.server(), self.options.pid);
        let ready = crowd.ready as u64;
        crowd.books.point(ready, server, || pid.map_or(0, Usage::fds));
        (self.observer)(&Progress {
            phase: phase.to_owned(),
            elapsed_s: at_ns as f64 / 1e9,
            connected: ready,
            published,
            delivered,
            lost: crowd.missing(),
            duplicated: crowd.counts.duplicated,
            reordered: crowd.counts.reordered,
            deliveries_per_s,
            latency: crowd.books.all(),
            recent: crowd.books.recent(),
            histogram: crowd.books.buckets(),
        })
    }
}
