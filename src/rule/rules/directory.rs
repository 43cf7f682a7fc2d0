//! Rules of a directory of YAML files (`--rules DIR`): read at the start and when a file changes.
//!
//! All files are read and checked before any rule is replaced: when one is wrong, everything stays as it was, and the log
//! says which line and why. A rule that is in no file any more is forgotten. Rules that people made stay as they are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::RuleError;
use super::super::definition::Definition;
use super::super::files::{FILE_BYTES_MAX, FileError, parse};
use super::Rules;

/// How rules of files begin the name of who made them.
const BY: &str = "file:";

/// Most files of a directory.
const FILES_MAX: usize = 1_000;

/// What a directory looked like: names, times and lengths of its files.
type Look = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// A directory of rule files.
#[derive(Debug, Clone)]
pub struct RuleDirectory {
    path: PathBuf,
    seen: Option<Look>,
}

/// Why the rules of a directory were not taken.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The directory, or a file of it, cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Files are not as they should be.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Wrong(Vec<FileError>),
    /// Rules were not written.
    #[error(transparent)]
    Rules(#[from] RuleError),
}

/// What is to be done.
struct Wanted {
    /// Definitions with their ids, and who is said to write them.
    rules: Vec<(String, Definition, String)>,
}

impl RuleDirectory {
    /// The directory at a path, nothing of which is read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// The same, as if nothing of it was read yet.
    pub(in super::super) fn unread(self) -> Self {
        Self::new(self.path)
    }

    /// Reads the directory when something in it changed since the last time. `None`: nothing did.
    fn changed(&mut self) -> Result<Option<Wanted>, DirectoryError> {
        let look = look(&self.path)?;
        if self.seen.as_ref() == Some(&look) {
            return Ok(None);
        }
        // What is wrong is told once, not at each look.
        let files: Vec<PathBuf> = look.iter().map(|(path, ..)| path.clone()).collect();
        self.seen = Some(look);
        read(&files).map(Some)
    }
}

fn look(directory: &Path) -> Result<Look, DirectoryError> {
    let unreadable = |source| DirectoryError::Unreadable { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_rules = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        let Some(told) = is_rules.then(|| std::fs::metadata(&path).ok()).flatten() else { continue };
        if told.is_file() && files.len() < FILES_MAX {
            files.push((path, told.modified().ok(), told.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn read(files: &[PathBuf]) -> Result<Wanted, DirectoryError> {
    let (mut rules, mut wrong, mut ids) = (Vec::new(), Vec::new(), HashSet::new());
    for path in files {
        let unreadable = |source| DirectoryError::Unreadable { path: path.clone(), source };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if bytes > FILE_BYTES_MAX as u64 {
            wrong.push(FileError::whole(&name, format!("may have {FILE_BYTES_MAX} bytes, not {bytes}")));
            continue;
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let parsed = parse(&name, &text);
        for skipped in parsed.skipped {
            tracing::warn!(
                file = name,
                line = skipped.line,
                rule = skipped.name,
                reason = skipped.reason,
                "rule of a file is left out"
            );
        }
        wrong.extend(parsed.errors);
        for (id, definition) in parsed.rules {
            if ids.insert(id.clone()) {
                rules.push((id, definition, format!("{BY}{name}")));
            } else {
                wrong.push(FileError::whole(&name, format!("another file has a rule with the id {id:?}")));
            }
        }
    }
    if wrong.is_empty() { Ok(Wanted { rules }) } else { Err(DirectoryError::Wrong(wrong)) }
}

impl Rules {
    /// Takes the rules of a directory, if something in it changed. `true`: they were taken.
    pub async fn follow(&self, directory: &mut RuleDirectory) -> Result<bool, DirectoryError> {
        let mut moved = directory.clone();
        let read = tokio::task::spawn_blocking(move || {
            let changed = moved.changed();
            (moved, changed)
        });
        let Ok((moved, changed)) = read.await else { return Ok(false) };
        *directory = moved;
        let Some(Wanted { rules }) = changed? else { return Ok(false) };
        let ids: HashSet<&String> = rules.iter().map(|(id, ..)| id).collect();
        let (gone, fresh) = {
            let entries = self.0.entries.read();
            let of_files = entries.iter().filter(|(_, entry)| entry.record.created_by.starts_with(BY));
            let gone: Vec<String> =
                of_files.map(|(id, _)| id).filter(|id| !ids.contains(id)).cloned().collect();
            let is_fresh = |id: &String, definition: &Definition| {
                entries.get(id).is_none_or(|entry| entry.definition != *definition)
            };
            let fresh: Vec<_> =
                rules.iter().filter(|(id, definition, _)| is_fresh(id, definition)).cloned().collect();
            (gone, fresh)
        };
        let (taken, forgotten) = (fresh.len(), gone.len());
        for (id, definition, by) in fresh {
            self.put(vec![(id, definition, None)], &by).await?;
        }
        if !gone.is_empty() {
            self.delete(gone, "the rule files").await?;
        }
        tracing::info!(rules = rules.len(), taken, forgotten, "rule files read");
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: &str =
        "rules:\n- {name: CPU, kind: threshold, metric: cpu_percent, comparison: '>', value: 90}\n";

    fn ids(changed: Option<Wanted>) -> Vec<String> {
        changed.unwrap().rules.into_iter().map(|(id, ..)| id).collect()
    }

    #[test]
    fn files_are_read_when_they_change_and_one_that_is_wrong_keeps_all_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut directory = RuleDirectory::new(folder.path().to_owned());
        std::fs::write(folder.path().join("host.yaml"), CPU).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no rules").unwrap();
        assert_eq!(ids(directory.changed().unwrap()), ["host.cpu"]);
        assert!(directory.changed().unwrap().is_none());
        std::fs::write(folder.path().join("more.yml"), "rules:\n- {name: 7}\n").unwrap();
        let Err(DirectoryError::Wrong(wrong)) = directory.changed() else { panic!("it is wrong") };
        assert_eq!((wrong.len(), wrong[0].file.as_str(), wrong[0].line), (1, "more.yml", Some(2)));
        assert!(directory.changed().unwrap().is_none(), "told once");
        std::fs::write(folder.path().join("more.yml"), CPU.replace("CPU", "Load")).unwrap();
        assert_eq!(ids(directory.changed().unwrap()), ["host.cpu", "more.load"]);
        std::fs::remove_file(folder.path().join("host.yaml")).unwrap();
        assert_eq!(ids(directory.changed().unwrap()), ["more.load"]);
    }

    #[test]
    fn a_directory_that_is_not_there_says_so() {
        let mut directory = RuleDirectory::new("/nowhere/rules".into());
        let error = directory.changed().err().unwrap().to_string();
        assert!(error.starts_with("/nowhere/rules: "), "{error}");
    }
}
