//! Other processes: what they use, where they run, and that they end.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddrV4, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::net::now_ns;

const START_TIMEOUT_NS: u64 = 15_000_000_000;
const STOP_ROUNDS: u32 = 50;
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// User and system time of all its threads, in seconds.
    pub(crate) cpu_s: f64,
    /// Resident memory in bytes.
    pub(crate) rss_bytes: u64,
}

impl Usage {
    /// Of a process, by its id.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).context("the server is gone");
        parse_usage(&read("stat")?, &read("status")?)
    }

    /// Open file descriptors of a process; zero when it is gone or somebody else's.
    pub(crate) fn fds(pid: u32) -> u64 {
        fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64)
    }

    /// Of the process given, if one was given.
    pub(crate) fn of_server(pid: Option<u32>) -> Result<Self> {
        pid.map_or(Ok(Self::default()), Self::of)
    }
}

fn parse_usage(stat: &str, status: &str) -> Result<Usage> {
    // The name in parentheses may hold anything; `utime` and `stime` are the 12th and 13th after it.
    let (_, fields) = stat.rsplit_once(") ").context("no name in /proc/PID/stat")?;
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0)).sum();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let rss_kib: u64 = rss.trim().trim_end_matches(" kB").parse()?;
    let cpu_s = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    Ok(Usage { cpu_s, rss_bytes: rss_kib * 1024 })
}

/// Pins this thread, and whatever it starts from now on, to one CPU.
pub(crate) fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    ensure!(cpu < CpuSet::MAX_CPU, "no CPU {cpu}");
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("pinning to CPU {cpu}"))
}

/// Lets this thread, and whatever it starts from now on, run on every CPU.
pub(crate) fn unpin() -> Result<()> {
    let mut set = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu));
    sched_setaffinity(None, &set).context("running on every CPU")
}

/// A server that ends with this value.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a program with its output in `log` and waits until `address` accepts connections.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        address: SocketAddrV4,
        log: &Path,
    ) -> Result<Self> {
        let output = fs::File::create(log)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let mut server = Self(command.spawn().with_context(|| format!("starting {}", program.display()))?);
        let deadline_ns = now_ns() + START_TIMEOUT_NS;
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.0.try_wait()? {
                bail!("{} ended with {status}: {}", program.display(), tail(log));
            }
            ensure!(now_ns() < deadline_ns, "{} does not listen: {}", program.display(), tail(log));
            thread::sleep(POLL_INTERVAL);
        }
        // What it does after it listens should not be in the figures.
        thread::sleep(POLL_INTERVAL * 5);
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    fn stop(&mut self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.0.id())?).context("process id 0")?;
        for _ in 0..STOP_ROUNDS {
            if self.0.try_wait()?.is_some() {
                return Ok(());
            }
            kill_process(pid, Signal::TERM)?;
            thread::sleep(POLL_INTERVAL);
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing is left to do about a process that does not even take a kill.
        let _ = self.stop();
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_whatever_the_process_is_called() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 7 20 0 4 0 100 0 0";
        let status = "Name:\ta\nVmRSS:\t    2048 kB\nThreads:\t4\n";
        let usage = parse_usage(stat, status).unwrap();
        let expected_s = 200.0 / rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(usage, Usage { cpu_s: expected_s, rss_bytes: 2 * 1024 * 1024 });
        assert!(Usage::of(std::process::id()).unwrap().rss_bytes > 0);
    }
}
