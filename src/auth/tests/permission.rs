//! Each table against what it should be, cell by cell. The expectations are written out a second time on
//! purpose: a change of a permission must be made twice.

use crate::auth::permission::*;
use crate::auth::{Claims, Role, TopicClaims, TopicPattern};
use crate::protocol::client::FrameType;

/// v: viewer, o: operator, a: admin, g: agent, -: without a token.
fn expected(letters: &str, role: Option<Role>) -> bool {
    letters.contains(match role {
        Some(Role::Viewer) => 'v',
        Some(Role::Operator) => 'o',
        Some(Role::Admin) => 'a',
        Some(Role::Agent) => 'g',
        None => '-',
    })
}

fn claims(role: Role) -> Claims {
    Claims { sub: "alice".into(), role, ..Claims::development() }
}

#[test]
fn every_frame_type_for_every_role() {
    let table = [
        ("ping", "voag"),
        ("subscribe", "voag"),
        ("unsubscribe", "voag"),
        ("join_room", "voa"),
        ("leave_room", "voa"),
        ("room_message", "voa"),
        ("publish", "oa"),
        ("metrics", "ag"),
        ("sync_get", "voa"),
        ("sync_put", "oa"),
        ("ack", "voag"),
        ("history", "voa"),
        ("presence", "voa"),
        ("refresh", "voag"),
    ];
    assert_eq!(FRAMES.iter().map(|rule| rule.frame_type).collect::<Vec<_>>(), table.map(|row| row.0));
    for (frame_type, letters) in table {
        for role in Role::ALL {
            assert_eq!(may_send(role, frame_type), expected(letters, Some(role)), "{role} {frame_type}");
        }
    }
    for role in Role::ALL {
        assert!(!may_send(role, "") && !may_send(role, "connected") && !may_send(role, "Ping"));
    }
}

#[test]
fn every_frame_type_of_the_protocol_has_a_row() {
    for frame_type in FrameType::ALL {
        assert!(FRAMES.iter().any(|rule| rule.frame_type == frame_type.as_str()), "{frame_type:?}");
    }
}

/// Every route, and who may call it: v, o, a, g (agent), - (nobody in particular).
const ROUTES_AS_MEANT: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/connections/login", "voag-"),
    ("POST", "/api/v1/connections/exchange", "voag-"),
    ("POST", "/api/v1/connections/refresh", "voag-"),
    ("POST", "/api/v1/connections/logout", "voag-"),
    ("GET", "/api/v1/connections/stats", "voa"),
    ("GET", "/api/v1/connections/list", "voa"),
    ("GET", "/api/v1/connections/rooms", "voa"),
    ("GET", "/api/v1/connections/rooms/{room}", "voa"),
    ("GET", "/api/v1/connections/rooms/{room}/history", "voa"),
    ("DELETE", "/api/v1/connections/{client_id}", "oa"),
    ("GET", "/api/v1/streaming/metrics/current", "voa"),
    ("GET", "/api/v1/streaming/metrics/history", "voa"),
    ("GET", "/api/v1/streaming/poll", "voa"),
    ("GET", "/api/v1/streaming/sse", "voa"),
    ("GET", "/api/v1/streaming/topics", "voa"),
    ("GET", "/api/v1/streaming/alerts", "voa"),
    ("POST", "/api/v1/streaming/alerts", "oa"),
    ("POST", "/api/v1/streaming/deployments", "oa"),
    ("POST", "/api/v1/events/publish", "oa"),
    ("GET", "/api/v1/rules", "voa"),
    ("POST", "/api/v1/rules", "oa"),
    ("POST", "/api/v1/rules/bulk", "oa"),
    ("POST", "/api/v1/rules/preview", "voa"),
    ("POST", "/api/v1/test/rule", "voa"),
    ("GET", "/api/v1/templates", "voa"),
    ("POST", "/api/v1/templates", "oa"),
    ("GET", "/api/v1/templates/{id}", "voa"),
    ("PUT", "/api/v1/templates/{id}", "oa"),
    ("DELETE", "/api/v1/templates/{id}", "oa"),
    ("GET", "/api/v1/rules/{id}", "voa"),
    ("PUT", "/api/v1/rules/{id}", "oa"),
    ("DELETE", "/api/v1/rules/{id}", "oa"),
    ("GET", "/api/v1/rules/{id}/explain", "voa"),
    ("POST", "/api/v1/metrics/ingest", "ag"),
    ("POST", "/api/v1/metrics/simulate", "oa"),
    ("GET", "/api/v1/alerts", "voa"),
    ("POST", "/api/v1/alerts", "oa"),
    ("POST", "/api/v1/alerts/bulk-update", "oa"),
    ("POST", "/api/v1/alerts/simulate", "oa"),
    ("POST", "/api/v1/alerts/{id}/acknowledge", "oa"),
    ("POST", "/api/v1/alerts/{id}/resolve", "oa"),
    ("GET", "/api/v1/heartbeats", "voa"),
    ("GET", "/api/v1/heartbeats/{name}", "voa"),
    ("POST", "/api/v1/heartbeats/{name}", "oa"),
    ("DELETE", "/api/v1/heartbeats/{name}", "oa"),
    ("GET", "/api/v1/alerts/active", "voa"),
    ("POST", "/api/v1/alerts/search", "voa"),
    ("GET", "/api/v1/alerts/statistics", "voa"),
    ("POST", "/api/v1/alerts/export", "voa"),
    ("GET", "/api/v1/alerts/{id}", "voa"),
    ("GET", "/api/v1/alerts/{id}/history", "voa"),
    ("GET", "/api/v1/suppression", "voa"),
    ("POST", "/api/v1/suppression", "oa"),
    ("GET", "/api/v1/suppression/{id}", "voa"),
    ("PUT", "/api/v1/suppression/{id}", "oa"),
    ("DELETE", "/api/v1/suppression/{id}", "oa"),
    ("GET", "/api/v1/inhibitions", "voa"),
    ("POST", "/api/v1/inhibitions", "oa"),
    ("GET", "/api/v1/inhibitions/{id}", "voa"),
    ("PUT", "/api/v1/inhibitions/{id}", "oa"),
    ("DELETE", "/api/v1/inhibitions/{id}", "oa"),
    ("GET", "/api/v1/escalation-policies", "voa"),
    ("POST", "/api/v1/escalation-policies", "oa"),
    ("GET", "/api/v1/escalation-policies/{id}", "voa"),
    ("PUT", "/api/v1/escalation-policies/{id}", "oa"),
    ("DELETE", "/api/v1/escalation-policies/{id}", "oa"),
    ("GET", "/api/v2/alerts", "voa"),
    ("POST", "/api/v2/alerts", "oa"),
    ("GET", "/api/v2/alerts/groups", "voa"),
    ("GET", "/api/v2/silences", "voa"),
    ("POST", "/api/v2/silences", "oa"),
    ("GET", "/api/v2/silence/{id}", "voa"),
    ("DELETE", "/api/v2/silence/{id}", "oa"),
    ("GET", "/api/v2/receivers", "voa"),
    ("GET", "/api/v2/status", "voa"),
    ("GET", "/api/v1/events", "voa"),
    ("GET", "/api/v1/events/offline/{client_id}", "voa"),
    ("GET", "/api/v1/events/sync", "voa"),
    ("GET", "/api/v1/events/sync/{doc}", "voa"),
    ("GET", "/api/v1/operations/overview", "voa"),
    ("POST", "/api/v1/operations/degrade", "oa"),
    ("POST", "/api/v1/operations/recover", "oa"),
    ("POST", "/api/v1/operations/simulate", "oa"),
    ("POST", "/api/v1/operations/demo", "oa"),
    ("POST", "/api/v1/operations/e2e", "oa"),
    ("POST", "/api/v1/testing/start", "oa"),
    ("POST", "/api/v1/testing/chaos/reconnect", "oa"),
    ("GET", "/api/v1/testing/limits", "voa"),
    ("GET", "/api/v1/testing/runs", "voa"),
    ("GET", "/api/v1/testing/runs/{id}", "voa"),
    ("POST", "/api/v1/testing/runs/{id}/stop", "oa"),
    ("GET", "/api/v1/performance/snapshot", "voa"),
    ("GET", "/api/v1/performance/stats", "voa"),
    ("GET", "/api/v1/performance/cache", "voa"),
    ("GET", "/api/v1/performance/prometheus", "voa"),
    ("GET", "/api/v1/supervision", "voa"),
    ("GET", "/api/v1/nodes", "voa"),
    ("GET", "/api/v1/nodes/{id}", "voa"),
    ("GET", "/api/sim/scenarios", "voa"),
    ("GET", "/api/sim/status", "voa"),
    ("POST", "/api/sim/enable", "a"),
    ("POST", "/api/sim/disable", "a"),
    ("POST", "/api/sim/reset", "a"),
    ("GET", "/api/health", "voag-"),
    ("GET", "/healthz", "voag-"),
    ("GET", "/readyz", "voag-"),
    ("GET", "/metrics", "voag-"),
    ("GET", "/api/openapi.json", "voag-"),
    ("GET", "/docs", "voag-"),
    ("GET", "/ws/{client_id}", "voag"),
];

#[test]
fn every_route_for_every_role_and_without_one() {
    let routes: Vec<_> = ROUTES.iter().map(|rule| (rule.method, rule.path)).collect();
    let meant: Vec<_> = ROUTES_AS_MEANT.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(routes, meant);
    for (index, (method, path, letters)) in ROUTES_AS_MEANT.iter().enumerate() {
        for role in Role::ALL.into_iter().map(Some).chain([None]) {
            assert_eq!(may_call(role, index), expected(letters, role), "{role:?} {method} {path}");
        }
    }
    assert!(!may_call(Some(Role::Admin), ROUTES.len()));
}

#[test]
fn a_request_finds_its_route() {
    let found = |method: &str, path: &str| find_route(method, path).map(|index| ROUTES[index].path);
    for rule in ROUTES {
        let path =
            rule.path.replace("{room}", "lobby").replace("{client_id}", "c-1").replace("{id}", "web-1");
        assert_eq!(found(rule.method, &path), Some(rule.path));
        assert_eq!(found(rule.method, &format!("{path}/")), Some(rule.path));
    }
    assert_eq!(found("HEAD", "/healthz"), Some("/healthz"));
    assert_eq!(found("DELETE", "/api/v1/connections/stats"), Some("/api/v1/connections/{client_id}"));
    for (method, path) in [
        ("POST", "/healthz"),
        ("get", "/healthz"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/api/v1/nodes//"),
        ("GET", "/api/v1/nodes/a/b"),
        ("GET", "/api/v1"),
        ("DELETE", "/api/v1/connections/"),
        ("GET", "//api/v1/nodes"),
    ] {
        assert_eq!(found(method, path), None, "{method} {path}");
    }
}

#[test]
fn every_kind_of_topic_for_every_role() {
    // (topic, who may subscribe, who may publish); the connection is c-1, the subject alice.
    let table = [
        ("metrics_update", "voa", "a"),
        ("metrics:web-1", "voa", "a"),
        ("metrics:*", "voa", "a"),
        ("nodes", "voa", "a"),
        ("system", "voa", "a"),
        ("alerts_critical", "voa", "a"),
        ("alerts_info", "voa", "a"),
        ("notifications", "voa", "a"),
        ("testing", "voa", "a"),
        ("deployments", "voa", "oa"),
        ("events", "voa", "oa"),
        ("room:lobby", "voa", "voa"),
        ("room:*", "voa", "voa"),
        ("sync:board", "voa", ""),
        ("sync:*", "voa", ""),
        ("synch:board", "voa", "oa"),
        ("shop:orders", "voa", "oa"),
        ("client:c-1", "voag", "oa"),
        ("client:c-2", "a", "oa"),
        ("client:*", "a", "oa"),
        ("client:c-*", "a", "oa"),
        ("user:alice", "voa", "oa"),
        ("user:bob", "a", "oa"),
        ("user:*", "a", "oa"),
        ("*", "a", "a"),
        ("cl*", "a", "oa"),
        ("m*", "voa", "a"),
        ("", "", ""),
    ];
    for (topic, subscribe, publish) in table {
        for role in Role::ALL {
            let claims = claims(role);
            let may = (may_subscribe(&claims, Some("c-1"), topic), may_publish(&claims, topic));
            let wanted = (expected(subscribe, Some(role)), expected(publish, Some(role)));
            assert_eq!(may, wanted, "{role} {topic:?} (subscribe, publish)");
        }
    }
}

#[test]
fn shared_state_is_written_and_never_published() {
    for role in Role::ALL {
        let claims = claims(role);
        let wanted = expected("oa", Some(role));
        assert_eq!((may_write(&claims, "sync:board"), may_publish(&claims, "sync:board")), (wanted, false));
        assert_eq!(may_write(&claims, "events"), may_publish(&claims, "events"));
    }
}

#[test]
fn own_is_only_what_is_exactly_ones_own() {
    for role in [Role::Viewer, Role::Operator, Role::Agent] {
        let mine = claims(role);
        assert!(!may_subscribe(&mine, None, "client:c-1"), "a request has no connection");
        assert!(!may_subscribe(&mine, None, "client:"));
        assert!(!may_subscribe(&mine, Some(""), "client:"));
        let star = Claims { sub: "*".into(), ..claims(role) };
        assert!(!may_subscribe(&star, Some("*"), "user:*"));
        assert!(!may_subscribe(&star, Some("*"), "client:*"));
    }
}

#[test]
fn a_token_narrows_and_never_widens() {
    let patterns = |list: &[&str]| list.iter().map(|text| TopicPattern::parse(text).unwrap()).collect();
    let with = |role, publish: &[&str], subscribe: &[&str]| Claims {
        topics: Some(TopicClaims { publish: patterns(publish), subscribe: patterns(subscribe) }),
        ..claims(role)
    };
    let narrow = with(Role::Operator, &["shop:*"], &["metrics:web-*", "events"]);
    for (topic, subscribe, publish) in [
        ("shop:orders", false, true),
        ("events", true, false),
        ("metrics:web-1", true, false),
        ("metrics:db-1", false, false),
        ("metrics:*", false, false),
        ("metrics:web-*", true, false),
        ("user:alice", false, false),
    ] {
        assert_eq!(may_subscribe(&narrow, None, topic), subscribe, "subscribe {topic}");
        assert_eq!(may_publish(&narrow, topic), publish, "publish {topic}");
    }
    let wide = with(Role::Viewer, &["*"], &["*"]);
    assert!(!may_publish(&wide, "events") && !may_subscribe(&wide, None, "user:bob"));
    assert!(may_publish(&wide, "room:lobby") && may_subscribe(&wide, None, "events"));
    for role in Role::ALL {
        let nothing = with(role, &[], &[]);
        assert!(!may_publish(&nothing, "room:lobby") && !may_subscribe(&nothing, Some("c-1"), "client:c-1"));
    }
}

#[test]
fn samples_come_from_the_node_itself() {
    let of = |role, node: Option<&str>| Claims { node: node.map(str::to_owned), ..claims(role) };
    assert!(may_report(&of(Role::Agent, Some("web-1")), "web-1"));
    assert!(!may_report(&of(Role::Agent, Some("web-1")), "web-2"));
    assert!(!may_report(&of(Role::Agent, None), "web-1"), "no node of its own");
    assert!(may_report(&of(Role::Admin, None), "web-1"));
    for role in [Role::Viewer, Role::Operator] {
        assert!(!may_report(&of(role, Some("web-1")), "web-1"));
    }
}
