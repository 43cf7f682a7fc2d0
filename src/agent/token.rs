//! The agent's token: carried, never shown, read only for the name of the node.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::AgentError;

/// A token that shows itself to nobody: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentToken(String);

/// What the agent reads from its token. The hub verifies it; the agent cannot.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) node: Option<String>,
    /// Expiry in seconds since 1970.
    pub(super) exp: Option<u64>,
}

impl AgentToken {
    /// Takes the token as it was printed, with or without surrounding white space. Empty means none (`serve --dev`).
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// Whether there is a token at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// The claims, unverified. None are there without a token.
    pub(super) fn claims(&self) -> Result<Claims, AgentError> {
        if self.is_empty() {
            return Ok(Claims::default());
        }
        let bad = |problem| AgentError::Token { problem };
        let [_, payload, _] = self.0.split('.').collect::<Vec<_>>()[..] else {
            return Err(bad("it does not have the three parts of a JWT"));
        };
        let Ok(json) = URL_SAFE_NO_PAD.decode(payload) else {
            return Err(bad("its payload is not base64url"));
        };
        serde_json::from_slice(&json).or(Err(bad("its payload is not a set of claims")))
    }
}

impl fmt::Debug for AgentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "no token" } else { "a token" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> AgentToken {
        AgentToken::new(&format!(" e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn the_node_is_read_from_the_claims() {
        let claims = token(r#"{"sub":"agent","role":"agent","node":"web-1","exp":7}"#).claims().unwrap();
        assert_eq!((claims.node.as_deref(), claims.exp), (Some("web-1"), Some(7)));
        assert_eq!(token("{}").claims().unwrap().node, None);
        assert_eq!(AgentToken::new("").claims().unwrap().node, None);
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        for text in ["secret", "a.b", "a.!secret!.c", "a.c2VjcmV0.c", "a.b.c.d"] {
            let error = AgentToken::new(text).claims().unwrap_err().to_string();
            assert!(error.starts_with("the token cannot be used: it"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(format!("{:?}", AgentToken::new("secret")), "a token");
    }
}
