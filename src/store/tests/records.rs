//! Nodes, sessions, users, tokens.

use super::super::{NodeRecord, RefreshRecord, Rotation, SessionRecord, StoreError, UserRecord};
use super::{Backend, fixture, on_each};

on_each!(
    nodes_keep_their_first_and_newest_sighting,
    a_node_is_of_the_hub_that_took_it_last,
    sessions_are_replaced_ended_and_forgotten,
    the_newest_connection_of_a_session_counts_whichever_hub_it_was_at,
    a_user_name_is_taken_once,
    of_two_rotations_at_the_same_time_one_wins_and_then_the_family_is_void,
    a_refresh_token_ends_with_its_time_and_with_its_user,
    revocations_are_kept_until_they_are_of_no_use,
);

fn node(name: &str, last_seen_ms: u64) -> NodeRecord {
    NodeRecord {
        name: name.into(),
        state: "online".into(),
        source: "agent".into(),
        labels: [("region".to_owned(), "eu".to_owned())].into(),
        inventory: Some(serde_json::json!({"hostname": name, "cpu_cores": 4})),
        interval_ms: 1_000,
        ttl_ms: 15_000,
        first_seen_ms: last_seen_ms,
        last_seen_ms,
        hub: "one".into(),
        transitions: vec![serde_json::json!({ "to": "online" })],
    }
}

async fn a_node_is_of_the_hub_that_took_it_last(backend: Backend) {
    let f = fixture(backend);
    assert_eq!(f.store.take_node("web-1", "one").await, Ok(None), "not known yet");
    f.store.put_node(node("web-1", 100)).await.unwrap();
    assert_eq!(f.store.touch_node("web-1", "one", "online", 200).await, Ok(true));
    let taken = f.store.take_node("web-1", "two").await.unwrap().unwrap();
    assert_eq!(taken, NodeRecord { hub: "two".into(), last_seen_ms: 200, ..node("web-1", 100) });
    assert_eq!(f.store.touch_node("web-1", "one", "online", 300).await, Ok(false));
    assert_eq!(
        f.store.silence_node("web-1", "one", ("online", "late"), &[]).await,
        Ok(false),
        "it is heard elsewhere"
    );
    let steps = [serde_json::json!({ "to": "late" })];
    assert_eq!(f.store.silence_node("web-1", "two", ("online", "late"), &steps).await, Ok(true));
    assert_eq!(
        f.store.silence_node("web-1", "two", ("online", "late"), &steps).await,
        Ok(false),
        "said once"
    );
    assert_eq!(
        f.store.touch_node("web-1", "two", "online", 300).await,
        Ok(false),
        "it is not what it was taken for"
    );
    f.store.put_node(NodeRecord { hub: "three".into(), ..node("web-2", 1) }).await.unwrap();
    f.store
        .put_node(NodeRecord { state: "offline".into(), hub: "gone".into(), ..node("web-3", 1) })
        .await
        .unwrap();
    let orphans = async |hubs: &[&str], limit| {
        let hubs = hubs.iter().map(|hub| (*hub).to_owned()).collect();
        let found = f.store.orphaned_nodes(hubs, limit).await.unwrap().into_iter();
        found.map(|node| (node.name, node.transitions)).collect::<Vec<_>>()
    };
    assert_eq!(orphans(&["three"], 9).await, [("web-1".to_owned(), steps.to_vec())]);
    assert_eq!(
        (orphans(&["two", "three"], 9).await.len(), orphans(&[], 9).await.len(), orphans(&[], 1).await.len()),
        (0, 2, 1)
    );
    let mut states = f.store.node_states().await.unwrap();
    states.sort();
    assert_eq!(states, [("late".to_owned(), 1), ("offline".to_owned(), 1), ("online".to_owned(), 1)]);
}

async fn nodes_keep_their_first_and_newest_sighting(backend: Backend) {
    let f = fixture(backend);
    f.store.put_node(node("web-1", 100)).await.unwrap();
    assert_eq!(f.store.node("web-1").await.unwrap(), Some(node("web-1", 100)));
    f.store
        .put_node(NodeRecord { state: "late".into(), inventory: None, ..node("web-1", 90) })
        .await
        .unwrap();
    f.store.touch_nodes(vec![("web-1".into(), 500), ("nobody".into(), 500)]).await.unwrap();
    f.store.touch_nodes(vec![("web-1".into(), 400)]).await.unwrap();
    let expected =
        NodeRecord { state: "late".into(), inventory: None, last_seen_ms: 500, ..node("web-1", 100) };
    assert_eq!(f.store.node("web-1").await.unwrap(), Some(expected));

    f.store.put_node(node("web-3", 1)).await.unwrap();
    f.store.put_node(node("web-2", 1)).await.unwrap();
    let names = |nodes: Vec<NodeRecord>| nodes.into_iter().map(|node| node.name).collect::<Vec<_>>();
    assert_eq!(names(f.store.nodes(None, 2).await.unwrap()), ["web-1", "web-2"]);
    assert_eq!(names(f.store.nodes(Some("web-2"), 2).await.unwrap()), ["web-3"]);
    assert_eq!(
        (f.store.delete_node("web-3").await, f.store.delete_node("web-3").await),
        (Ok(true), Ok(false))
    );
}

fn session(client_id: &str, disconnected_at_ms: Option<u64>) -> SessionRecord {
    SessionRecord {
        client_id: client_id.into(),
        subject: "alice".into(),
        role: "viewer".into(),
        remote_address: Some("127.0.0.1".into()),
        connected_at_ms: 10,
        disconnected_at_ms,
        reconnects: 2,
        state: r#"{"began_ms":10}"#.into(),
        hub: "one".into(),
    }
}

async fn sessions_are_replaced_ended_and_forgotten(backend: Backend) {
    let f = fixture(backend);
    f.store.put_sessions(vec![session("a", None), session("b", Some(50)), session("c", None)]).await.unwrap();
    f.store.put_sessions(vec![session("a", Some(60))]).await.unwrap();
    assert_eq!(f.store.session("a").await.unwrap(), Some(session("a", Some(60))));
    assert_eq!(f.store.end_sessions(100).await.unwrap(), 1, "only c was open");
    assert_eq!(f.store.session("c").await.unwrap(), Some(session("c", Some(100))));
    assert_eq!(f.store.prune_sessions(60).await.unwrap(), ["b"]);
    assert_eq!(f.store.sessions(Some("a"), 10).await.unwrap(), [session("c", Some(100))]);
    assert_eq!(f.store.sessions(None, 1).await.unwrap(), [session("a", Some(60))]);
}

async fn the_newest_connection_of_a_session_counts_whichever_hub_it_was_at(backend: Backend) {
    let f = fixture(backend);
    let put = |record: SessionRecord| f.store.put_sessions(vec![record]);
    let at = |hub: &str, connected_at_ms: u64| SessionRecord {
        hub: hub.into(),
        connected_at_ms,
        ..session("a", None)
    };
    put(at("one", 10)).await.unwrap();
    put(at("two", 11)).await.unwrap();
    put(SessionRecord { disconnected_at_ms: Some(12), ..at("one", 10) }).await.unwrap();
    put(at("one", 11)).await.unwrap();
    assert_eq!(f.store.session("a").await.unwrap(), Some(at("two", 11)), "the former hub comes late");
    put(at("two", 9)).await.unwrap();
    assert_eq!(f.store.session("a").await.unwrap(), Some(at("two", 9)), "a hub's own clock may go back");
    f.store.put_sessions(vec![SessionRecord { hub: "three".into(), ..session("b", None) }]).await.unwrap();
    assert_eq!(f.store.sessions_of("alice", 9).await.unwrap().len(), 2);
    assert_eq!(f.store.sessions_of("bob", 9).await.unwrap(), []);
    assert_eq!(f.store.end_sessions_without(vec!["two".into()], 50).await.unwrap(), 1);
    let ended = f.store.session("b").await.unwrap().unwrap();
    assert_eq!(ended.disconnected_at_ms, Some(50), "its hub is gone");
}

fn user(name: &str) -> UserRecord {
    UserRecord {
        name: name.into(),
        role: "operator".into(),
        password_hash: "$argon2id$secret".into(),
        created_at_ms: 5,
        disabled: false,
    }
}

async fn a_user_name_is_taken_once(backend: Backend) {
    let f = fixture(backend);
    f.store.add_user(user("alice")).await.unwrap();
    let again = f.store.add_user(UserRecord { role: "admin".into(), ..user("alice") }).await;
    assert_eq!(again, Err(StoreError::Conflict("user \"alice\" exists already".into())));
    assert_eq!(f.store.user("alice").await.unwrap(), Some(user("alice")));
    assert!(f.store.set_user_disabled("alice", true).await.unwrap());
    assert!(f.store.set_user_password("alice", "new").await.unwrap());
    assert!(!f.store.set_user_disabled("bob", true).await.unwrap());
    let changed = UserRecord { disabled: true, password_hash: "new".into(), ..user("alice") };
    assert_eq!(f.store.users(None, 10).await.unwrap(), [changed]);
    assert!(!format!("{:?}", user("alice")).contains("argon2"), "the hash is in no log");
}

fn refresh(hash: u8) -> RefreshRecord {
    RefreshRecord {
        hash: [hash; 32],
        family: "f1".into(),
        subject: "link".into(),
        role: "admin".into(),
        is_user: false,
        created_at_ms: 0,
        expires_at_ms: 1_000,
    }
}

async fn of_two_rotations_at_the_same_time_one_wins_and_then_the_family_is_void(backend: Backend) {
    let f = fixture(backend);
    f.store.add_refresh_token(refresh(1)).await.unwrap();
    let (first, second) = (
        f.store.rotate_refresh_token([1; 32], [2; 32], 10, 2_000),
        f.store.rotate_refresh_token([1; 32], [3; 32], 10, 2_000),
    );
    let fresh = RefreshRecord { hash: [2; 32], created_at_ms: 10, expires_at_ms: 2_000, ..refresh(1) };
    assert_eq!(first.await.unwrap(), Rotation::Rotated(fresh));
    let reused = Rotation::Reused { subject: "link".into(), family: "f1".into() };
    assert_eq!(second.await.unwrap(), reused);
    let rotate = |old: u8| f.store.rotate_refresh_token([old; 32], [9; 32], 20, 2_000);
    assert_eq!(rotate(2).await.unwrap(), Rotation::Revoked, "the winner's too");
    assert_eq!(rotate(3).await.unwrap(), Rotation::Unknown, "the loser never got one");
}

async fn a_refresh_token_ends_with_its_time_and_with_its_user(backend: Backend) {
    let f = fixture(backend);
    f.store.add_refresh_token(refresh(1)).await.unwrap();
    let rotate = |old: u8, now_ms| f.store.rotate_refresh_token([old; 32], [old + 1; 32], now_ms, 9_000);
    assert_eq!(rotate(1, 1_000).await.unwrap(), Rotation::Expired);
    f.store.add_user(user("alice")).await.unwrap();
    let of_user =
        RefreshRecord { subject: "alice".into(), family: "f2".into(), is_user: true, ..refresh(10) };
    f.store.add_refresh_token(of_user).await.unwrap();
    let Rotation::Rotated(fresh) = rotate(10, 5).await.unwrap() else { panic!("it was good") };
    assert_eq!(fresh.role, "operator", "the user's current role");
    f.store.set_user_disabled("alice", true).await.unwrap();
    assert_eq!(rotate(11, 6).await.unwrap(), Rotation::UserDisabled);
    assert_eq!(rotate(11, 7).await.unwrap(), Rotation::Revoked);
}

async fn revocations_are_kept_until_they_are_of_no_use(backend: Backend) {
    let f = fixture(backend);
    f.store.revoke_token("short", 100).await.unwrap();
    f.store.revoke_token("long", 300).await.unwrap();
    f.store.revoke_subject("alice", 50, 200).await.unwrap();
    f.store.add_refresh_token(RefreshRecord { expires_at_ms: 150, ..refresh(1) }).await.unwrap();
    let kept = f.store.revocations(100).await.unwrap();
    assert_eq!(kept.tokens, [("long".to_owned(), 300)]);
    assert_eq!(kept.subjects, [("alice".to_owned(), 50, 200)]);
    assert_eq!(f.store.prune_tokens(200).await.unwrap(), 3);
    assert_eq!(f.store.prune_tokens(200).await.unwrap(), 0);
}
