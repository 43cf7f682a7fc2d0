//! The rules of the house as tests, so that no review has to repeat them.
//!
//! Each rule is a pure function from text to findings. It is tried on a text that breaks it, then on
//! the repository; a finding names file, line and what to do.

mod containers;
mod documents;
mod files;
mod imports;
mod instructions;
mod manifests;
mod metrics;

use std::fs;
use std::path::{Path, PathBuf};

/// Written by tools or installed; never ours.
const FOREIGN: [&str; 6] = ["node_modules", "dist", "artifacts", "target", "corpus", "coverage"];

/// A file of the repository.
struct Source {
    /// Relative to the root of the repository, with forward slashes.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with one of the endings in or under the places (files or folders), in order of path.
fn sources(places: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for place in places {
        collect(&root().join(place), &mut paths);
    }
    paths.sort();
    let found: Vec<Source> = paths
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)))
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
            path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(),
        })
        .collect();
    assert!(!found.is_empty(), "no {endings:?} in {places:?}: the rule would check nothing");
    found
}

fn collect(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_file() {
        into.push(path.to_owned());
    } else if path.is_dir() && !FOREIGN.iter().any(|name| path.ends_with(name)) {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), into);
        }
    }
}

/// Fails with all findings at once, one a line.
#[track_caller]
fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} finding(s):\n{}\n", findings.len(), findings.join("\n"));
}
