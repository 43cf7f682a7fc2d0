//! The rule of `make bench-check`: no hot path grows by more than 5 %.

#[path = "../../../benches/hot_paths/comparison.rs"]
mod comparison;

use std::fs;

use comparison::{Comparison, Numbers, compare};

/// Numbers as the file in the repository has them.
fn numbers(rustc: &str, instructions: &[(&str, u64)]) -> Numbers {
    let cases: Vec<String> =
        instructions.iter().map(|(name, count)| format!("\"{name}\" = {count}")).collect();
    let text = format!("rustc = \"{rustc}\"\ncpu = \"x86_64\"\n\n[instructions]\n{}\n", cases.join("\n"));
    toml::from_str(&text).unwrap()
}

/// This build counts 10,000 instructions beside so many that are committed.
fn beside(committed: u64) -> Comparison {
    compare(&numbers("1.95", &[("codec/read", committed)]), &numbers("1.95", &[("codec/read", 10_000)]))
}

#[test]
fn a_case_may_grow_by_five_percent_and_no_more() {
    for (committed, fails, word) in [
        (9_400, true, "more than allowed"),
        (9_520, true, "more than allowed"),
        (9_530, false, "+4.9%"),
        (9_600, false, "+4.2%"),
        (10_000, false, "+0.0%"),
        (10_600, false, "better"),
        (0, true, "more than allowed"),
    ] {
        let told = beside(committed);
        assert_eq!(told.fails, fails, "{committed}: {told:?}");
        let line = told.lines.iter().find(|line| line.starts_with("codec/read ")).unwrap();
        assert!(line.contains(word), "{committed}: {line}");
    }
}

#[test]
fn one_case_that_has_grown_fails_the_check_beside_others_that_have_not() {
    let known = numbers("1.95", &[("a", 100), ("b", 100), ("c", 100)]);
    let told = compare(&known, &numbers("1.95", &[("a", 50), ("b", 106), ("c", 100)]));
    assert!(told.fails, "{told:?}");
    let over: Vec<_> = told.lines.iter().filter(|line| line.contains("more than allowed")).collect();
    assert!(over.len() == 1 && over[0].starts_with("b "), "{over:?}");
}

#[test]
fn a_number_that_is_missing_is_named_with_what_to_do() {
    let (one, two) = (&[("a", 100)][..], &[("a", 100), ("b", 7)][..]);
    for (known, found, word) in [(one, two, "not committed"), (two, one, "no such case")] {
        let told = compare(&numbers("1.95", known), &numbers("1.95", found));
        assert!(told.fails, "{told:?}");
        let line = told.lines.iter().find(|line| line.starts_with("b ")).unwrap();
        assert!(line.contains(word) && line.contains("ARGS=--update"), "{line}");
    }
}

#[test]
fn numbers_of_another_compiler_only_warn() {
    let told = compare(&numbers("1.94", &[("a", 1)]), &numbers("1.95", &[("a", 100)]));
    assert!(!told.fails, "{told:?}");
    assert!(told.lines.last().unwrap().contains("1.94 on x86_64: this only warns"), "{told:?}");
}

#[test]
fn the_numbers_in_the_repository_can_be_read() {
    let text = fs::read_to_string(super::root().join("benches/instructions.toml")).unwrap();
    toml::from_str::<Numbers>(&text).unwrap();
    let without = text.replace("[instructions]", "");
    assert!(toml::from_str::<Numbers>(&without).unwrap_err().to_string().contains("instructions"));
}
