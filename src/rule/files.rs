//! Rule files: our own shape in YAML, a list under `rules:`, and rule files of Prometheus, `groups:`. Pure.
//!
//! A text is read as a whole: each rule is a checked definition, or is named with what is wrong with it (`errors`: the
//! file should not be taken) or why it has no counterpart here (`skipped`: the others may be).

mod prometheus;
mod wording;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::checked::Rule;
use super::definition::Definition;

/// Longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Most rules of a file.
pub const RULES_MAX: usize = 1_000;
/// Longest part of an id that is made of a name, in bytes.
const SLUG_BYTES_MAX: usize = 48;

/// What a file has.
#[derive(Debug, Default, PartialEq)]
pub struct Parsed {
    /// Ids, stable over readings, with checked definitions that have them.
    pub rules: Vec<(String, Definition)>,
    /// Rules of Prometheus that have no counterpart.
    pub skipped: Vec<Skipped>,
    /// What is wrong.
    pub errors: Vec<FileError>,
}

/// A rule of Prometheus that has no counterpart here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SkippedRule)]
pub struct Skipped {
    /// The path that was given.
    pub file: String,
    /// The line on which it begins, if it is known.
    pub line: Option<u64>,
    /// The group.
    pub group: String,
    /// The name of the alert, or of the record.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = RuleFileError)]
pub struct FileError {
    /// The path that was given.
    pub file: String,
    /// The line, if it is known.
    pub line: Option<u64>,
    /// The rule, if it is known.
    pub rule: Option<String>,
    /// Which field of it, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What was found, and what is allowed.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rules: Vec<Spanned<Value>>,
    #[serde(default)]
    groups: Vec<prometheus::Group>,
}

/// Reads the text of a file; the path is for messages and ids.
pub fn parse(path: &str, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if text.len() > FILE_BYTES_MAX {
        let message = format!("may have {FILE_BYTES_MAX} bytes, not {}", text.len());
        parsed.errors.push(whole(path, None, message));
        return parsed;
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return parsed;
    }
    let file: File = match serde_saphyr::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.location().map(|location| location.line());
            let message = error.to_string();
            // The lines below the first show the place in the text, which says the same again.
            let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
            parsed.errors.push(whole(path, line, first.to_owned()));
            return parsed;
        }
    };
    let count = file.rules.len() + file.groups.iter().map(prometheus::Group::len).sum::<usize>();
    if count > RULES_MAX {
        parsed.errors.push(whole(path, None, format!("may have {RULES_MAX} rules, not {count}")));
        return parsed;
    }
    let mut ids = HashSet::new();
    for Spanned { value, referenced, .. } in file.rules {
        own(path, referenced.line(), &value, &mut ids, &mut parsed);
    }
    for group in file.groups {
        group.read(path, &mut ids, &mut parsed);
    }
    parsed
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {rule:?} ")?;
        }
        if !self.pointer.is_empty() {
            write!(f, "{} ", self.pointer)?;
        }
        f.write_str(&self.message)
    }
}

impl FileError {
    /// Something about a whole file.
    pub(super) fn whole(file: &str, message: String) -> Self {
        whole(file, None, message)
    }
}

fn whole(path: &str, line: Option<u64>, message: String) -> FileError {
    FileError { file: path.to_owned(), line, rule: None, pointer: String::new(), message }
}

/// A rule in our shape.
fn own(path: &str, line: u64, value: &Value, ids: &mut HashSet<String>, parsed: &mut Parsed) {
    let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut wrong = |pointer: String, message: String| {
        let (file, rule) = (path.to_owned(), name.clone());
        parsed.errors.push(FileError { file, line: Some(line), rule, pointer, message });
    };
    let mut definition: Definition = match serde_json::from_value(value.clone()) {
        Ok(definition) => definition,
        Err(error) => return wrong(String::new(), error.to_string()),
    };
    let id = definition.id.clone().unwrap_or_else(|| id(path, &definition.name));
    definition.id = Some(id.clone());
    if let Err(errors) = Rule::check(definition.clone()) {
        errors.into_iter().for_each(|error| wrong(error.pointer, error.message));
    } else if ids.insert(id.clone()) {
        parsed.rules.push((id, definition));
    } else {
        wrong(
            "/name".to_owned(),
            format!("another rule of the file has the id {id:?}: give it one, or another name"),
        );
    }
}

/// `web.cpu-is-high` of a rule `CPU is high` in `rules/web.yaml`; where names lose something, a number stands for it.
pub fn id(path: &str, name: &str) -> String {
    let stem = Path::new(path).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    format!("{}.{}", slug(&stem), slug(name))
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for char in name.chars() {
        if char.is_ascii_alphanumeric() || char == '_' {
            slug.push(char.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let is_plain = name.chars().all(|char| char.is_ascii_alphanumeric() || " -_".contains(char));
    if is_plain && !slug.is_empty() && slug.len() <= SLUG_BYTES_MAX {
        return slug;
    }
    slug.truncate(SLUG_BYTES_MAX);
    format!("{slug}-{:08x}", crc32fast::hash(name.as_bytes()))
}
