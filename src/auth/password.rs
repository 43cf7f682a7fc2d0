//! Passwords: argon2id, off the runtime's own threads, a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::AuthError;

/// Cost of one hash: memory, passes, lanes (the first choice of the OWASP cheat sheet).
pub(super) const MEMORY_KIB: u32 = 19 * 1024;
/// See [`MEMORY_KIB`].
pub(super) const PASSES: u32 = 2;
/// See [`MEMORY_KIB`].
pub(super) const LANES: u32 = 1;

/// Shortest and longest password, in bytes.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// See [`PASSWORD_BYTES_MIN`].
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Hashes at the same time, and how many more may wait. Each holds [`MEMORY_KIB`].
const HASHES_MAX: usize = 2;
const WAITING_MAX: usize = 32;

/// A hash of the same cost that no password has: what an unknown user's password is compared with.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and verifies. Cheap to clone; clones share the bound.
#[derive(Debug, Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { permits: Arc::new(Semaphore::new(HASHES_MAX)), asked: Arc::default() }
    }
}

impl Passwords {
    /// Checks the length and hashes; the hash is in PHC format, with a salt of its own.
    pub async fn hash(&self, password: &str) -> Result<String, AuthError> {
        if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len()) {
            return Err(AuthError::Invalid(format!(
                "a password must have {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes"
            )));
        }
        let password = password.to_owned();
        self.run(move || {
            let hash = argon2()?.hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| AuthError::Internal(error.to_string()))
        })
        .await
    }

    /// Whether the password has this hash. Takes the same time when there is none (an unknown user).
    pub async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, AuthError> {
        // Too long a password is never right; an empty one costs as much and says as little.
        let password = if password.len() > PASSWORD_BYTES_MAX { String::new() } else { password.to_owned() };
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODY);
            Ok(argon2()?.verify_password(password.as_bytes(), hash).is_ok() && known)
        })
        .await
    }

    async fn run<T, F>(&self, work: F) -> Result<T, AuthError>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, AuthError> + Send + 'static,
    {
        if self.asked.fetch_add(1, Relaxed) >= HASHES_MAX + WAITING_MAX {
            self.asked.fetch_sub(1, Relaxed);
            return Err(AuthError::Busy);
        }
        let _counted = Counted(&self.asked);
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.map_err(|error| AuthError::Internal(error.to_string()))?;
        // The permit goes along: a caller that stops waiting must not let a third hash start.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await.unwrap_or_else(|error| Err(AuthError::Internal(error.to_string())))
    }
}

fn argon2() -> Result<Argon2<'static>, AuthError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|error| AuthError::Internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Counts one caller out when it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::phc::PasswordHash;

    #[tokio::test]
    async fn a_password_is_recognised_and_nothing_else_is() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash("correct horse").await.unwrap(), hash, "salted");
        assert!(passwords.verify("correct horse", Some(hash.clone())).await.unwrap());
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", &"x".repeat(1 << 20)] {
            assert!(!passwords.verify(wrong, Some(hash.clone())).await.unwrap(), "{wrong:.20}");
        }
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("correct horse", Some("damaged".into())).await.unwrap());
    }

    #[test]
    fn an_unknown_user_costs_what_a_known_one_does() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = argon2().unwrap().hash_password(b"correct horse").unwrap();
        assert_eq!((nobody.algorithm, nobody.version), (somebody.algorithm, somebody.version));
        assert_eq!(nobody.params, somebody.params);
        let lengths = |hash: &PasswordHash| (hash.salt.unwrap().len(), hash.hash.unwrap().len());
        assert_eq!(lengths(&nobody), lengths(&somebody));
        // The same work is only done when the hash is well formed: an error would come at once.
        let error = argon2().unwrap().verify_password(b"correct horse", NOBODY).unwrap_err();
        assert_eq!(error, argon2::password_hash::Error::PasswordInvalid);
    }

    #[tokio::test]
    async fn an_unknown_user_takes_as_long_as_a_known_one() {
        let passwords = Passwords::default();
        let known = passwords.hash("correct horse").await.unwrap();
        let time = async |hash| {
            let start = tokio::time::Instant::now();
            passwords.verify("wrong horse", hash).await.unwrap();
            start.elapsed()
        };
        let (known, unknown) = (time(Some(known)).await, time(None).await);
        // Without the work it would be thousands of times faster; the factor leaves room for a busy machine.
        assert!(unknown * 10 > known, "{unknown:?} against {known:?}");
    }

    #[tokio::test]
    async fn lengths_have_a_rule() {
        let passwords = Passwords::default();
        for bad in ["", "1234567", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(passwords.hash(bad).await, Err(AuthError::Invalid(_))));
        }
        passwords.hash("12345678").await.unwrap();
    }

    #[tokio::test]
    async fn too_many_at_once_are_refused() {
        let passwords = Passwords::default();
        // None is done before all have asked.
        let may_end = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let work = |_| {
            let may_end = may_end.clone();
            passwords.run(move || {
                while !may_end.load(std::sync::atomic::Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                Ok(())
            })
        };
        let mut all = futures_util::future::join_all((0..HASHES_MAX + WAITING_MAX + 3).map(work));
        tokio::select! {
            biased;
            _ = &mut all => panic!("nothing may end yet"),
            () = std::future::ready(()) => may_end.store(true, std::sync::atomic::Ordering::Relaxed),
        }
        let answers = all.await;
        let busy = answers.iter().filter(|answer| **answer == Err(AuthError::Busy)).count();
        assert_eq!((busy, answers.len() - busy), (3, HASHES_MAX + WAITING_MAX));
        assert_eq!(passwords.run(|| Ok(())).await, Ok(()), "and then there is room again");
    }
}
