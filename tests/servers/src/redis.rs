//! A Redis server.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::{Process, program};
use super::{free_port, loopback};

/// What a Redis keeps over its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing.
    None,
    /// Every write, synced before its answer.
    Always,
}

/// After how long a server of a cluster counts as gone for the others, in milliseconds.
const NODE_TIMEOUT_MS: u64 = 1_000;

/// A Redis of this test alone.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    persistence: Persistence,
    /// The port on which it talks with the others of its cluster.
    bus: Option<u16>,
    process: Option<Process>,
    directory: TempDir,
}

impl Redis {
    /// Starts one that keeps nothing.
    pub fn start() -> Self {
        Self::start_with(Persistence::None)
    }

    /// Starts one.
    pub fn start_with(persistence: Persistence) -> Self {
        Self::start_as(persistence, None)
    }

    /// Starts one of a cluster, which has no slots yet.
    pub(crate) fn start_in_cluster() -> Self {
        Self::start_as(Persistence::None, Some(free_port()))
    }

    fn start_as(persistence: Persistence, bus: Option<u16>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut redis = Self { port: free_port(), persistence, bus, process: None, directory };
        redis.resume();
        redis
    }

    pub(crate) fn bus(&self) -> u16 {
        self.bus.expect("a Redis of a cluster")
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port and directory.
    pub fn resume(&mut self) {
        let append_only = match self.persistence {
            Persistence::None => ["no", "no"],
            Persistence::Always => ["yes", "always"],
        };
        let log = self.directory.path().join("log");
        let port = self.port;
        let mut command = Command::new(program("redis-server", &[], "redis-server"));
        if let Some(bus) = self.bus {
            command
                .args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()])
                .args(["--cluster-node-timeout", &NODE_TIMEOUT_MS.to_string()]);
        }
        let process = Process::start(
            command
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .args(["--appendonly", append_only[0], "--appendfsync"])
                .arg(if append_only[0] == "yes" { append_only[1] } else { "no" })
                .arg("--dir")
                .arg(self.directory.path())
                .stdin(Stdio::null())
                .stdout(File::create(&log).expect("a log file"))
                .stderr(Stdio::null()),
            &log,
            || ping(port).is_some(),
        );
        self.process = Some(process);
    }

    /// Stops it without ending it (SIGSTOP): connections stay, nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a running server").signal(signal);
    }
}

/// Whether a server answers there.
fn ping(port: u16) -> Option<()> {
    (ask(port, "PING")? == "PONG").then_some(())
}

/// What a server answers to a command: the text of a line, or of a bulk of lines.
pub(crate) fn ask(port: u16, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(loopback(port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let answer = line.trim_end();
    match answer.strip_prefix('$') {
        Some(bytes) => {
            let mut bulk = vec![0; bytes.parse().ok()?];
            reader.read_exact(&mut bulk).ok()?;
            String::from_utf8(bulk).ok()
        }
        None => Some(answer.get(1..)?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_is_killed_and_answers_again() {
        let mut redis = Redis::start_with(Persistence::Always);
        assert!(ping(redis.port()).is_some());
        redis.kill();
        assert!(ping(redis.port()).is_none());
        redis.resume();
        redis.pause();
        assert!(ping(redis.port()).is_none(), "it takes connections and does not answer");
        redis.go_on();
        assert!(ping(redis.port()).is_some());
    }
}
