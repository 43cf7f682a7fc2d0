//! A process that a test started, and what can be done to it.

use std::io;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How often a server that does not answer yet is looked at, and the time between two looks: 30 s in all.
const LOOKS_MAX: usize = 3_000;
const PAUSE: Duration = Duration::from_millis(10);

/// A server's process; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it, and waits until `is_up`.
    pub(crate) fn start(
        command: &mut Command,
        log: &std::path::Path,
        mut is_up: impl FnMut() -> bool,
    ) -> Self {
        let program = command.get_program().to_owned();
        let mut process = match command.spawn() {
            Ok(child) => Self { child },
            Err(error) => panic!("{program:?} cannot be started: {error}"),
        };
        for _ in 0..LOOKS_MAX {
            if is_up() {
                return process;
            }
            let ended = process.child.try_wait().expect("a child's status");
            let log = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "{program:?} ended with {ended:?}:\n{}", log());
            sleep(PAUSE);
        }
        panic!("{program:?} does not answer:\n{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a signal to a child");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be stopped, or gone already.
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The program of that name: in one of `directories`, else on the path.
pub(crate) fn program(name: &str, directories: &[std::path::PathBuf], package: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path);
    let mut places = directories.iter().cloned().chain(on_path).map(|directory| directory.join(name));
    places.find(|place| place.is_file()).unwrap_or_else(|| {
        panic!("{name} is not installed. On Debian: apt-get install {package} (make test does it as root)")
    })
}
