use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::FutureExt;
use rusqlite::Connection;

use crate::auth::*;
use crate::store::{Store, StoreOptions};

const NOW_MS: u64 = 1_795_223_722_000;
const PASSWORD: &str = "correct horse";

struct Fixture {
    auth: Auth,
    store: Store,
    directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("infrawatch.db"), &StoreOptions::default(), 0).unwrap();
    let auth = reopen(&store, &directory).await;
    Fixture { auth, store, directory }
}

async fn reopen(store: &Store, directory: &tempfile::TempDir) -> Auth {
    Auth::open(Tokens::open(directory.path()).unwrap(), store.clone(), NOW_MS).await.unwrap()
}

impl Fixture {
    async fn with_alice(self) -> Self {
        self.auth.add_user("alice", PASSWORD, Role::Operator, NOW_MS).await.unwrap();
        self
    }
}

#[tokio::test]
async fn a_user_signs_in_with_the_right_password_only() {
    let f = fixture().await.with_alice().await;
    let grant = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let claims = f.auth.authenticate(&grant.access_token, NOW_MS).unwrap();
    assert_eq!((claims.sub.as_str(), claims.role), ("alice", Role::Operator));
    assert_eq!(claims.expires_at_ms(), NOW_MS + ACCESS_TTL_MS);
    for (name, password) in
        [("alice", "wrong horse"), ("alice", ""), ("bob", PASSWORD), ("", PASSWORD), ("a b", "x")]
    {
        let error = f.auth.login(name, password, NOW_MS).await.unwrap_err();
        assert_eq!(error, AuthError::BadCredentials, "{name} {password}");
    }
    assert!(!format!("{grant:?}").contains(&grant.refresh_token[..8]), "no token in a log");
}

#[tokio::test]
async fn a_disabled_user_is_out_everywhere() {
    let f = fixture().await.with_alice().await;
    let grant = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    assert!(f.auth.set_user_disabled("alice", true, NOW_MS + 1_000).await.unwrap());
    assert_eq!(f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap_err(), AuthError::BadCredentials);
    assert_eq!(f.auth.refresh(&grant.refresh_token, NOW_MS).await.unwrap_err(), AuthError::Revoked);
    assert_eq!(f.auth.authenticate(&grant.access_token, NOW_MS).unwrap_err(), AuthError::Revoked);
    f.auth.set_user_disabled("alice", false, NOW_MS).await.unwrap();
    let again = f.auth.login("alice", PASSWORD, NOW_MS + 1_000).await.unwrap();
    f.auth.authenticate(&again.access_token, NOW_MS + 1_000).unwrap();
}

#[tokio::test]
async fn users_have_rules() {
    let f = fixture().await.with_alice().await;
    let add = async |name: &str, password: &str, role| f.auth.add_user(name, password, role, NOW_MS).await;
    assert_eq!(add("alice", PASSWORD, Role::Admin).await.unwrap_err().code(), Code::Conflict);
    for name in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
        assert!(matches!(add(name, PASSWORD, Role::Viewer).await, Err(AuthError::Invalid(_))), "{name:?}");
    }
    assert!(matches!(add("bob", "short", Role::Viewer).await, Err(AuthError::Invalid(_))));
    assert!(matches!(add("bob", PASSWORD, Role::Agent).await, Err(AuthError::Invalid(_))));
    add("bob@example.org", PASSWORD, Role::Viewer).await.unwrap();
    let users = f.auth.users(None, 10).await.unwrap();
    let users: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.role)).collect();
    assert_eq!(users, [("alice", Role::Operator), ("bob@example.org", Role::Viewer)]);
}

#[tokio::test]
async fn a_login_link_signs_in_once_and_its_session_goes_on() {
    let f = fixture().await;
    let token = f.auth.login_links().make("owner", Role::Admin, NOW_MS);
    let grant = f.auth.exchange(&token, NOW_MS).await.unwrap();
    assert_eq!((grant.claims.sub.as_str(), grant.claims.role), ("owner", Role::Admin));
    assert_eq!(f.auth.exchange(&token, NOW_MS).await.unwrap_err(), AuthError::BadLoginLink);
    let next = f.auth.refresh(&grant.refresh_token, NOW_MS + 1_000).await.unwrap();
    assert_eq!((next.claims.sub.as_str(), next.claims.role), ("owner", Role::Admin));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_voids_the_family() {
    let f = fixture().await.with_alice().await;
    let first = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let elsewhere = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let second = f.auth.refresh(&first.refresh_token, NOW_MS + 1_000).await.unwrap();
    let third = f.auth.refresh(&second.refresh_token, NOW_MS + 2_000).await.unwrap();
    assert_eq!(third.refresh_expires_at_ms, NOW_MS + 2_000 + REFRESH_TTL_MS);

    let reused = f.auth.refresh(&first.refresh_token, NOW_MS + 3_000).await.unwrap_err();
    assert_eq!((&reused, reused.code()), (&AuthError::RefreshReused, Code::TokenRevoked));
    assert_eq!(f.auth.refresh(&third.refresh_token, NOW_MS + 4_000).await.unwrap_err(), AuthError::Revoked);
    f.auth.refresh(&elsewhere.refresh_token, NOW_MS + 4_000).await.expect("another sign-in goes on");
    for unknown in ["", "x", &first.refresh_token[1..]] {
        assert_eq!(f.auth.refresh(unknown, NOW_MS).await.unwrap_err(), AuthError::BadRefreshToken);
    }
}

#[tokio::test]
async fn a_refresh_token_ends_after_thirty_days() {
    let f = fixture().await.with_alice().await;
    let grant = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let end_ms = NOW_MS + 30 * 86_400_000;
    let late = f.auth.refresh(&grant.refresh_token, end_ms).await.unwrap_err();
    assert_eq!((&late, late.code()), (&AuthError::RefreshExpired, Code::TokenExpired));
    f.auth.refresh(&grant.refresh_token, end_ms - 1).await.unwrap();
}

#[tokio::test]
async fn signing_out_takes_both_tokens_back_for_good() {
    let f = fixture().await.with_alice().await;
    let grant = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let other = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let watch = f.auth.revocations().watch();
    f.auth.logout(Some(&grant.access_token), Some(&grant.refresh_token), NOW_MS).await.unwrap();
    assert!(watch.has_changed().unwrap(), "live connections are told");
    assert_eq!(f.auth.authenticate(&grant.access_token, NOW_MS).unwrap_err(), AuthError::Revoked);
    assert_eq!(f.auth.refresh(&grant.refresh_token, NOW_MS).await.unwrap_err(), AuthError::Revoked);
    f.auth.authenticate(&other.access_token, NOW_MS).unwrap();

    let restarted = reopen(&f.store, &f.directory).await;
    assert_eq!(restarted.authenticate(&grant.access_token, NOW_MS).unwrap_err(), AuthError::Revoked);
    restarted.authenticate(&other.access_token, NOW_MS).unwrap();
    restarted.logout(Some("nonsense"), Some("nonsense"), NOW_MS).await.unwrap();
    restarted.logout(None, None, NOW_MS).await.unwrap();
}

#[tokio::test]
async fn what_another_process_revokes_is_learnt() {
    let f = fixture().await.with_alice().await;
    let grant = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap();
    let other = reopen(&f.store, &f.directory).await;
    other.set_user_disabled("alice", true, NOW_MS + 1_000).await.unwrap();
    f.auth.authenticate(&grant.access_token, NOW_MS + 1_000).unwrap();
    f.auth.maintain(NOW_MS + 1_000).await.unwrap();
    assert_eq!(f.auth.authenticate(&grant.access_token, NOW_MS + 1_000).unwrap_err(), AuthError::Revoked);
}

#[tokio::test]
async fn a_store_that_fails_is_no_way_in() {
    let f = fixture().await.with_alice().await;
    f.store.close().await;
    let error = f.auth.login("alice", PASSWORD, NOW_MS).await.unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
}

#[tokio::test]
async fn others_are_told_of_what_is_taken_back_when_they_can_read_it() {
    let f = fixture().await;
    let told = Arc::new(AtomicUsize::new(0));
    let counts = told.clone();
    f.auth.tell(Box::new(move || _ = counts.fetch_add(1, Relaxed)));
    let new =
        NewToken { subject: "alice".into(), role: Role::Viewer, node: None, topics: None, ttl_ms: 1_000 };
    let (_, claims) = f.auth.issue(new, NOW_MS).unwrap();
    let lock = Connection::open(f.directory.path().join("infrawatch.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut one = pin!(f.auth.revoke(&claims, NOW_MS));
    let mut all = pin!(f.auth.revoke_subject("alice", NOW_MS));
    assert!(one.as_mut().now_or_never().is_none() && all.as_mut().now_or_never().is_none());
    assert_eq!(told.load(Relaxed), 0, "it is not in the store");
    drop(lock);
    one.await.unwrap();
    all.await.unwrap();
    assert_eq!(told.load(Relaxed), 2);
}
