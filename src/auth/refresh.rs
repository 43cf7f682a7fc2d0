//! Signing in and staying signed in: every sign-in starts a family of refresh tokens, of which only the
//! newest is good.

use uuid::Uuid;

use super::secret::{hash, random_text};
use super::token::{Claims, NewToken};
use super::{ACCESS_TTL_MS, Auth, AuthError, REFRESH_TTL_MS, Role};
use crate::store::{RefreshRecord, Rotation};

/// What somebody gets who signed in, or refreshed.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The JWT.
    pub access_token: String,
    /// What it says.
    pub claims: Claims,
    /// Good for one refresh.
    pub refresh_token: String,
    /// Until when, Unix milliseconds.
    pub refresh_expires_at_ms: u64,
}

// No tokens in logs.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("claims", &self.claims).finish_non_exhaustive()
    }
}

impl Auth {
    /// Signs in with name and password.
    pub async fn login(&self, name: &str, password: &str, now_ms: u64) -> Result<Grant, AuthError> {
        let user = self.check_password(name, password).await?;
        self.start_family(user.name, user.role, true, now_ms).await
    }

    /// Signs in with a one-time login link's token.
    pub async fn exchange(&self, login_token: &str, now_ms: u64) -> Result<Grant, AuthError> {
        let link = self.login_links.take(login_token, now_ms).ok_or(AuthError::BadLoginLink)?;
        self.start_family(link.subject, link.role, false, now_ms).await
    }

    /// Exchanges a refresh token for a new pair. One that was used before revokes its family: one of the two
    /// who had it is a thief.
    pub async fn refresh(&self, refresh_token: &str, now_ms: u64) -> Result<Grant, AuthError> {
        let fresh = random_text();
        let expires_at_ms = now_ms + REFRESH_TTL_MS;
        let rotation =
            self.store.rotate_refresh_token(hash(refresh_token), hash(&fresh), now_ms, expires_at_ms).await?;
        match rotation {
            Rotation::Rotated(record) => {
                let role = parse_role(&record.role)?;
                self.grant(record.subject, role, fresh, expires_at_ms, now_ms)
            }
            Rotation::Unknown => Err(AuthError::BadRefreshToken),
            Rotation::Expired => Err(AuthError::RefreshExpired),
            Rotation::Revoked | Rotation::UserDisabled => Err(AuthError::Revoked),
            Rotation::Reused { subject, family } => {
                tracing::warn!(%subject, %family, "a refresh token was used twice; its family is revoked");
                Err(AuthError::RefreshReused)
            }
        }
    }

    /// Signs out: revokes the access token and the refresh token's family, whichever are given. What is
    /// unknown or no longer good needs no revoking.
    pub async fn logout(
        &self,
        access_token: Option<&str>,
        refresh_token: Option<&str>,
        now_ms: u64,
    ) -> Result<(), AuthError> {
        if let Some(claims) = access_token.and_then(|token| self.tokens.verify(token, now_ms).ok()) {
            self.revoke(&claims, now_ms).await?;
        }
        if let Some(token) = refresh_token {
            self.store.revoke_refresh_token(hash(token), now_ms).await?;
        }
        Ok(())
    }

    async fn start_family(
        &self,
        subject: String,
        role: Role,
        is_user: bool,
        now_ms: u64,
    ) -> Result<Grant, AuthError> {
        let token = random_text();
        let expires_at_ms = now_ms + REFRESH_TTL_MS;
        let record = RefreshRecord {
            hash: hash(&token),
            family: Uuid::new_v4().simple().to_string(),
            subject: subject.clone(),
            role: role.as_str().to_owned(),
            is_user,
            created_at_ms: now_ms,
            expires_at_ms,
        };
        self.store.add_refresh_token(record).await?;
        self.grant(subject, role, token, expires_at_ms, now_ms)
    }

    fn grant(
        &self,
        subject: String,
        role: Role,
        refresh_token: String,
        refresh_expires_at_ms: u64,
        now_ms: u64,
    ) -> Result<Grant, AuthError> {
        let new = NewToken { subject, role, node: None, topics: None, ttl_ms: ACCESS_TTL_MS };
        let (access_token, claims) = self.tokens.issue(new, now_ms)?;
        Ok(Grant { access_token, claims, refresh_token, refresh_expires_at_ms })
    }
}

fn parse_role(role: &str) -> Result<Role, AuthError> {
    role.parse().map_err(|error| AuthError::Internal(format!("a refresh token: {error}")))
}
