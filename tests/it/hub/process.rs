//! Long-running processes of the real binary.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use infrawatch::auth::{NewToken, Role, Tokens, TopicClaims, TopicPattern};
use infrawatch::clock::system_unix_ms;
use infrawatch::config::Settings;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::command::{infrawatch, program};
use super::{PATIENCE, RawSocket};

/// What of a log is shown when a test fails, in bytes.
const LOG_TAIL_BYTES: u64 = 16 * 1024;

/// A process of the binary, its stderr in a file. Dropped, it is told to stop and waited for.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
    lines: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[String], log: &Path) -> Self {
        let stderr = File::options().create(true).append(true).open(log).unwrap();
        let mut child = program()
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(16);
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whoever started the process may not listen any more.
                drop(sender.try_send(line));
            }
        });
        Self { child, log: log.to_owned(), lines }
    }

    /// The next line on stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line on stdout: {error}; the log ends with:\n{}", self.log_tail()),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end; `None` when it does not come.
    pub(crate) fn wait(&mut self) -> Option<ExitStatus> {
        let step = Duration::from_millis(5);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            thread::sleep(step);
        }
        None
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn log_tail(&self) -> String {
        let mut text = Vec::new();
        let mut file = File::open(&self.log).unwrap();
        let bytes = file.metadata().unwrap().len();
        file.seek(SeekFrom::Start(bytes.saturating_sub(LOG_TAIL_BYTES))).unwrap();
        file.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {} ends with:\n{}---", self.log.display(), self.log_tail());
            drop(self.child.kill());
            drop(self.child.wait());
        } else if self.ended().is_none() {
            self.signal(Signal::TERM);
            if self.wait().is_none() {
                self.kill();
                panic!("did not stop when told to; the log ends with:\n{}", self.log_tail());
            }
        }
    }
}

/// `infrawatch serve` on a free port of this machine.
pub(crate) struct Hub {
    pub(crate) process: Running,
    pub(crate) address: SocketAddr,
    /// What it said when it was ready.
    pub(crate) listening: Value,
    arguments: Vec<String>,
    directory: TempDir,
}

impl Hub {
    /// With every setting as it is by default, but without the sampler.
    pub(crate) fn start() -> Self {
        Self::with(|_settings| {})
    }

    /// With changed settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_arguments(&[], change)
    }

    /// With further arguments and changed settings.
    pub(crate) fn with_arguments(further: &[&str], change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.sampler.enabled = false;
        settings.alert.seeds = false;
        change(&mut settings);
        let config = directory.path().join("hub.toml");
        fs::write(&config, toml::to_string(&settings).unwrap()).unwrap();
        let data_dir = directory.path().join("data");
        let mut arguments: Vec<String> =
            ["serve", "--workers", "2", "--log-format", "json"].map(Into::into).into();
        arguments.extend(["--config".into(), config.display().to_string()]);
        arguments.extend(["--data-dir".into(), data_dir.display().to_string()]);
        arguments.extend(further.iter().map(|argument| (*argument).to_owned()));
        let (process, listening) = serve(&arguments, "127.0.0.1:0", directory.path());
        let address = listening["address"].as_str().unwrap().parse().unwrap();
        Self { process, address, listening, arguments, directory }
    }

    /// Starts again after [`Running::kill`], on the same data directory and port.
    pub(crate) fn start_again(&mut self) {
        let (process, listening) = serve(&self.arguments, &self.address.to_string(), self.directory.path());
        self.process = process;
        self.listening = listening;
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A place for files of the test.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The URL that clients and agents connect to.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// A token of this role, from `infrawatch token`.
    pub(crate) fn token(&self, role: &str) -> String {
        self.token_with(&["--role", role])
    }

    /// A token for the agent of a node.
    pub(crate) fn agent_token(&self, node: &str) -> String {
        self.token_with(&["--role", "agent", "--node", node])
    }

    /// A token of this role and subject that may subscribe to these topics only.
    pub(crate) fn narrow_token(&self, role: Role, subject: &str, subscribe: &[&str]) -> String {
        let patterns = |texts: &[&str]| texts.iter().map(|text| TopicPattern::parse(text).unwrap()).collect();
        let topics = TopicClaims { publish: patterns(&["*"]), subscribe: patterns(subscribe) };
        let (subject, topics) = (subject.to_owned(), Some(topics));
        let new = NewToken { subject, role, node: None, topics, ttl_ms: 3_600_000 };
        Tokens::open(&self.data_dir()).unwrap().issue(new, system_unix_ms()).unwrap().0
    }

    /// A token as the arguments say.
    pub(crate) fn token_with(&self, arguments: &[&str]) -> String {
        let data_dir = self.data_dir().display().to_string();
        let mut all = vec!["token", "--data-dir", &data_dir];
        all.extend(arguments);
        infrawatch(&all, "").answer().trim_end().to_owned()
    }

    /// Resident memory of the process, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The value of a sample in `/metrics`; 0 when it is not there.
    pub(crate) async fn metric(&self, sample: &str) -> u64 {
        let answer = RawSocket::get(self, "/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let value = answer.body.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

fn serve(arguments: &[String], listen: &str, directory: &Path) -> (Running, Value) {
    let mut arguments = arguments.to_vec();
    arguments.extend(["--listen".into(), listen.into()]);
    let process = Running::start(&arguments, &directory.join("hub.log"));
    let line = process.line();
    let listening: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
    assert_eq!(listening["event"], "listening");
    (process, listening)
}
