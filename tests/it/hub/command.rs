//! `infrawatch` commands that end by themselves.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// The answer of a command that must have succeeded.
    #[track_caller]
    pub(crate) fn answer(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout
    }

    /// The complaint of a command that must have failed, and said why on stderr and nothing on stdout.
    #[track_caller]
    pub(crate) fn complaint(self) -> String {
        assert!(self.status != 0 && self.stdout.is_empty(), "{self:?}");
        self.stderr
    }
}

/// The program without what this process was told about it.
pub(super) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infrawatch"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("INFRAWATCH_"))
    {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end with `input` on stdin.
pub(crate) fn infrawatch<A: AsRef<OsStr>>(arguments: &[A], input: &str) -> Finished {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its stdin may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Finished {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
