use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::auth::*;

const KEY: [u8; 32] = [7; 32];
const NOW_MS: u64 = 1_795_223_722_000;

fn new(ttl_ms: u64) -> NewToken {
    NewToken {
        subject: "alice".into(),
        role: Role::Operator,
        node: Some("web-1".into()),
        topics: Some(TopicClaims {
            publish: vec![TopicPattern::parse("room:*").unwrap()],
            subscribe: vec![TopicPattern::parse("*").unwrap()],
        }),
        ttl_ms,
    }
}

/// Signs any header and claims with any algorithm of the HMAC family.
fn sign(algorithm: Algorithm, key: &[u8], claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(key)).unwrap()
}

fn claims() -> Value {
    json!({"sub": "alice", "role": "viewer", "iat": NOW_MS / 1_000, "exp": NOW_MS / 1_000 + 60, "jti": "j"})
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn verify(token: &str) -> Result<Claims, TokenError> {
    Tokens::with_key(&KEY).verify(token, NOW_MS)
}

#[test]
fn what_was_issued_is_verified_with_all_it_says() {
    let tokens = Tokens::with_key(&KEY);
    let (token, issued) = tokens.issue(new(90_000), NOW_MS).unwrap();
    assert_eq!(tokens.verify(&token, NOW_MS).unwrap(), issued);
    assert_eq!(issued.expires_at_ms(), NOW_MS + 90_000);
    assert_eq!((issued.sub.as_str(), issued.node.as_deref()), ("alice", Some("web-1")));
    assert_ne!(tokens.issue(new(90_000), NOW_MS).unwrap().1.jti, issued.jti);
}

#[test]
fn the_end_is_exact() {
    let tokens = Tokens::with_key(&KEY);
    let (token, _) = tokens.issue(new(60_000), NOW_MS).unwrap();
    assert!(tokens.verify(&token, NOW_MS + 59_999).is_ok());
    let expired = tokens.verify(&token, NOW_MS + 60_000).unwrap_err();
    assert_eq!(expired, TokenError::Expired { expired_at_ms: NOW_MS + 60_000 });
    assert_eq!(expired.to_string(), "the token expired at 2026-11-21T01:16:22.000Z");
}

#[test]
fn a_life_has_a_least_and_a_most() {
    let tokens = Tokens::with_key(&KEY);
    assert_eq!(tokens.issue(new(0), NOW_MS).unwrap().1.expires_at_ms(), NOW_MS + 1_000);
    assert!(tokens.issue(new(TOKEN_TTL_MS_MAX), NOW_MS).is_ok());
    assert_eq!(tokens.issue(new(TOKEN_TTL_MS_MAX + 1), NOW_MS).unwrap_err(), TokenError::TtlTooLong);
}

#[test]
fn other_algorithms_are_refused_whatever_signed_them() {
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert_eq!(verify(&sign(algorithm, &KEY, &claims())), Err(TokenError::Algorithm), "{algorithm:?}");
    }
    let signed = sign(Algorithm::HS256, &KEY, &claims());
    let (_, signature) = signed.rsplit_once('.').unwrap();
    for alg in ["none", "None", "NONE", "nOnE", "RS256", "ES256", "PS256", "EdDSA", "", "HS256 "] {
        let front = format!("{}.{}", part(&json!({"alg": alg, "typ": "JWT"})), part(&claims()));
        for end in ["", signature] {
            let error = verify(&format!("{front}.{end}")).unwrap_err();
            assert_eq!(error, TokenError::Algorithm, "{alg:?}");
        }
    }
}

#[test]
fn another_key_or_an_altered_token_is_refused() {
    assert_eq!(verify(&sign(Algorithm::HS256, &[8; 32], &claims())), Err(TokenError::Signature));
    assert_eq!(verify(&sign(Algorithm::HS256, b"", &claims())), Err(TokenError::Signature));
    let token = sign(Algorithm::HS256, &KEY, &claims());
    assert!(verify(&token).is_ok());
    let parts: Vec<_> = token.split('.').collect();
    let mut admin = claims();
    admin["role"] = "admin".into();
    assert_eq!(verify(&format!("{}.{}.{}", parts[0], part(&admin), parts[2])), Err(TokenError::Signature));
    for position in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        // The last character carries bits that belong to no byte; a decoder must not ignore them.
        assert!(verify(&altered).is_err(), "position {position}");
    }
    for cut in 0..token.len() {
        assert!(verify(&token[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "...", "a.b.c", "bearer", "\0\0.\0.\0", "ü.ü.ü", "e30.e30.e30"] {
        let error = verify(text).unwrap_err();
        assert_eq!(error.code(), Code::Unauthorized, "{text:?}: {error}");
    }
    assert_eq!(verify(&"a".repeat(1 << 20)), Err(TokenError::TooLong));
}

#[test]
fn every_claim_is_checked() {
    let change = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        verify(&sign(Algorithm::HS256, &KEY, &changed))
    };
    for name in ["sub", "role", "iat", "exp", "jti"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        let error = verify(&sign(Algorithm::HS256, &KEY, &without)).unwrap_err();
        assert!(matches!(&error, TokenError::Claims(text) if text.contains(name)), "{error}");
    }
    for (name, value) in [
        ("role", json!("root")),
        ("role", json!(3)),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("jti", json!("")),
        ("node", json!(["a", "b"])),
        ("topics", json!("*")),
        ("topics", json!({"publish": ["a*b"]})),
        ("topics", json!({"publsh": ["*"]})),
    ] {
        let error = change(name, value.clone()).unwrap_err();
        assert!(matches!(error, TokenError::Claims(_)), "{name} {value}: {error}");
        assert_eq!(error.code(), Code::Unauthorized);
    }
    assert!(change("more", json!("ignored")).is_ok());
    assert_eq!(change("topics", json!({})).unwrap().topics, Some(TopicClaims::default()));
    assert!(matches!(change("exp", json!(1)), Err(TokenError::Expired { expired_at_ms: 1_000 })));
}

#[test]
fn no_text_repeats_the_token() {
    let token = sign(Algorithm::HS256, &[8; 32], &claims());
    let error = verify(&token).unwrap_err();
    assert!(!error.to_string().contains(&token[..10]));
    assert!(!format!("{:?}", Tokens::with_key(&KEY)).contains('7'));
}
