//! Users over the store: add, check, list.

use super::{Auth, AuthError, Role};
use crate::store::UserRecord;

/// Longest user name, in characters.
pub const USER_NAME_CHARS_MAX: usize = 64;

/// One user as others may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name to sign in with; the subject of their tokens.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// May not sign in.
    pub disabled: bool,
}

impl Auth {
    /// Adds a user. Refuses names and passwords that break the rules, the role agent, and a name that is taken.
    pub async fn add_user(
        &self,
        name: &str,
        password: &str,
        role: Role,
        now_ms: u64,
    ) -> Result<(), AuthError> {
        check_name(name)?;
        if role == Role::Agent {
            return Err(AuthError::Invalid(
                "a user is a viewer, operator or admin; agents get a token of their own".into(),
            ));
        }
        let password_hash = self.passwords.hash(password).await?;
        let user = UserRecord {
            name: name.to_owned(),
            role: role.as_str().to_owned(),
            password_hash,
            created_at_ms: now_ms,
            disabled: false,
        };
        Ok(self.store.add_user(user).await?)
    }

    /// Whether this is the password of an enabled user. Says no more than [`AuthError::BadCredentials`]
    /// otherwise, and takes the same time for a user that does not exist.
    pub async fn check_password(&self, name: &str, password: &str) -> Result<User, AuthError> {
        let found = if check_name(name).is_ok() { self.store.user(name).await? } else { None };
        let hash = found.as_ref().map(|user| user.password_hash.clone());
        let right = self.passwords.verify(password, hash).await?;
        match found {
            Some(user) if right && !user.disabled => visible(user),
            _ => Err(AuthError::BadCredentials),
        }
    }

    /// Users by name, at most `limit`, those behind `after` when it is given.
    pub async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, AuthError> {
        self.store.users(after, limit).await?.into_iter().map(visible).collect()
    }

    /// Disables a user and takes back all their tokens, or enables them again. False: there is no such user.
    pub async fn set_user_disabled(
        &self,
        name: &str,
        disabled: bool,
        now_ms: u64,
    ) -> Result<bool, AuthError> {
        let found = self.store.set_user_disabled(name, disabled).await?;
        if found && disabled {
            self.revoke_subject(name, now_ms).await?;
        }
        Ok(found)
    }
}

fn check_name(name: &str) -> Result<(), AuthError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    if name.is_empty() || name.len() > USER_NAME_CHARS_MAX || !name.chars().all(allowed) {
        return Err(AuthError::Invalid(format!(
            "a user name must have 1 to {USER_NAME_CHARS_MAX} characters of A-Z a-z 0-9 . _ @ -"
        )));
    }
    Ok(())
}

fn visible(user: UserRecord) -> Result<User, AuthError> {
    let role =
        user.role.parse().map_err(|error| AuthError::Internal(format!("user {:?}: {error}", user.name)))?;
    Ok(User { name: user.name, role, created_at_ms: user.created_at_ms, disabled: user.disabled })
}
