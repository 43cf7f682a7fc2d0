//! Tokens that must not open anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use infrawatch::auth::{NewToken, Role, Tokens};
use infrawatch::clock::system_unix_ms;
use serde_json::json;

use crate::hub::Hub;

const HOUR_MS: u64 = 3_600_000;

fn admin(tokens: &Tokens, issued_ms: u64) -> String {
    let new =
        NewToken { subject: "admin".into(), role: Role::Admin, node: None, topics: None, ttl_ms: HOUR_MS };
    tokens.issue(new, issued_ms).unwrap().0
}

/// Of this hub, good until a second ago.
pub(super) fn expired(hub: &Hub) -> String {
    admin(&Tokens::open(&hub.data_dir()).unwrap(), system_unix_ms() - HOUR_MS - 1_000)
}

/// Signed with another key.
pub(super) fn forged() -> String {
    admin(&Tokens::with_key(&[7; 32]), system_unix_ms())
}

/// A viewer's token of this hub that calls itself an admin's.
pub(super) fn altered(hub: &Hub) -> String {
    let token = hub.token("viewer");
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let claims = URL_SAFE_NO_PAD.encode(claims.replace("\"role\":\"viewer\"", "\"role\":\"admin\""));
    format!("{header}.{claims}.{signature}")
}

/// `"alg": "none"`, with every claim as it should be.
pub(super) fn unsigned() -> String {
    let now_s = system_unix_ms() / 1_000;
    let claims = json!({ "sub": "admin", "role": "admin", "iat": now_s, "exp": now_s + 3_600, "jti": "1" });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(json!({ "alg": "none", "typ": "JWT" })), part(claims))
}
