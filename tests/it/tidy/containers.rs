//! What `docker/` says fits the program: its files can be read, its variables exist, its images are built as one should.

use std::collections::BTreeSet;

use super::{Source, none, sources};
use crate::hub::infrawatch;

/// Variables of a text that begin as those of the program.
fn variables(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("INFRAWATCH_")).collect()
}

fn unknown_variables(file: &Source, known: &BTreeSet<&str>) -> Vec<String> {
    let unknown = variables(&file.text).into_iter().filter(|name| !known.contains(name));
    unknown.map(|name| format!("{}: the program does not know {name}", file.path)).collect()
}

/// What reviewers of Dockerfiles ask for: fixed bases, lean packages, no root, a check of health.
fn of_dockerfile(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut complain = |line: usize, what: &str| found.push(format!("{path}:{line}: {what}"));
    let mut stages = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["FROM", base, "AS", stage] => {
                let is_fixed =
                    stages.contains(base) || base.split_once(':').is_some_and(|(_, tag)| tag != "latest");
                if !is_fixed {
                    complain(at + 1, "name a tag of the base image, and not latest");
                }
                stages.insert(stage);
            }
            ["FROM", ..] => complain(at + 1, "name the stage"),
            ["WORKDIR", place] if !place.starts_with('/') => complain(at + 1, "WORKDIR is absolute"),
            ["ADD", ..] => complain(at + 1, "COPY instead of ADD"),
            ["RUN", "cd", ..] => complain(at + 1, "WORKDIR instead of cd"),
            _ => {}
        }
        if line.contains("apt-get install") && !line.contains("--no-install-recommends") {
            complain(at + 1, "apt-get install with --no-install-recommends");
        }
    }
    for (what, is_there) in [
        ("no USER: it would run as root", text.lines().any(|line| line.starts_with("USER "))),
        ("no HEALTHCHECK", text.lines().any(|line| line.starts_with("HEALTHCHECK "))),
    ] {
        if !is_there {
            complain(text.lines().count(), what);
        }
    }
    found
}

#[test]
fn every_variable_of_the_containers_is_known() {
    let helps = ["serve", "agent", "health"].map(|command| infrawatch(&[command, "--help"], "").answer());
    let known: BTreeSet<_> = helps.iter().flat_map(|help| variables(help)).collect();
    let files = sources(&["docker"], &["Dockerfile", ".yaml", ".yml"]);
    none(&files.iter().flat_map(|file| unknown_variables(file, &known)).collect::<Vec<_>>());
    let wrong = Source { path: "x".to_owned(), text: "INFRAWATCH_LISTNE: 1".to_owned() };
    assert_eq!(unknown_variables(&wrong, &known), ["x: the program does not know INFRAWATCH_LISTNE"]);
}

#[test]
fn dockerfiles_are_built_as_one_should() {
    let files = sources(&["docker"], &["Dockerfile"]);
    none(&files.iter().flat_map(|file| of_dockerfile(&file.path, &file.text)).collect::<Vec<_>>());
    let bad =
        "FROM debian\nADD . .\nWORKDIR here\nRUN cd x\nRUN apt-get install -y x\nFROM debian:latest AS a";
    assert_eq!(of_dockerfile("x", bad).len(), 8);
}

#[test]
fn manifests_can_be_read() {
    for file in sources(&["docker"], &[".yaml", ".yml"]) {
        for document in file.text.split("\n---\n") {
            let read: Result<serde_json::Value, _> = serde_saphyr::from_str(document);
            assert!(read.as_ref().is_ok_and(serde_json::Value::is_object), "{}: {read:?}", file.path);
        }
    }
}
