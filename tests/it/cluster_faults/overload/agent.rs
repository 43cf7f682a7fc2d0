//! A real agent beside the load.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::hub::{Hub, Running};

const INTERVAL_MS: u64 = 500;

/// Between two samples; more is a gap.
pub(super) const GAP_MS: u64 = 3 * INTERVAL_MS;

/// The process.
pub(super) struct Agent {
    process: Running,
    spool: PathBuf,
}

impl Agent {
    pub(super) fn start(hub: &Hub, node: &str) -> Self {
        let spool = hub.directory().join(format!("spool of {node}"));
        let (url, token, interval) = (hub.url(), hub.agent_token(node), INTERVAL_MS.to_string());
        let place = spool.display().to_string();
        let arguments = ["agent", "--hub", &url, "--token", &token, "--spool-dir", &place];
        let further = ["--interval-ms", &interval, "--replay-hz", "100", "--log-format", "json"];
        let arguments: Vec<String> = arguments.iter().chain(&further).map(ToString::to_string).collect();
        let process = Running::start(&arguments, &hub.directory().join(format!("{node}.log")));
        Self { process, spool }
    }

    /// Bytes of its spool.
    pub(super) fn spooled(&self) -> u64 {
        let nodes = fs::read_dir(&self.spool).into_iter().flatten().map_while(Result::ok);
        nodes.map(|node| bytes_in(&node.path())).sum()
    }

    /// Ends it: what it has not sent by then stays in its spool.
    pub(super) fn kill(mut self) {
        self.process.kill();
    }
}

/// Bytes of the files of a directory.
pub(super) fn bytes_in(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().map_while(Result::ok);
    files.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// The longest time between two moments.
pub(super) fn longest_gap(moments: &[u64]) -> Duration {
    let gap_ms = moments.windows(2).map(|pair| pair[1] - pair[0]).max();
    Duration::from_millis(gap_ms.unwrap_or(u64::MAX))
}
