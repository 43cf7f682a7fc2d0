//! The child process that is the load: what it says, line by line, and the reins to end it.
//!
//! It dies with the stream of its events, whoever drops that: a crash of the actor leaves no load behind.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::lifecycle::{Exit, Order};

/// Longest line, in bytes; what is longer is skipped and counts as one that cannot be read.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// What is kept of stderr: its end, in bytes.
const COMPLAINT_BYTES_MAX: usize = 2 * 1024;

/// How long what it said is read after its end, in milliseconds: somebody else may hold the other ends.
const LINGER_MS: u64 = 1_000;

/// Orders that wait; there is no use for more.
const ORDERS_MAX: usize = 4;

/// What the engine does.
#[derive(Debug)]
pub(super) enum Event {
    /// It says something.
    Line(String),
    /// It is gone; the last event.
    Exited(Exit),
}

/// Ends the engine.
pub(super) struct Reins(mpsc::Sender<Order>);

impl Reins {
    pub(super) fn pull(&self, order: Order) {
        // Full: it was told already. Closed: it is gone.
        self.0.try_send(order).ok();
    }
}

struct Engine {
    child: Child,
    /// The plan, until it is handed over.
    input: Option<(ChildStdin, Vec<u8>)>,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: Option<ChildStderr>,
    line: Vec<u8>,
    /// The rest of the line is too long to be kept.
    skipping: bool,
    complaint: Vec<u8>,
    /// How it ended, and until when what it said is still read.
    ended: Option<(String, Instant)>,
    orders: mpsc::Receiver<Order>,
}

/// Starts the engine with a plan on its stdin. Of the hub's environment it sees nothing but the token.
pub(super) fn start(
    program: &Path,
    plan: Vec<u8>,
    token: &str,
) -> io::Result<(impl Stream<Item = Event> + use<>, Reins)> {
    let mut child = Command::new(program)
        .args(["loadtest", "run", "-", "--progress", "json", "--pid"])
        .arg(std::process::id().to_string())
        .env_clear()
        .env("INFRAWATCH_TOKEN", token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C is for the hub, which ends the run in good order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let engine = Engine {
        input: child.stdin.take().map(|stdin| (stdin, plan)),
        stdout: child.stdout.take().map(BufReader::new),
        stderr: child.stderr.take(),
        child,
        line: Vec::new(),
        skipping: false,
        complaint: Vec::new(),
        ended: None,
        orders: received,
    };
    let events = unfold(Some(engine), |engine| async move {
        let mut engine = engine?;
        let event = engine.next().await;
        let is_last = matches!(event, Event::Exited(_));
        Some((event, (!is_last).then_some(engine)))
    });
    Ok((events, Reins(orders)))
}

impl Engine {
    async fn next(&mut self) -> Event {
        if let Some((mut stdin, plan)) = self.input.take() {
            // It may be gone already; then its exit says why.
            drop(stdin.write_all(&plan).await);
        }
        let mut chunk = [0; 1024];
        loop {
            if let (Some((how, _)), None, None) = (&self.ended, &self.stdout, &self.stderr) {
                let complaint = String::from_utf8_lossy(&self.complaint).trim().to_owned();
                return Event::Exited(Exit { how: how.clone(), complaint });
            }
            tokio::select! {
                Some(order) = self.orders.recv() => self.obey(order),
                read = read_line(self.stdout.as_mut(), &mut self.line) => match read {
                    Ok(0) | Err(_) if self.line.is_empty() => self.stdout = None,
                    _ => if let Some(line) = self.take_line() {
                        return Event::Line(line);
                    },
                },
                read = read_some(self.stderr.as_mut(), &mut chunk) => match read {
                    Ok(bytes @ 1..) => self.note(chunk.get(..bytes).unwrap_or_default()),
                    Ok(0) | Err(_) => self.stderr = None,
                },
                ended = self.child.wait(), if self.ended.is_none() => {
                    let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                    self.ended = Some((how, Instant::now() + Duration::from_millis(LINGER_MS)));
                }
                () = passed(self.ended.as_ref().map(|(_, until)| *until)) => {
                    (self.stdout, self.stderr) = (None, None);
                }
            }
        }
    }

    fn obey(&mut self, order: Order) {
        let told = match (order, self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()))) {
            // It is not waited for yet, so the number is still its own.
            (Order::Terminate, Some(pid)) => kill_process(pid, Signal::TERM).map_err(io::Error::from),
            (Order::Terminate, None) => Ok(()),
            (Order::Kill, _) => self.child.start_kill(),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "the load test cannot be ended");
        }
    }

    /// What was read of a line; `None` while it is not whole. One that is too long comes as an empty line.
    fn take_line(&mut self) -> Option<String> {
        let is_whole = self.line.last() == Some(&b'\n');
        let is_too_long = !is_whole && self.line.len() >= LINE_BYTES_MAX;
        let was_skipping = self.skipping;
        self.skipping = is_too_long || was_skipping && !is_whole;
        let line = std::mem::take(&mut self.line);
        if was_skipping {
            return None;
        }
        if is_too_long {
            return Some(String::new());
        }
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn note(&mut self, said: &[u8]) {
        self.complaint.extend_from_slice(said);
        let excess = self.complaint.len().saturating_sub(COMPLAINT_BYTES_MAX);
        self.complaint.drain(..excess);
    }
}

/// Reads up to the end of a line or the bound. What was read stays in `line` when this is dropped.
async fn read_line(stdout: Option<&mut BufReader<ChildStdout>>, line: &mut Vec<u8>) -> io::Result<usize> {
    let Some(stdout) = stdout else { return std::future::pending().await };
    let room = LINE_BYTES_MAX.saturating_sub(line.len());
    stdout.take(room as u64).read_until(b'\n', line).await
}

async fn read_some(stderr: Option<&mut ChildStderr>, chunk: &mut [u8]) -> io::Result<usize> {
    let Some(stderr) = stderr else { return std::future::pending().await };
    stderr.read(chunk).await
}

async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
