//! A PostgreSQL server.
//!
//! `initdb` takes seconds: it is run once for a version and copied for each test.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::free_port;
use super::process::{Process, program};

/// The user of Debian's package: PostgreSQL refuses to run as root.
const USER: &str = "postgres";

const DATABASE: &str = "postgres";

/// A PostgreSQL of this test alone.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    process: Option<Process>,
    directory: TempDir,
}

impl Postgres {
    /// Starts one with an empty database.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("infrawatch-pg-").tempdir().expect("a directory");
        own(directory.path());
        let data = directory.path().join("data");
        let copied = as_user(Command::new("cp").arg("-a").arg(prepared()).arg(&data)).status();
        assert!(copied.is_ok_and(|status| status.success()), "the prepared database cannot be copied");
        let mut postgres = Self { port: free_port(), process: None, directory };
        postgres.resume();
        postgres
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// The URL of its database behind another port of loopback.
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/{DATABASE}")
    }

    /// Kills it as `kill -9` does, with all that it has started.
    pub fn kill(&mut self) {
        // Its children see that it is gone and end by themselves; the next start waits for them.
        self.process = None;
    }

    /// Starts it again on the same port and directory.
    pub fn resume(&mut self) {
        let log = self.directory.path().join("log");
        let (port, data) = (self.port.to_string(), self.directory.path().join("data"));
        for _ in 0..100 {
            // Left by a server that was killed; its children may still hold the memory that it names.
            if !data.join("postmaster.pid").exists() || !has_children(&data) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // What matters here is the end of a process, not of a machine: nothing has to reach the disk.
        let process = Process::start(
            as_user(Command::new(postgres_program("postgres")).arg("-D").arg(&data).args(["-p", &port]))
                .args(["-h", "127.0.0.1", "-F", "-c", "unix_socket_directories="])
                .args(["-c", "shared_buffers=32MB", "-c", "max_connections=200"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(File::create(&log).expect("a log file")),
            &log,
            || is_ready(&port),
        );
        self.process = Some(process);
    }

    /// Stops every process of it without ending it (SIGSTOP).
    pub fn pause(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, signal: Signal) {
        self.process.as_ref().expect("a running server").signal(signal);
        for pid in children(&self.directory.path().join("data")) {
            // It may have ended meanwhile.
            let _gone = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.process.is_some() {
            // A test that fails may leave it paused, and it waits for its children.
            self.go_on();
        }
        if let Some(process) = &mut self.process {
            // A fast shutdown: children end with it, so that the directory can go.
            process.signal(Signal::INT);
            let _ended = process.wait();
        }
    }
}

/// Whether a server answers there.
fn is_ready(port: &str) -> bool {
    let asked = Command::new(postgres_program("pg_isready"))
        .args(["-q", "-t", "1", "-h", "127.0.0.1", "-p", port, "-d", DATABASE, "-U", USER])
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Processes that work in the data directory.
fn children(data: &Path) -> Vec<rustix::process::Pid> {
    let Ok(data) = data.canonicalize() else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(rustix::process::Pid::from_raw)
        .collect()
}

fn has_children(data: &Path) -> bool {
    !children(data).is_empty()
}

fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut directories: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    directories.sort();
    directories.reverse();
    program(name, &directories, "postgresql")
}

/// A database directory after `initdb`, which no server uses.
fn prepared() -> PathBuf {
    let initdb = postgres_program("initdb");
    let version = Command::new(&initdb).arg("--version").output().expect("initdb's version").stdout;
    let version = String::from_utf8_lossy(&version);
    let version: String = version.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let owner = user().map_or_else(|| rustix::process::getuid().as_raw(), |(uid, _)| uid);
    let place = std::env::temp_dir().join(format!("infrawatch-postgres-{version}-{owner}"));
    let lock = File::create(place.with_extension("lock")).expect("a lock file");
    lock.lock().expect("a lock");
    let is_ours = fs::metadata(&place).is_ok_and(|found| found.uid() == owner);
    if !(is_ours && place.join("PG_VERSION").exists()) {
        let half = place.with_extension("half");
        let _none = fs::remove_dir_all(&half);
        fs::create_dir_all(&half).expect("a directory");
        own(&half);
        let made = as_user(Command::new(initdb).arg("-D").arg(&half))
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"])
            .output()
            .expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let _none = fs::remove_dir_all(&place);
        fs::rename(&half, &place).expect("a prepared database");
    }
    place
}

/// User and group to run as, when this is root.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the list of users");
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.into_iter().find(|fields| fields.first() == Some(&USER)).unwrap_or_else(|| {
        panic!(
            "there is no user {USER}; Debian's package postgresql brings it (make test installs it as root)"
        )
    });
    let number = |at: usize| found.get(at).and_then(|field| field.parse().ok()).expect("a line of passwd");
    Some((number(2), number(3)))
}

fn as_user(command: &mut Command) -> &mut Command {
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

fn own(directory: &Path) {
    if let Some((uid, gid)) = user() {
        chown(directory, Some(uid), Some(gid)).expect("a directory of the database's user");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_is_killed_and_answers_again() {
        let mut postgres = Postgres::start();
        let port = postgres.port().to_string();
        postgres.kill();
        assert!(!is_ready(&port));
        postgres.resume();
        assert!(is_ready(&port));
        postgres.pause();
        assert!(!is_ready(&port), "it takes connections and does not answer");
        postgres.go_on();
        assert!(is_ready(&port));
    }
}
