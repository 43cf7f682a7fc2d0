//! The command line as the hub and people use it: exit status, lines on stdout, files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use infrawatch_loadtest::result::{Line, RunResult, Status};

fn loadtest(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_infrawatch-loadtest"))
        .args(arguments)
        .env_remove("INFRAWATCH_TOKEN")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever does not read its stdin may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// An address where nobody listens.
fn nobody() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

/// Carries out a plan against nobody and writes every file.
fn failed_run(directory: &Path, scenario: &str) -> Output {
    let file = |ending: &str| directory.join(format!("{scenario}.{ending}")).display().to_string();
    let (json, csv, html) = (file("json"), file("csv"), file("html"));
    let address = nobody();
    let arguments = ["run", "-", "--addr", &address, "--progress", "json"];
    let files = ["--json", &json, "--csv", &csv, "--html", &html];
    let plan =
        format!(r#"{{"name": "nobody", "scenario": "{scenario}", "connections": 3, "duration_s": 0.2}}"#);
    loadtest(&[&arguments[..], &files[..]].concat(), &plan)
}

#[test]
fn a_bad_plan_or_command_line_is_2_and_says_why() {
    let table: [(&[&str], &str, &str); 5] = [
        (&["run", "-", "--addr", "127.0.0.1:1"], "scenario: calm", "fanout"),
        (&["run", "-", "--addr", "127.0.0.1:1"], "scenario: paced\nrate: 3", "unknown field `rate`"),
        (&["run", "-"], "scenario: paced", "--addr"),
        (&["run", "-", "--addr", "192.0.2.1:80"], "scenario: paced", "loopback"),
        (&["walk"], "", "walk"),
    ];
    for (arguments, plan, expected) in table {
        let output = loadtest(arguments, plan);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(expected) && output.stdout.is_empty(), "{complaint}");
    }
}

#[test]
fn a_run_that_fails_is_1_and_has_its_result_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let output = failed_run(directory.path(), "paced");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    let line: Line = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let Line::Result(result) = line else { panic!("{stdout}") };
    assert_eq!((result.status, result.name.as_str()), (Status::Failed, "nobody"));
    let read = |ending: &str| fs::read_to_string(directory.path().join(format!("paced.{ending}"))).unwrap();
    let stored: RunResult = serde_json::from_str(&read("json")).unwrap();
    assert_eq!(stored, *result);
    assert!(read("csv").lines().last().unwrap().starts_with("\"nobody\",paced,failed,\"whole run\""));
    assert!(read("html").contains("badge failed"));
}

#[test]
fn two_results_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    failed_run(directory.path(), "paced");
    failed_run(directory.path(), "churn");
    let output = loadtest(&["compare", &file("paced.json"), &file("churn.json")], "");
    let table = text(&output.stdout);
    assert!(output.status.success() && table.contains("different scenarios"), "{table}");
    let output = loadtest(&["compare", &file("paced.json"), &file("paced.csv")], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is no result of a run"));
}
