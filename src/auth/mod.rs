//! Who somebody is and what they may.
//!
//! - [`Tokens`]: access tokens (JWT), signed and verified in one place
//! - [`permission`]: the tables role by frame type, by route, by topic, and their check functions
//! - [`Auth`]: signing in, refreshing, signing out, revoking; users over the store
//!
//! Secrets are compared in constant time, kept as hashes, and in no error or log.

pub mod permission;

mod key;
mod login_link;
mod password;
mod pattern;
mod refresh;
mod revocation;
mod role;
mod secret;
#[cfg(test)]
mod tests;
mod token;
mod users;

use std::sync::{Arc, OnceLock};

pub use key::{KEY_FILE, KeyError};
pub use login_link::{LOGIN_LINK_TTL_MS, LoginLink, LoginLinks};
pub use password::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN, Passwords};
pub use pattern::{PatternError, TopicPattern};
pub use refresh::Grant;
pub use revocation::Revocations;
pub use role::{Role, Roles, UnknownRole};
pub use token::{Claims, NewToken, TOKEN_TTL_MS_MAX, TokenError, Tokens, TopicClaims};
pub use users::{USER_NAME_CHARS_MAX, User};

use crate::fault::Faults;
use crate::protocol::codes::Code;
use crate::store::{Store, StoreError};
use crate::telemetry::Counter;

/// How long an access token of a sign-in lives.
pub const ACCESS_TTL_MS: u64 = 15 * 60 * 1_000;

/// How long a refresh token lives; every rotation starts anew.
pub const REFRESH_TTL_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Why somebody is not let in. None of the texts repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The access token is not accepted.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// Unknown or disabled user, or another password.
    #[error("wrong user name or password")]
    BadCredentials,
    /// Unknown, used or too old.
    #[error("the login link is unknown, was used already, or is too old")]
    BadLoginLink,
    /// Nobody was given this refresh token.
    #[error("the refresh token is unknown")]
    BadRefreshToken,
    /// The refresh token ran out.
    #[error("the refresh token expired; sign in again")]
    RefreshExpired,
    /// The refresh token had been used; its family is revoked.
    #[error("the refresh token was used already; sign in again")]
    RefreshReused,
    /// Too many passwords are being checked.
    #[error("too many sign-ins at the same time")]
    Busy,
    /// A name, password or role breaks the rules.
    #[error("{0}")]
    Invalid(String),
    /// Durable state did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A mistake of the hub's own.
    #[error("{0}")]
    Internal(String),
}

impl AuthError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Token(error) => error.code(),
            Self::Revoked | Self::RefreshReused => Code::TokenRevoked,
            Self::BadCredentials => Code::BadCredentials,
            Self::BadLoginLink | Self::BadRefreshToken => Code::Unauthorized,
            Self::RefreshExpired => Code::TokenExpired,
            Self::Busy => Code::RateLimited,
            Self::Invalid(_) => Code::InvalidField,
            Self::Store(error) => error.code(),
            Self::Internal(_) => Code::Internal,
        }
    }
}

/// Everything that concerns tokens and users. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    tokens: Arc<Tokens>,
    store: Store,
    passwords: Passwords,
    revocations: Arc<Revocations>,
    login_links: Arc<LoginLinks>,
    told: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
    faults: Option<Arc<Faults>>,
}

impl Auth {
    /// Loads what was revoked.
    pub async fn open(tokens: Tokens, store: Store, now_ms: u64) -> Result<Self, AuthError> {
        let revocations = Revocations::new(store.revocations(now_ms).await?);
        Ok(Self {
            tokens: Arc::new(tokens),
            store,
            passwords: Passwords::default(),
            revocations: Arc::new(revocations),
            login_links: Arc::default(),
            told: Arc::default(),
            faults: None,
        })
    }

    /// The same, in a hub in which tokens may count as expired on purpose.
    #[must_use]
    pub fn with_faults(mut self, faults: Option<Arc<Faults>>) -> Self {
        self.faults = faults;
        self
    }

    /// Whether a token counts as expired before its time.
    pub fn is_expired_early(&self, claims: &Claims) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.is_token_expired(claims.issued_at_ms()))
    }

    /// Whose token this is: verified, not run out at `now_ms`, not taken back. Takes microseconds and never waits.
    pub fn authenticate(&self, token: &str, now_ms: u64) -> Result<Claims, AuthError> {
        let claims = self.tokens.verify(token, now_ms)?;
        if self.revocations.contain(&claims) {
            return Err(AuthError::Revoked);
        }
        if self.is_expired_early(&claims) {
            Counter::FaultsInjected.add_for("expired_tokens", 1);
            return Err(TokenError::Expired { expired_at_ms: now_ms }.into());
        }
        Ok(claims)
    }

    /// Signs a token of any kind, as `infrawatch token` does.
    pub fn issue(&self, new: NewToken, now_ms: u64) -> Result<(String, Claims), AuthError> {
        Ok(self.tokens.issue(new, now_ms)?)
    }

    /// The one-time tokens of login links.
    pub fn login_links(&self) -> &LoginLinks {
        &self.login_links
    }

    /// What is taken back; its [`Revocations::watch`] tells live connections to ask again.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// For every minute or so: forgets what ran out, and learns what another process (`infrawatch user`)
    /// took back meanwhile.
    pub async fn maintain(&self, now_ms: u64) -> Result<(), AuthError> {
        self.store.prune_tokens(now_ms).await?;
        self.learn(now_ms).await
    }

    /// Learns what others on the same store took back.
    pub async fn learn(&self, now_ms: u64) -> Result<(), AuthError> {
        self.revocations.merge(self.store.revocations(now_ms).await?, now_ms);
        Ok(())
    }

    /// Calls that whenever something is taken back here and in the store: others are to [`Auth::learn`] it. Once.
    pub fn tell(&self, told: Box<dyn Fn() + Send + Sync>) {
        // There is one hub around it.
        drop(self.told.set(told));
    }

    fn tell_others(&self) {
        if let Some(told) = self.told.get() {
            told();
        }
    }

    /// Takes back one access token: at once here, and durable when this is ready.
    pub async fn revoke(&self, claims: &Claims, now_ms: u64) -> Result<(), AuthError> {
        self.revocations.add_token(&claims.jti, claims.expires_at_ms(), now_ms);
        self.store.revoke_token(&claims.jti, claims.expires_at_ms()).await?;
        self.tell_others();
        Ok(())
    }

    /// Takes back every access and refresh token of a subject issued until now: at once here, and durable
    /// when this is ready.
    pub async fn revoke_subject(&self, subject: &str, now_ms: u64) -> Result<(), AuthError> {
        let expires_at_ms = now_ms + TOKEN_TTL_MS_MAX;
        self.revocations.add_subject(subject, now_ms, expires_at_ms, now_ms);
        self.store.revoke_subject(subject, now_ms, expires_at_ms).await?;
        self.tell_others();
        Ok(())
    }
}
