//! The key that tokens are signed with: a file in the data directory that only its owner can read, or one that several
//! hub nodes are given.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::secret::{SECRET_BYTES, random};

/// Name of the file in the data directory.
pub const KEY_FILE: &str = "jwt.key";

/// Why the key cannot be used. Names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Cannot be read or made.
    #[error("{path}: {error}. The signing key must be readable and its directory writable for this user", path = .path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others may read it, so that they could sign tokens.
    #[error("{path}: mode {mode:04o} lets others read the signing key. Run `chmod 600` on it; if somebody \
             may have read it, delete it, which makes every token void", path = .path.display())]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key.
    #[error("{path}: has {bytes} bytes instead of {SECRET_BYTES}. Restore it, or delete it, which makes \
             every token void", path = .path.display())]
    Length {
        /// The key file.
        path: PathBuf,
        /// How long it is.
        bytes: usize,
    },
}

/// Reads a key that was made elsewhere. Its group may read it: orchestrators hand secrets to a group.
pub(super) fn load_given(path: &Path) -> Result<[u8; SECRET_BYTES], KeyError> {
    load(path, 0o037)
}

/// Reads the key of a data directory, or makes it (0600). Of several processes that make it at the same time
/// one wins and all use its key.
pub(super) fn load_or_make(directory: &Path) -> Result<[u8; SECRET_BYTES], KeyError> {
    let path = directory.join(KEY_FILE);
    let made = match load(&path, 0o077) {
        Err(KeyError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => make(directory, &path),
        loaded => return loaded,
    };
    made.map_err(|error| KeyError::Io { path: path.clone(), error })?;
    load(&path, 0o077)
}

/// Refuses a file whose mode has one of the `forbidden` bits.
fn load(path: &Path, forbidden: u32) -> Result<[u8; SECRET_BYTES], KeyError> {
    let refuse = |error| KeyError::Io { path: path.to_path_buf(), error };
    let file = File::open(path).map_err(refuse)?;
    // Of the open file, not of the path: nothing can be swapped in between.
    let mode = file.metadata().map_err(refuse)?.mode() & 0o7777;
    if mode & forbidden != 0 {
        return Err(KeyError::Readable { path: path.to_path_buf(), mode });
    }
    let mut bytes = Vec::with_capacity(SECRET_BYTES + 1);
    (&file).take(SECRET_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(refuse)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_bytes| KeyError::Length { path: path.to_path_buf(), bytes: length })
}

/// Writes a fresh key beside its place and links it there, whole or not at all.
fn make(directory: &Path, path: &Path) -> io::Result<()> {
    let draft = directory.join(format!(".{KEY_FILE}-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(&random()).and_then(|()| file.sync_all());
    // A link, not a rename: a key that somebody else made meanwhile must stay.
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(directory)?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_private_and_then_kept() {
        let directory = tempfile::tempdir().unwrap();
        let key = load_or_make(directory.path()).unwrap();
        let path = directory.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(load_or_make(directory.path()).unwrap(), key);
        let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [KEY_FILE], "no draft is left behind");
        assert_ne!(load_or_make(tempfile::tempdir().unwrap().path()).unwrap(), key);
    }

    #[test]
    fn processes_that_start_together_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(8);
        let keys: Vec<_> = std::thread::scope(|scope| {
            let make = || {
                barrier.wait();
                load_or_make(directory.path()).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        load_or_make(directory.path()).unwrap();
        let path = directory.path().join(KEY_FILE);
        for mode in [0o640, 0o604, 0o660, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = load_or_make(directory.path()).unwrap_err();
            assert!(matches!(error, KeyError::Readable { mode: found, .. } if found == mode), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_key_that_is_given_may_be_read_by_its_group_and_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        assert!(matches!(load_given(&path), Err(KeyError::Io { .. })));
        fs::write(&path, [7; SECRET_BYTES]).unwrap();
        for (mode, is_fine) in [(0o600, true), (0o440, true), (0o444, false), (0o660, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(load_given(&path).is_ok(), is_fine, "{mode:o}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(KEY_FILE);
        for bytes in [0, 31, 33] {
            fs::write(&path, vec![7; bytes]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(load_or_make(directory.path()), Err(KeyError::Length { .. })));
            assert_eq!(fs::read(&path).unwrap().len(), bytes);
        }
    }

    #[test]
    fn a_directory_that_is_missing_is_named() {
        let error = load_or_make(Path::new("/nonexistent/data")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/data/jwt.key: "), "{error}");
    }
}
