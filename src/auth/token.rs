//! Access tokens: JWTs, signed and verified in one place.

use std::path::Path;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::{KeyError, load_given, load_or_make};
use super::pattern::TopicPattern;
use super::role::Role;
use crate::protocol::codes::Code;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Longest life of a token: from then on a revocation of all of its subject's tokens is of no use.
pub const TOKEN_TTL_MS_MAX: u64 = 366 * 24 * 60 * 60 * 1_000;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who it speaks for.
    pub sub: String,
    /// What they may, by default.
    pub role: Role,
    /// The one node an agent may send samples of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Narrows what the role may; never widens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<TopicClaims>,
    /// When it was issued, Unix seconds.
    pub iat: u64,
    /// When it runs out, Unix seconds: from then on it is refused.
    pub exp: u64,
    /// Names the token, for revocation.
    pub jti: String,
}

/// The topics a token is narrowed to. A list that is left out allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicClaims {
    /// Patterns of topics it may publish to.
    #[serde(default)]
    pub publish: Vec<TopicPattern>,
    /// Patterns of topics it may subscribe to.
    #[serde(default)]
    pub subscribe: Vec<TopicPattern>,
}

impl Claims {
    /// When it runs out, Unix milliseconds.
    pub fn expires_at_ms(&self) -> u64 {
        self.exp.saturating_mul(1_000)
    }

    /// When it was issued, Unix milliseconds.
    pub fn issued_at_ms(&self) -> u64 {
        self.iat.saturating_mul(1_000)
    }

    /// What the connections of a hub without authentication (`--dev`) have: admin, subject `dev`, no end.
    pub fn development() -> Self {
        Self {
            sub: "dev".into(),
            role: Role::Admin,
            node: None,
            topics: None,
            iat: 0,
            exp: u64::MAX / 1_000,
            jti: "dev".into(),
        }
    }
}

/// Why a token is not accepted. None of the texts repeats any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any real one.
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    /// Not three parts of base64url and JSON.
    #[error("the token is malformed")]
    Malformed,
    /// Not the algorithm of this hub; `none` is one such.
    #[error("the token is not signed with HS256")]
    Algorithm,
    /// Signed with another key, or altered.
    #[error("the signature of the token is wrong")]
    Signature,
    /// A claim is missing or not what it should be.
    #[error("a claim of the token is missing or wrong: {0}")]
    Claims(String),
    /// It ran out.
    #[error("the token expired at {at}", at = crate::clock::rfc3339(*.expired_at_ms))]
    Expired {
        /// Unix milliseconds.
        expired_at_ms: u64,
    },
    /// Asked to live longer than any token may.
    #[error("a token may live at most {} days", TOKEN_TTL_MS_MAX / 86_400_000)]
    TtlTooLong,
    /// It cannot be signed: a mistake of the hub's own.
    #[error("the token cannot be signed")]
    Signing,
}

impl TokenError {
    /// The row in the table of error codes.
    pub fn code(&self) -> Code {
        match self {
            Self::Expired { .. } => Code::TokenExpired,
            Self::TtlTooLong => Code::InvalidField,
            Self::Signing => Code::Internal,
            _ => Code::Unauthorized,
        }
    }
}

/// What a new token should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Who it speaks for.
    pub subject: String,
    /// What they may.
    pub role: Role,
    /// The node of an agent.
    pub node: Option<String>,
    /// Narrowing, if any.
    pub topics: Option<TopicClaims>,
    /// How long it lives, at most [`TOKEN_TTL_MS_MAX`]; whole seconds, at least one.
    pub ttl_ms: u64,
}

/// Signs and verifies. The keys are prepared once.
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// With the key of a data directory, which is made when it is missing.
    pub fn open(data_directory: &Path) -> Result<Self, KeyError> {
        Ok(Self::with_key(&load_or_make(data_directory)?))
    }

    /// With the key in a file that several hub nodes are given: a token of one is good on all.
    pub fn open_given(key_file: &Path) -> Result<Self, KeyError> {
        Ok(Self::with_key(&load_given(key_file)?))
    }

    /// With this key.
    pub fn with_key(key: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time is compared in `verify`, against the caller's clock and without leeway.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { signing: EncodingKey::from_secret(key), verifying: DecodingKey::from_secret(key), validation }
    }

    /// Signs a new token; returns it with what it says.
    pub fn issue(&self, new: NewToken, now_ms: u64) -> Result<(String, Claims), TokenError> {
        if new.ttl_ms > TOKEN_TTL_MS_MAX {
            return Err(TokenError::TtlTooLong);
        }
        let iat = now_ms / 1_000;
        let claims = Claims {
            sub: new.subject,
            role: new.role,
            node: new.node,
            topics: new.topics,
            iat,
            exp: iat.saturating_add((new.ttl_ms / 1_000).max(1)),
            jti: Uuid::new_v4().simple().to_string(),
        };
        let token = encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|_key_or_json| TokenError::Signing)?;
        Ok((token, claims))
    }

    /// The one place where tokens are trusted: signature, claims, end of life at `now_ms`. Revocation is
    /// [`super::Auth::authenticate`]'s.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let decoded = decode::<Claims>(token, &self.verifying, &self.validation);
        let claims = decoded.map_err(|error| refusal(token, error))?.claims;
        if claims.sub.is_empty() || claims.jti.is_empty() {
            return Err(TokenError::Claims("sub and jti must not be empty".into()));
        }
        if claims.expires_at_ms() <= now_ms {
            return Err(TokenError::Expired { expired_at_ms: claims.expires_at_ms() });
        }
        Ok(claims)
    }
}

fn refusal(token: &str, error: jsonwebtoken::errors::Error) -> TokenError {
    match error.into_kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::UnsupportedAlgorithm => {
            TokenError::Algorithm
        }
        // JSON is wrong in the header, before the signature was looked at, or in the claims after it.
        ErrorKind::Json(error) => match decode_header(token) {
            Ok(_) => TokenError::Claims(error.to_string()),
            Err(_) if error.is_data() => TokenError::Algorithm,
            Err(_) => TokenError::Malformed,
        },
        _ => TokenError::Malformed,
    }
}

// No key in logs.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
