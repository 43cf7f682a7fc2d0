//! How near a hub comes to the physical limit of this machine: the hub beside a bare epoll server, and its
//! promises of delivery against their bars. Fresh servers, closed shapes, no phases; what [`crate::engine`] runs are
//! plans against a hub that is there. Both are [`crate::clients`] with the same counts.

mod baseline;
mod beside;
mod bounds;
mod client;
mod critical;
mod delivery;
mod dialogue;
mod hub;
mod nodes;
mod proto;
mod recovery;
mod report;
mod run;
mod tally;

use std::io::Write;
use std::net::SocketAddrV4;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use crate::net;
use report::Report;
use run::{Shape, Target};

/// The sub-commands of a bench.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve as the physical limit: one epoll thread that writes ready-made frames
    Baseline {
        /// Address on loopback
        #[arg(long, value_parser = net::loopback)]
        listen: SocketAddrV4,
        /// Join the frames of one publisher read into one write per subscriber
        #[arg(long)]
        batch: bool,
    },
    /// Publish to all subscribers, a fixed number of messages in flight (closed loop)
    Fanout {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        time: TimeArgs,
        /// Messages in flight
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
        window: u32,
    },
    /// Publish at fixed times; latency counts from the planned time (open loop)
    Paced {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        time: TimeArgs,
        /// Messages per second
        #[arg(long, default_value_t = 10.0, value_parser = bounds::rate_hz)]
        rate: f64,
    },
    /// Connect, authenticate and subscribe all clients as fast as it goes
    Storm {
        #[command(flatten)]
        target: Target,
    },
    /// Memory per connection that is subscribed and idle (needs --pid)
    Idle {
        #[command(flatten)]
        target: Target,
        /// Seconds of rest before the memory is read
        #[arg(long, default_value_t = 3.0, value_parser = bounds::seconds)]
        settle: f64,
    },
    /// Start the hub and the physical limit and measure one beside the other, round by round
    Beside(beside::BesideArgs),
    /// Start the hub and hold what it promises of delivery against its bars
    Delivery(delivery::DeliveryArgs),
    /// Start two hub nodes on one Redis and hold what they deliver against one
    Nodes(nodes::NodesArgs),
}

/// How long a run warms up and measures.
#[derive(Debug, Args)]
pub(crate) struct TimeArgs {
    /// Seconds before measuring begins
    #[arg(long, default_value_t = 0.7, value_parser = bounds::seconds)]
    warm: f64,
    /// Seconds measured
    #[arg(long, default_value_t = 2.5, value_parser = bounds::seconds)]
    secs: f64,
}

fn print(report: &Report, json: bool, out: &mut impl Write) -> Result<()> {
    if json {
        serde_json::to_writer(&mut *out, report)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{report}")?;
    }
    Ok(out.flush()?)
}

fn measure(target: &Target, shape: Shape, out: &mut impl Write) -> Result<()> {
    let report = run::run(target, shape)?;
    print(&report, target.json, out)?;
    ensure!(report.is_clean(), "messages were lost, repeated or reordered, or clients lost");
    Ok(())
}

/// Carries a sub-command out; an error when a bar was missed or a run was not clean.
pub(crate) fn carry_out(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Baseline { listen, batch } => baseline::serve(listen, batch),
        Command::Fanout { target, time, window } => {
            measure(&target, Shape::Fanout { window, warm_s: time.warm, measure_s: time.secs }, out)
        }
        Command::Paced { target, time, rate } => {
            measure(&target, Shape::Paced { rate_hz: rate, warm_s: time.warm, measure_s: time.secs }, out)
        }
        Command::Storm { target } => measure(&target, Shape::Storm, out),
        Command::Idle { target, settle } => {
            ensure!(target.pid.is_some(), "idle reads the server's memory: give --pid");
            measure(&target, Shape::Idle { settle_s: settle }, out)
        }
        Command::Beside(args) => beside::beside(&args, out),
        Command::Delivery(args) => delivery::delivery(&args, out),
        Command::Nodes(args) => nodes::nodes(&args, out),
    }
}
