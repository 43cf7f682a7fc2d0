//! Documents hold: links lead somewhere, commands exist, decisions have their parts.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Source, none, root, sources};

const ARCHITECTURE_LINES_MAX: usize = 250;
const DECISION_PARTS: [&str; 5] =
    ["## Status", "## Context", "## Decision", "## Consequences", "## What would change our mind"];

fn documents() -> Vec<Source> {
    sources(&["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "loadtest", "tests"], &[".md"])
}

/// Lines outside of code blocks, with their numbers.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((number + 1, line));
        }
    }
    lines
}

/// Targets of `[text](target)` and `![text](target)` that are not on the web.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target));
            }
        }
    }
    found
}

/// The anchors of a document's headings, as the usual viewers make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    let anchor = |(_, line): (usize, &str)| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

fn dead_links(document: &Source) -> Vec<String> {
    let folder = root().join(&document.path).parent().map(Path::to_owned).unwrap_or_default();
    let dead = links(&document.text).into_iter().filter(|(_, target)| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = folder.join(file);
        let missing = !file.is_empty() && !path.exists();
        let text = if file.is_empty() {
            document.text.clone()
        } else if file.ends_with(".md") && !missing {
            std::fs::read_to_string(&path).unwrap()
        } else {
            return missing;
        };
        missing || (!anchor.is_empty() && !anchors(&text).contains(anchor))
    });
    dead.map(|(line, target)| format!("{}:{line}: {target} leads nowhere", document.path)).collect()
}

/// Files that the prose names in code spans, as `topic/log.rs`, and that are nowhere.
fn dead_paths(document: &Source) -> Vec<String> {
    const ENDINGS: [&str; 8] = [".rs", ".ts", ".tsx", ".md", ".toml", ".sh", ".sql", ".json"];
    let mut dead = Vec::new();
    for (number, line) in prose(&document.text) {
        let spans = line.split('`').skip(1).step_by(2);
        let names = spans.filter(|span| span.contains('/') && ENDINGS.iter().any(|e| span.ends_with(e)));
        let names = names.filter(|span| !span.contains(['*', '{', ' ']) && !span.contains("://"));
        let exists = |name: &&str| ["", "src"].iter().any(|place| root().join(place).join(name).exists());
        dead.extend(
            names
                .filter(|name| !exists(name))
                .map(|name| format!("{}:{number}: {name} does not exist", document.path)),
        );
    }
    dead
}

/// Verbs behind `make` in code spans and code blocks.
fn make_verbs(text: &str) -> Vec<&str> {
    let mut verbs = Vec::new();
    for marker in ["`make ", "\nmake ", "&& make "] {
        for (at, _) in text.match_indices(marker) {
            let rest = &text[at + marker.len()..];
            verbs
                .push(rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().unwrap_or_default());
        }
    }
    verbs
}

#[test]
fn every_link_leads_somewhere() {
    none(&documents().iter().flat_map(dead_links).collect::<Vec<_>>());
}

#[test]
fn every_named_file_exists() {
    none(&documents().iter().flat_map(dead_paths).collect::<Vec<_>>());
}

#[test]
fn every_make_verb_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut findings = Vec::new();
    for document in documents() {
        for verb in make_verbs(&document.text) {
            if !makefile.contains(&format!("\n{verb}: ## ")) {
                findings.push(format!("{}: make {verb} does not exist", document.path));
            }
        }
    }
    none(&findings);
}

#[test]
fn decisions_are_numbered_without_gaps_and_have_all_parts() {
    let decisions = sources(&["docs/adr"], &[".md"]);
    let mut findings = Vec::new();
    for (index, decision) in decisions.iter().enumerate() {
        let number = format!("{:04}", index + 1);
        if !decision.path.starts_with(&format!("docs/adr/{number}-")) {
            findings.push(format!("{}: the next number is {number}", decision.path));
        }
        let missing = DECISION_PARTS.iter().filter(|part| !decision.text.contains(*part));
        findings.extend(missing.map(|part| format!("{}: has no {part}", decision.path)));
    }
    none(&findings);
}

#[test]
fn the_architecture_is_read_in_one_sitting() {
    let lines = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap().lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "{lines} lines, at most {ARCHITECTURE_LINES_MAX}");
}

#[test]
fn dead_links_paths_and_verbs_are_found() {
    let document = |text: &str| Source { path: "docs/x.md".to_owned(), text: text.to_owned() };
    let table = [
        ("[a](https://example.org/none)", 0),
        ("[a](../Makefile) ![b](../src/lib.rs)", 0),
        ("# One `two`, three\n[a](#one-two-three)", 0),
        ("```\n[a](nowhere.md)\n```", 0),
        ("[a](nowhere.md)", 1),
        ("[a](../Makefile) ![b](nowhere.png \"title\")", 1),
        ("# One\n[a](#two)", 1),
        ("[a](../README.md#no-such-heading-at-all)", 1),
    ];
    for (text, expected) in table {
        assert_eq!(dead_links(&document(text)).len(), expected, "{text}");
    }
    let paths = "`src/lib.rs` `hub/mod.rs` `hub.rs` `src/*/mod.rs` `src/none.rs`\n```\n`src/none.rs`\n```";
    assert_eq!(
        dead_paths(&document(paths)),
        ["docs/x.md:1: hub/mod.rs does not exist", "docs/x.md:1: src/none.rs does not exist"]
    );
    assert_eq!(make_verbs("run `make test` or\nmake lint ARGS=1\n"), ["test", "lint"]);
}
