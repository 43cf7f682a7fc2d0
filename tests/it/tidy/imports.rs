//! A module imports only what stands below it in the table of `src/lib.rs`.

use std::collections::BTreeMap;

use super::{none, root, sources};

/// Modules of the table with their line; line 0 is at the top and may import everything.
type Layers = BTreeMap<String, usize>;

/// The second drawing in the crate's documentation: names apart by `·`, then two spaces and what they are.
fn layers(crate_doc: &str) -> Layers {
    let drawing = crate_doc.split("```text").nth(2).expect("the crate doc draws flow, then layers");
    let drawing = drawing.split("```").next().unwrap();
    let lines = drawing.lines().filter_map(|line| line.strip_prefix("//! "));
    let names = lines.enumerate().flat_map(|(line, text)| {
        let names = text.split("  ").next().unwrap_or_default();
        names
            .split(" · ")
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(move |name| (name.to_owned(), line))
    });
    names.collect()
}

/// Top modules that a text names by `crate::`, with the number of the line.
fn imported(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code: Vec<&str> = text.lines().map(without_comment).collect();
    for (number, line) in code.iter().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if rest.starts_with('{') {
                let group = format!("{rest}\n{}", code[number + 1..].join("\n"));
                found.extend(first_of_group(&group).into_iter().map(|name| (number + 1, name)));
            } else {
                found.push((number + 1, identifier(rest)));
            }
        }
    }
    found
}

/// The first names in `{a::b, c::{d, e}}`: a and c.
fn first_of_group(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for (at, char) in group.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(char, '{' | ',') {
            names.push(identifier(group[at + 1..].trim_start()));
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split(" //").next().unwrap_or_default()
}

/// `src/topic/actor.rs` and `src/topic.rs` are of `topic`.
fn module(path: &str) -> &str {
    let inside = path.strip_prefix("src/").expect("a file of the crate");
    inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn findings(path: &str, text: &str, layers: &Layers) -> Vec<String> {
    let own = module(path);
    let Some(own_line) = layers.get(own) else {
        return vec![format!("{path}: module {own} has no line in the table of src/lib.rs")];
    };
    let upward = imported(text).into_iter().filter(|(_, name)| {
        let line = layers.get(name);
        name != own && line.is_some_and(|line| line < own_line)
    });
    upward
        .map(|(line, name)| {
            format!(
                "{path}:{line}: {own} imports {name}, which stands above it; let {own} own the type and {name} hand it down"
            )
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let layers = layers(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let code = sources(&["src"], &[".rs"]);
    let modules = code.iter().filter(|file| !["src/lib.rs", "src/main.rs"].contains(&file.path.as_str()));
    none(&modules.flat_map(|file| findings(&file.path, &file.text, &layers)).collect::<Vec<_>>());
}

#[test]
fn every_module_of_the_table_exists() {
    let table = layers(&std::fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let code = sources(&["src"], &[".rs"]);
    let missing = table.keys().filter(|name| !code.iter().any(|file| module(&file.path) == name.as_str()));
    none(&missing.map(|name| format!("src/lib.rs draws {name}, which does not exist")).collect::<Vec<_>>());
}

#[test]
fn an_upward_import_is_found_however_it_is_written() {
    let doc = "//! ```text\n//! flow\n//! ```\n//!\n//! ```text\n//! hub          wires\n//! room · node  who · what\n//! ids · clock\n//! ```";
    let layers = layers(doc);
    assert_eq!(layers.len(), 5);
    let table = [
        ("use crate::ids::NodeName;", 0),
        ("use crate::room::Rooms;", 0),
        ("// crate::hub is above", 0),
        ("let x = 3; // as crate::hub does", 0),
        ("use crate::hub::Hub;", 1),
        ("    fn f(hub: &crate::hub::Hub) {}", 1),
        ("use crate::{clock::Clock, hub};", 1),
        ("use crate::{\n    ids::{A, B},\n    hub::{\n        Hub,\n    },\n};", 1),
        ("use crate::{ids::{hub, B}};", 0),
    ];
    for (text, expected) in table {
        assert_eq!(findings("src/node/actor.rs", text, &layers).len(), expected, "{text}");
    }
    assert_eq!(findings("src/news.rs", "", &layers).len(), 1, "a module without a line in the table");
}
