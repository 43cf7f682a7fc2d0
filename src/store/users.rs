//! People who sign in with a password.

use super::request::Reply;
use super::value::{Row, params};
use super::{Store, StoreError};

/// One user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Name to sign in with; the subject of their tokens.
    pub name: String,
    /// Name of the role.
    pub role: String,
    /// argon2id hash in PHC format.
    pub password_hash: String,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// May not sign in.
    pub disabled: bool,
}

// The hash stays out of logs.
impl std::fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRecord")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("created_at_ms", &self.created_at_ms)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

const USER_COLUMNS: &str = "name, role, password_hash, created_at_ms, disabled";

impl Store {
    /// Adds a user; [`StoreError::Conflict`] when the name is taken.
    pub fn add_user(&self, user: UserRecord) -> Reply<()> {
        self.write(256, move |database| {
            let added = database.session.execute(
                &format!(
                    "INSERT INTO users ({USER_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"
                ),
                params![user.name, user.role, user.password_hash, user.created_at_ms, user.disabled],
            )?;
            if added == 0 {
                return Err(StoreError::Conflict(format!("user {:?} exists already", user.name)));
            }
            Ok(())
        })
    }

    /// Disables or enables a user. False: there is no such user.
    pub fn set_user_disabled(&self, name: &str, disabled: bool) -> Reply<bool> {
        let name = name.to_owned();
        self.write(name.len(), move |database| {
            let sql = "UPDATE users SET disabled = ?2 WHERE name = ?1";
            Ok(database.session.execute(sql, params![name, disabled])? > 0)
        })
    }

    /// Replaces the password's hash. False: there is no such user.
    pub fn set_user_password(&self, name: &str, password_hash: &str) -> Reply<bool> {
        let (name, password_hash) = (name.to_owned(), password_hash.to_owned());
        self.write(name.len() + password_hash.len(), move |database| {
            let sql = "UPDATE users SET password_hash = ?2 WHERE name = ?1";
            Ok(database.session.execute(sql, params![name, password_hash])? > 0)
        })
    }

    /// One user.
    pub async fn user(&self, name: &str) -> Result<Option<UserRecord>, StoreError> {
        let name = name.to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {USER_COLUMNS} FROM users WHERE name = ?1");
            session.optional(&sql, params![name], read_user)
        })
        .await
    }

    /// Users by name, at most `limit`, those behind `after` when it is given.
    pub async fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<UserRecord>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |session| {
            let sql = format!("SELECT {USER_COLUMNS} FROM users WHERE name > ?1 ORDER BY name LIMIT ?2");
            session.query(&sql, params![after, limit], read_user)
        })
        .await
    }
}

fn read_user(row: Row<'_>) -> Result<UserRecord, StoreError> {
    Ok(UserRecord {
        name: row.get(0)?,
        role: row.get(1)?,
        password_hash: row.get(2)?,
        created_at_ms: row.get(3)?,
        disabled: row.get(4)?,
    })
}
