//! Manifests keep what the design stands on: unwinding, the house's lints, one lock file.

use toml::{Table, Value};

use super::{none, sources};

/// Profiles that abort on a panic: supervision catches panics, so they would void it.
fn aborting_profiles(manifest: &str) -> Vec<String> {
    let manifest: Table = manifest.parse().expect("a manifest is TOML");
    let profiles = manifest.get("profile").and_then(Value::as_table);
    let aborts = |(name, profile): (&String, &Value)| {
        let panic = profile.get("panic").and_then(Value::as_str);
        panic.is_some_and(|strategy| strategy != "unwind").then(|| name.clone())
    };
    profiles.into_iter().flatten().filter_map(aborts).collect()
}

fn inherits_lints(manifest: &str) -> bool {
    let manifest: Table = manifest.parse().expect("a manifest is TOML");
    let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    lints.and_then(Value::as_bool) == Some(true)
}

#[test]
fn every_profile_unwinds() {
    let manifests =
        sources(&["Cargo.toml", "loadtest", "fuzz", ".cargo"], &["Cargo.toml", ".cargo/config.toml"]);
    let findings = manifests.iter().flat_map(|file| {
        let profiles = aborting_profiles(&file.text).into_iter();
        profiles.map(|name| format!("{}: profile {name} aborts on panic: no actor would restart", file.path))
    });
    none(&findings.collect::<Vec<_>>());
}

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    let manifests = sources(&["Cargo.toml", "loadtest/Cargo.toml"], &["Cargo.toml"]);
    let findings = manifests.iter().filter(|file| !inherits_lints(&file.text));
    none(&findings.map(|file| format!("{}: needs [lints] workspace = true", file.path)).collect::<Vec<_>>());
}

#[test]
fn an_aborting_profile_and_missing_lints_are_found() {
    let manifest =
        "[profile.dev]\npanic = \"unwind\"\n[profile.small]\ninherits = \"release\"\npanic = \"abort\"";
    assert_eq!(aborting_profiles(manifest), ["small"]);
    assert_eq!(aborting_profiles("# panic = \"abort\"\n[profile.release]\nlto = true"), Vec::<String>::new());
    assert!(!inherits_lints(manifest));
    assert!(inherits_lints("[lints]\nworkspace = true"));
}
