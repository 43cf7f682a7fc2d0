//! Refresh tokens and revocations. A refresh token is kept as its SHA-256 only.

use super::request::Reply;
use super::session::Session;
use super::value::{Row, params};
use super::{Store, StoreError};

/// A SHA-256.
pub type TokenHash = [u8; 32];

/// One refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshRecord {
    /// SHA-256 of the token.
    pub hash: TokenHash,
    /// The sign-in that it goes back to.
    pub family: String,
    /// Whom it speaks for.
    pub subject: String,
    /// Name of the role at sign-in.
    pub role: String,
    /// Whether the subject is a row of `users`; else it signed in by a login link.
    pub is_user: bool,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds; no longer good from then on.
    pub expires_at_ms: u64,
}

/// What became of an attempt to rotate a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The old one is used up, the new one is kept.
    Rotated(RefreshRecord),
    /// No such token.
    Unknown,
    /// It ran out.
    Expired,
    /// It was taken back.
    Revoked,
    /// It had been used before: somebody has a copy, so its whole family is revoked now.
    Reused {
        /// Whom it spoke for.
        subject: String,
        /// The family that is revoked.
        family: String,
    },
    /// Its user is gone or disabled; the family is revoked now.
    UserDisabled,
}

/// Revocations that are still of use, as they are loaded at start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationRecords {
    /// (jti, when the token runs out by itself, Unix milliseconds).
    pub tokens: Vec<(String, u64)>,
    /// (subject, tokens issued before this moment are void, moment from which none of them lives).
    pub subjects: Vec<(String, u64, u64)>,
}

impl Store {
    /// Keeps the first refresh token of a family.
    pub fn add_refresh_token(&self, token: RefreshRecord) -> Reply<()> {
        self.write(256, move |database| insert(&database.session, &token))
    }

    /// Uses up `old` and keeps `new` in its family, in one step: of two that try at the same time, one wins
    /// and the other counts as reuse. The role is the user's current one.
    pub fn rotate_refresh_token(
        &self,
        old: TokenHash,
        new: TokenHash,
        now_ms: u64,
        expires_at_ms: u64,
    ) -> Reply<Rotation> {
        self.write(256, move |database| rotate(&database.session, &old, new, now_ms, expires_at_ms))
    }

    /// Revokes the family of this token. The family's subject, when the token was known.
    pub fn revoke_refresh_token(&self, hash: TokenHash, now_ms: u64) -> Reply<Option<String>> {
        self.write(64, move |database| {
            let session = &database.session;
            let Some(found) = find(session, &hash)? else { return Ok(None) };
            revoke_family(session, &found.record.family, now_ms)?;
            Ok(Some(found.record.subject))
        })
    }

    /// Revokes all refresh tokens of a subject, and its access tokens issued before `now_ms`. `expires_at_ms`:
    /// from when on the record is of no use.
    pub fn revoke_subject(&self, subject: &str, now_ms: u64, expires_at_ms: u64) -> Reply<()> {
        let subject = subject.to_owned();
        self.write(subject.len(), move |database| {
            let session = &database.session;
            session.execute(
                "UPDATE refresh_tokens SET revoked_at_ms = ?2 WHERE subject = ?1 AND revoked_at_ms IS NULL",
                params![subject, now_ms],
            )?;
            session.execute(
                "INSERT INTO revoked_subjects (subject, issued_before_ms, expires_at_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT (subject) DO UPDATE SET issued_before_ms = ?2, expires_at_ms = ?3",
                params![subject, now_ms, expires_at_ms],
            )?;
            Ok(())
        })
    }

    /// Revokes one access token until it runs out by itself.
    pub fn revoke_token(&self, jti: &str, expires_at_ms: u64) -> Reply<()> {
        let jti = jti.to_owned();
        self.write(jti.len(), move |database| {
            database.session.execute(
                "INSERT INTO revoked_tokens (jti, expires_at_ms) VALUES (?1, ?2)
                 ON CONFLICT (jti) DO UPDATE SET expires_at_ms = ?2",
                params![jti, expires_at_ms],
            )?;
            Ok(())
        })
    }

    /// The revocations that still matter at `now_ms`.
    pub async fn revocations(&self, now_ms: u64) -> Result<RevocationRecords, StoreError> {
        self.read(move |session| {
            let sql = "SELECT jti, expires_at_ms FROM revoked_tokens WHERE expires_at_ms > ?1";
            let tokens = session.query(sql, params![now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let sql = "SELECT subject, issued_before_ms, expires_at_ms FROM revoked_subjects
                       WHERE expires_at_ms > ?1";
            let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let subjects = session.query(sql, params![now_ms], read)?;
            Ok(RevocationRecords { tokens, subjects })
        })
        .await
    }

    /// Forgets refresh tokens and revocations that ran out before `now_ms`; returns how many.
    pub fn prune_tokens(&self, now_ms: u64) -> Reply<u64> {
        self.write(0, move |database| {
            let mut pruned = 0;
            for table in ["refresh_tokens", "revoked_tokens", "revoked_subjects"] {
                let sql = format!("DELETE FROM {table} WHERE expires_at_ms <= ?1");
                pruned += database.session.execute(&sql, params![now_ms])?;
            }
            Ok(pruned)
        })
    }
}

struct Found {
    record: RefreshRecord,
    used: bool,
    revoked: bool,
}

fn find(session: &Session, hash: &TokenHash) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT family, subject, role, is_user, created_at_ms, expires_at_ms, used_at_ms, revoked_at_ms
               FROM refresh_tokens WHERE hash = ?1";
    session.optional(sql, params![hash], |row| {
        Ok(Found {
            record: RefreshRecord {
                hash: *hash,
                family: row.get(0)?,
                subject: row.get(1)?,
                role: row.get(2)?,
                is_user: row.get(3)?,
                created_at_ms: row.get(4)?,
                expires_at_ms: row.get(5)?,
            },
            used: row.get::<Option<u64>>(6)?.is_some(),
            revoked: row.get::<Option<u64>>(7)?.is_some(),
        })
    })
}

fn insert(session: &Session, token: &RefreshRecord) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO refresh_tokens (hash, family, subject, role, is_user, created_at_ms, expires_at_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    session.execute(
        sql,
        params![
            token.hash,
            token.family,
            token.subject,
            token.role,
            token.is_user,
            token.created_at_ms,
            token.expires_at_ms,
        ],
    )?;
    Ok(())
}

fn rotate(
    session: &Session,
    old: &TokenHash,
    new: TokenHash,
    now_ms: u64,
    expires_at_ms: u64,
) -> Result<Rotation, StoreError> {
    let Some(found) = find(session, old)? else { return Ok(Rotation::Unknown) };
    let Found { record, used, revoked } = found;
    if revoked {
        return Ok(Rotation::Revoked);
    }
    if used {
        revoke_family(session, &record.family, now_ms)?;
        return Ok(Rotation::Reused { subject: record.subject, family: record.family });
    }
    if record.expires_at_ms <= now_ms {
        return Ok(Rotation::Expired);
    }
    let role = if record.is_user {
        let sql = "SELECT role FROM users WHERE name = ?1 AND NOT disabled";
        let role = session.optional(sql, params![record.subject], |row| row.get(0))?;
        let Some(role) = role else {
            revoke_family(session, &record.family, now_ms)?;
            return Ok(Rotation::UserDisabled);
        };
        role
    } else {
        record.role
    };
    session.execute("UPDATE refresh_tokens SET used_at_ms = ?2 WHERE hash = ?1", params![old, now_ms])?;
    let fresh = RefreshRecord { hash: new, role, created_at_ms: now_ms, expires_at_ms, ..record };
    insert(session, &fresh)?;
    Ok(Rotation::Rotated(fresh))
}

fn revoke_family(session: &Session, family: &str, now_ms: u64) -> Result<(), StoreError> {
    let sql = "UPDATE refresh_tokens SET revoked_at_ms = ?2 WHERE family = ?1 AND revoked_at_ms IS NULL";
    session.execute(sql, params![family, now_ms])?;
    Ok(())
}
