//! The table in code is the drawing in the documents.

use std::fs;

use infrawatch::hub::table;

/// A line of the drawing: how deep, which kind, what it is for.
type Drawn = (usize, String, String);

/// The rows under `hub` in the block of text that follows the heading.
fn drawn(document: &str) -> Vec<Drawn> {
    let (_, section) = document.split_once("## Supervision tree").expect("the section");
    let (_, block) = section.split_once("```text\nhub\n").expect("the drawing");
    let (block, _) = block.split_once("```").expect("the end of the drawing");
    let row = |line: &str| {
        let text = line.trim_start();
        let (kind, purpose) = text.split_once(' ').expect("a purpose");
        ((line.len() - text.len()) / 2, kind.to_owned(), purpose.trim().to_owned())
    };
    block.lines().map(row).collect()
}

/// The table as it would be drawn.
fn of_the_code() -> Vec<Drawn> {
    let mut rows: Vec<Drawn> = Vec::new();
    for spec in table() {
        let depth = match spec.parent {
            None => 1,
            Some(parent) => rows.iter().find(|(_, kind, _)| kind == parent).unwrap().0 + 1,
        };
        rows.push((depth, spec.kind.to_owned(), spec.purpose.to_owned()));
    }
    rows
}

#[test]
fn the_table_in_code_is_the_drawing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ARCHITECTURE.md");
    assert_eq!(drawn(&fs::read_to_string(path).unwrap()), of_the_code(), "draw {path} as hub::table()");
}

#[test]
fn a_drawing_is_read_with_its_depths() {
    let document =
        "## Supervision tree\n\n```text\nhub\n  broker    sweeps idle ones\n    topic   order\n```\n";
    let row = |depth, kind: &str, purpose: &str| (depth, kind.to_owned(), purpose.to_owned());
    assert_eq!(drawn(document), [row(1, "broker", "sweeps idle ones"), row(2, "topic", "order")]);
}
