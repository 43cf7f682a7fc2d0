//! The data directory: made private, tried before it is trusted, and held by one hub at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Place, StoreError};

const LOCK_FILE: &str = "hub.lock";

/// A data directory that exists and can be written.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

/// Held by the one hub that serves from a directory; let go when it is dropped, and by the death of the process.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DataDirectory {
    /// Makes the directory (0700) when it is missing, and writes a probe into it, so that a read-only or
    /// full disk is told at start and not by the first request.
    pub fn prepare(path: &Path) -> Result<Self, StoreError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| refused(path, &error))?;
        let probe = path.join(format!(".probe-{}", std::process::id()));
        let tried = fs::write(&probe, [0; 4096]).and_then(|()| fs::remove_file(&probe));
        if let Err(error) = tried {
            // A full disk lets the probe be made and not filled.
            drop(fs::remove_file(&probe));
            return Err(refused(path, &error));
        }
        Ok(Self { path: path.to_path_buf() })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join("infrawatch.db")
    }

    /// Where durable state is: on the server that is named, else in the file here.
    pub fn store_place(&self, server: Option<&Place>) -> Place {
        server.cloned().unwrap_or_else(|| Place::from(&self.database()))
    }

    /// Keeps other hubs out of the directory: two that number the same topics would contradict each other.
    /// Sub-commands such as `user` and `token` need no lock.
    pub fn lock(&self) -> Result<DirectoryLock, StoreError> {
        let path = self.path.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| refused(&path, &error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(DirectoryLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Open {
                path: self.path.clone(),
                problem: "another hub serves from this directory".into(),
                advice: "Stop it, or give this one a --data-dir of its own",
            }),
            Err(error) => Err(refused(&path, &error.into())),
        }
    }
}

fn refused(path: &Path, error: &io::Error) -> StoreError {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "Make room on that disk, then start again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "The file system is read-only; mount it writable or choose another --data-dir"
        }
        io::ErrorKind::PermissionDenied => "Make it writable for this user or choose another --data-dir",
        _ => "Choose a directory that can be made and written with --data-dir",
    };
    StoreError::Open { path: path.to_path_buf(), problem: error.to_string(), advice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_directory_is_made_private_and_left_clean() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/data");
        let directory = DataDirectory::prepare(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_hub_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::prepare(parent.path()).unwrap();
        let lock = directory.lock().unwrap();
        let error = directory.lock().unwrap_err().to_string();
        assert!(error.contains("another hub serves from this directory"), "{error}");
        drop(lock);
        directory.lock().unwrap();
    }

    #[test]
    fn what_cannot_be_a_directory_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().join("data");
        let error = DataDirectory::prepare(&path).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()) && error.contains("--data-dir"), "{error}");
    }

    #[test]
    fn each_kind_of_refusal_says_what_to_do() {
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "Make room"),
            (io::ErrorKind::ReadOnlyFilesystem, "mount it writable"),
            (io::ErrorKind::PermissionDenied, "Make it writable for this user"),
        ] {
            let error = refused(Path::new("/data"), &kind.into()).to_string();
            assert!(error.starts_with("/data: ") && error.contains(advice), "{error}");
        }
    }
}
