//! Size, names and heads of source files.

use super::{none, sources};

const CODE: [&str; 8] =
    ["src", "tests", "benches", "examples", "loadtest", "fuzz/fuzz_targets", "static/src", "scripts"];
const CODE_ENDINGS: [&str; 8] = [".rs", ".ts", ".tsx", ".css", ".js", ".mjs", ".sh", "build.rs"];

const CODE_LINES_MAX: usize = 400;
/// Files that are longer, with the reason why they are better whole.
const LONGER: [(&str, &str); 0] = [];

/// Names that say nothing about what is inside, so that anything ends up there.
const NAMELESS: [&str; 9] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers", "shared"];

/// Lines that are neither blank nor comment, up to the tests at the end of a Rust file.
fn code_lines(text: &str) -> usize {
    let body = match text.find("#[cfg(test)]\nmod ") {
        Some(tests) => &text[..tests],
        None => text,
    };
    let is_code = |line: &&str| {
        let line = line.trim();
        !(line.is_empty() || line.starts_with("//") || line.starts_with("/*") || line.starts_with("* "))
    };
    body.lines().filter(is_code).count()
}

fn nameless_parts(path: &str) -> Vec<&str> {
    path.split(['/', '.', '-', '_']).filter(|part| NAMELESS.contains(&part.to_lowercase().as_str())).collect()
}

/// Types like `RoomManager`: the last word of the name says nothing.
fn nameless_types(text: &str) -> Vec<&str> {
    const WORDS: [&str; 7] = ["Util", "Utils", "Common", "Helper", "Helpers", "Misc", "Manager"];
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            if !["struct", "enum", "trait", "type", "class", "interface"].contains(&word) {
                continue;
            }
            let name = words.next().unwrap_or_default();
            let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            found.extend(WORDS.iter().any(|word| name.ends_with(word)).then_some(name));
        }
    }
    found
}

#[test]
fn no_file_has_more_code_than_one_can_hold_in_mind() {
    let findings = sources(&CODE, &CODE_ENDINGS).into_iter().filter_map(|file| {
        let lines = code_lines(&file.text);
        let excepted = LONGER.iter().any(|(path, _)| *path == file.path);
        (lines > CODE_LINES_MAX && !excepted).then(|| {
            format!("{}: {lines} lines of code, at most {CODE_LINES_MAX}: split by concept", file.path)
        })
    });
    none(&findings.collect::<Vec<_>>());
}

#[test]
fn names_say_what_is_inside() {
    let mut findings = Vec::new();
    for file in sources(&CODE, &CODE_ENDINGS) {
        for part in nameless_parts(&file.path) {
            findings.push(format!("{}: {part} says nothing; name the concept", file.path));
        }
        // Tests of this rule need names that break it.
        let types = if file.path.starts_with("tests/") { Vec::new() } else { nameless_types(&file.text) };
        for name in types {
            findings.push(format!("{}: {name} says nothing; name what it does", file.path));
        }
    }
    none(&findings);
}

#[test]
fn every_module_says_what_it_is_for() {
    let findings = sources(&["src", "loadtest/src"], &[".rs"]).into_iter().filter_map(|file| {
        // Tests that outgrew their file are described by it.
        let is_tests = file.path.starts_with("src") && file.path.contains("/tests");
        let described = file.text.starts_with("//! ");
        (!described && !is_tests).then(|| {
            format!("{}: begin with //! and what the module is for, its limits, its surprises", file.path)
        })
    });
    none(&findings.collect::<Vec<_>>());
}

#[test]
fn no_path_of_one_machine() {
    // In two halves, or this file would be the first finding.
    let paths = [["/ro", "ot/"], ["/wo", "rk/"], ["/t", "mp/"], ["/ho", "me/"]].map(|halves| halves.concat());
    let places = [
        "src",
        "docs",
        "tests",
        "static/src",
        "scripts",
        "loadtest",
        "README.md",
        "CONTRIBUTING.md",
        "Makefile",
    ];
    let endings = [".rs", ".ts", ".tsx", ".md", ".toml", ".sh", ".js", ".mjs", "Makefile"];
    let mut findings = Vec::new();
    for file in sources(&places, &endings) {
        for (number, line) in file.text.lines().enumerate() {
            // A path, not the middle of an address like `example.org/work/`.
            let starts = |path: &String| {
                line.match_indices(path.as_str())
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || ".}$)".contains(c)))
            };
            findings.extend(
                paths
                    .iter()
                    .filter(|path| starts(path))
                    .map(|path| format!("{}:{}: {path} exists on one machine only", file.path, number + 1)),
            );
        }
    }
    none(&findings);
}

#[test]
fn the_rules_find_what_breaks_them() {
    let long = "let x = 1;\n".repeat(401);
    assert_eq!(code_lines(&long), 401);
    let padded =
        format!("// why\n\n/// doc\n{}#[cfg(test)]\nmod tests {{\n{long}}}", "let x = 1;\n".repeat(10));
    assert_eq!(code_lines(&padded), 10, "comments, blank lines and tests at the end do not count");
    assert_eq!(nameless_parts("src/topic/utils.rs"), ["utils"]);
    assert_eq!(nameless_parts("static/src/common/Button.tsx"), ["common"]);
    assert_eq!(nameless_parts("src/topic/uncommon.rs"), Vec::<&str>::new());
    assert_eq!(nameless_types("pub struct RoomManager<T> {"), ["RoomManager"]);
    assert_eq!(nameless_types("// struct RoomManager\nstruct Management;"), Vec::<&str>::new());
}
