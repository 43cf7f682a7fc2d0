//! *The* tables of who may what: role by frame type, role by route, role by topic. Each has a check function;
//! nothing else in the hub decides about permissions.

use super::pattern::{covers, overlaps};
use super::role::Role::{Admin, Agent, Operator, Viewer};
use super::role::{Role, Roles};
use super::token::Claims;

/// Who may send a type of frame.
#[derive(Debug, Clone, Copy)]
pub struct FrameRule {
    /// The type on the wire.
    pub frame_type: &'static str,
    /// Roles that may send it. What it names (a topic, a room, a node) is checked besides.
    pub roles: Roles,
}

const PEOPLE: Roles = Roles::of(&[Viewer, Operator, Admin]);
const OPERATORS: Roles = Roles::of(&[Operator, Admin]);
/// What breaks the hub on purpose takes more than operating it: a scenario closes everybody's connections or refuses
/// all writes.
const ADMINS: Roles = Roles::of(&[Admin]);
/// Whose samples they may be is checked besides.
const SAMPLERS: Roles = Roles::of(&[Admin, Agent]);
const ALL: Roles = Roles::of(&[Viewer, Operator, Admin, Agent]);

const fn frame(frame_type: &'static str, roles: Roles) -> FrameRule {
    FrameRule { frame_type, roles }
}

/// Every type that clients send.
pub const FRAMES: &[FrameRule] = &[
    frame("ping", ALL),
    frame("subscribe", ALL),
    frame("unsubscribe", ALL),
    frame("join_room", PEOPLE),
    frame("leave_room", PEOPLE),
    frame("room_message", PEOPLE),
    frame("publish", OPERATORS),
    frame("metrics", SAMPLERS),
    frame("sync_get", PEOPLE),
    frame("sync_put", OPERATORS),
    frame("ack", ALL),
    frame("history", PEOPLE),
    frame("presence", PEOPLE),
    frame("refresh", ALL),
];

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, also without a token.
    Public,
    /// These roles.
    Roles(Roles),
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct RouteRule {
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path as in the OpenAPI document; `{...}` stands for one segment.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The unit that it concerns: of several hub nodes the owner answers, whichever is asked. `None`: each for itself.
    pub unit: Option<&'static str>,
}

const fn route(method: &'static str, path: &'static str, access: Access) -> RouteRule {
    RouteRule { method, path, access, unit: None }
}

/// One that needs what the owner of rules and alerts has in memory, or changes it.
const fn alerts(method: &'static str, path: &'static str, access: Access) -> RouteRule {
    RouteRule { unit: Some("alerts"), ..route(method, path, access) }
}

/// Every route. Of two that fit a path the earlier one counts.
pub const ROUTES: &[RouteRule] = &[
    // These four are how one gets, keeps and gives back a token: the secret is in the body or the cookie.
    route("POST", "/api/v1/connections/login", Access::Public),
    route("POST", "/api/v1/connections/exchange", Access::Public),
    route("POST", "/api/v1/connections/refresh", Access::Public),
    route("POST", "/api/v1/connections/logout", Access::Public),
    route("GET", "/api/v1/connections/stats", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/connections/list", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/connections/rooms", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/connections/rooms/{room}", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/connections/rooms/{room}/history", Access::Roles(PEOPLE)),
    route("DELETE", "/api/v1/connections/{client_id}", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/streaming/metrics/current", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/streaming/metrics/history", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/streaming/poll", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/streaming/sse", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/streaming/topics", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/streaming/alerts", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/streaming/alerts", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/streaming/deployments", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/events/publish", Access::Roles(OPERATORS)),
    alerts("GET", "/api/v1/rules", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/rules", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/rules/bulk", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/rules/preview", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/test/rule", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/templates", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/templates", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/templates/{id}", Access::Roles(PEOPLE)),
    route("PUT", "/api/v1/templates/{id}", Access::Roles(OPERATORS)),
    route("DELETE", "/api/v1/templates/{id}", Access::Roles(OPERATORS)),
    alerts("GET", "/api/v1/rules/{id}", Access::Roles(PEOPLE)),
    alerts("PUT", "/api/v1/rules/{id}", Access::Roles(OPERATORS)),
    alerts("DELETE", "/api/v1/rules/{id}", Access::Roles(OPERATORS)),
    alerts("GET", "/api/v1/rules/{id}/explain", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/metrics/ingest", Access::Roles(SAMPLERS)),
    alerts("POST", "/api/v1/metrics/simulate", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/alerts", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/alerts", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/alerts/bulk-update", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/alerts/simulate", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/alerts/{id}/acknowledge", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/alerts/{id}/resolve", Access::Roles(OPERATORS)),
    alerts("GET", "/api/v1/heartbeats", Access::Roles(PEOPLE)),
    alerts("GET", "/api/v1/heartbeats/{name}", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/heartbeats/{name}", Access::Roles(OPERATORS)),
    alerts("DELETE", "/api/v1/heartbeats/{name}", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/alerts/active", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/alerts/search", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/alerts/statistics", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/alerts/export", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/alerts/{id}", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/alerts/{id}/history", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/suppression", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/suppression", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/suppression/{id}", Access::Roles(PEOPLE)),
    alerts("PUT", "/api/v1/suppression/{id}", Access::Roles(OPERATORS)),
    alerts("DELETE", "/api/v1/suppression/{id}", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/inhibitions", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/inhibitions", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/inhibitions/{id}", Access::Roles(PEOPLE)),
    alerts("PUT", "/api/v1/inhibitions/{id}", Access::Roles(OPERATORS)),
    alerts("DELETE", "/api/v1/inhibitions/{id}", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/escalation-policies", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v1/escalation-policies", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/escalation-policies/{id}", Access::Roles(PEOPLE)),
    alerts("PUT", "/api/v1/escalation-policies/{id}", Access::Roles(OPERATORS)),
    alerts("DELETE", "/api/v1/escalation-policies/{id}", Access::Roles(OPERATORS)),
    route("GET", "/api/v2/alerts", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v2/alerts", Access::Roles(OPERATORS)),
    route("GET", "/api/v2/alerts/groups", Access::Roles(PEOPLE)),
    route("GET", "/api/v2/silences", Access::Roles(PEOPLE)),
    alerts("POST", "/api/v2/silences", Access::Roles(OPERATORS)),
    route("GET", "/api/v2/silence/{id}", Access::Roles(PEOPLE)),
    alerts("DELETE", "/api/v2/silence/{id}", Access::Roles(OPERATORS)),
    route("GET", "/api/v2/receivers", Access::Roles(PEOPLE)),
    route("GET", "/api/v2/status", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/events", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/events/offline/{client_id}", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/events/sync", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/events/sync/{doc}", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/operations/overview", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/operations/degrade", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/operations/recover", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/operations/simulate", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/operations/demo", Access::Roles(OPERATORS)),
    alerts("POST", "/api/v1/operations/e2e", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/testing/start", Access::Roles(OPERATORS)),
    route("POST", "/api/v1/testing/chaos/reconnect", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/testing/limits", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/testing/runs", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/testing/runs/{id}", Access::Roles(PEOPLE)),
    route("POST", "/api/v1/testing/runs/{id}/stop", Access::Roles(OPERATORS)),
    route("GET", "/api/v1/performance/snapshot", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/performance/stats", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/performance/cache", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/performance/prometheus", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/supervision", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/nodes", Access::Roles(PEOPLE)),
    route("GET", "/api/v1/nodes/{id}", Access::Roles(PEOPLE)),
    route("GET", "/api/sim/scenarios", Access::Roles(PEOPLE)),
    route("GET", "/api/sim/status", Access::Roles(PEOPLE)),
    route("POST", "/api/sim/enable", Access::Roles(ADMINS)),
    route("POST", "/api/sim/disable", Access::Roles(ADMINS)),
    route("POST", "/api/sim/reset", Access::Roles(ADMINS)),
    // Probes and scrapers have no token; none of these shows what was sampled or published.
    route("GET", "/api/health", Access::Public),
    route("GET", "/healthz", Access::Public),
    route("GET", "/readyz", Access::Public),
    route("GET", "/metrics", Access::Public),
    route("GET", "/api/openapi.json", Access::Public),
    route("GET", "/docs", Access::Public),
    route("GET", "/ws/{client_id}", Access::Roles(ALL)),
];

/// Topics of a role: what a pattern of `allow` names and none of `deny` does.
#[derive(Debug, Clone, Copy)]
pub struct TopicRule {
    /// Patterns that are allowed.
    pub allow: &'static [&'static str],
    /// Patterns that are not, whatever `allow` says.
    pub deny: &'static [&'static str],
    /// Whether the caller's own `client:` topic is allowed all the same.
    pub own_client: bool,
    /// Whether the caller's own `user:` topic is allowed all the same.
    pub own_user: bool,
}

const NOTHING: TopicRule = TopicRule { allow: &[], deny: &[], own_client: false, own_user: false };
const EVERYTHING: TopicRule = TopicRule { allow: &["*"], deny: &[], own_client: true, own_user: true };

/// Topics that belong to one client or person.
const PERSONAL: &[&str] = &["client:*", "user:*"];

/// Topics that only the hub itself publishes to.
pub const HUB_OWNED: &[&str] =
    &["metrics_update", "metrics:*", "nodes", "system", "alerts_*", "notifications", "testing"];

/// Topics whose messages come out of something else (shared state): nobody publishes to them, whoever it is.
const DERIVED: &[&str] = &["sync:*"];

const ALL_BUT_PERSONAL: TopicRule =
    TopicRule { allow: &["*"], deny: PERSONAL, own_client: true, own_user: true };

/// What a role may subscribe to, without narrowing by its token.
pub const fn subscribe_rule(role: Role) -> TopicRule {
    match role {
        Viewer | Operator => ALL_BUT_PERSONAL,
        Admin => EVERYTHING,
        Agent => TopicRule { own_client: true, ..NOTHING },
    }
}

/// What a role may publish to, without narrowing by its token.
pub const fn publish_rule(role: Role) -> TopicRule {
    match role {
        Viewer => TopicRule { allow: &["room:*"], ..NOTHING },
        // Personal topics included: that is how an application reaches one person.
        Operator => TopicRule { allow: &["*"], deny: HUB_OWNED, ..NOTHING },
        Admin => EVERYTHING,
        Agent => NOTHING,
    }
}

/// Whether the role may send frames of this type; an unknown type may nobody.
pub fn may_send(role: Role, frame_type: &str) -> bool {
    FRAMES.iter().find(|rule| rule.frame_type == frame_type).is_some_and(|rule| rule.roles.contain(role))
}

/// Whether the caller may subscribe to a topic, or to all that a wildcard (`metrics:*`) names: for subscribe,
/// history, presence, recovery. `client_id` is that of the connection, where there is one.
pub fn may_subscribe(claims: &Claims, client_id: Option<&str>, topic: &str) -> bool {
    let claimed = claims.topics.as_ref();
    claimed.is_none_or(|topics| topics.subscribe.iter().any(|pattern| pattern.covers(topic)))
        && rule_allows(&subscribe_rule(claims.role), claims, client_id, topic)
}

/// Whether the caller may publish to a topic: for publish and room messages.
pub fn may_publish(claims: &Claims, topic: &str) -> bool {
    !DERIVED.iter().any(|pattern| covers(pattern, topic)) && may_write(claims, topic)
}

/// Whether the caller may cause messages on a topic: for publish, room messages, and shared state, where what
/// is published is the hub's own.
pub fn may_write(claims: &Claims, topic: &str) -> bool {
    may_cause(claims, topic) && rule_allows(&publish_rule(claims.role), claims, None, topic)
}

/// Whether the caller's token does not narrow publishing so that this topic is left out: for what the hub
/// publishes on behalf of a caller whose role may call the route.
pub fn may_cause(claims: &Claims, topic: &str) -> bool {
    claims.topics.as_ref().is_none_or(|topics| topics.publish.iter().any(|pattern| pattern.covers(topic)))
}

/// Whether the caller may send samples of this node: an admin of any, an agent of the one its token names.
pub fn may_report(claims: &Claims, node: &str) -> bool {
    match claims.role {
        Admin => true,
        Agent => claims.node.as_deref() == Some(node),
        Viewer | Operator => false,
    }
}

/// The position in [`ROUTES`] of the route that serves this; with or without a slash at the end.
/// `HEAD` counts as `GET`.
pub fn find_route(method: &str, path: &str) -> Option<usize> {
    let method = if method == "HEAD" { "GET" } else { method };
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    ROUTES.iter().position(|rule| rule.method == method && path_fits(rule.path, path))
}

/// Whether somebody with this role (`None`: without a token) may call the route at this position of [`ROUTES`].
pub fn may_call(role: Option<Role>, route_index: usize) -> bool {
    match (ROUTES.get(route_index).map(|rule| rule.access), role) {
        (Some(Access::Public), _) => true,
        (Some(Access::Roles(roles)), Some(role)) => roles.contain(role),
        (Some(Access::Roles(_)), None) | (None, _) => false,
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let fits = pattern.split('/').all(|wanted| {
        segments.next().is_some_and(|segment| {
            if wanted.starts_with('{') { !segment.is_empty() } else { wanted == segment }
        })
    });
    fits && segments.next().is_none()
}

fn rule_allows(rule: &TopicRule, claims: &Claims, client_id: Option<&str>, topic: &str) -> bool {
    if topic.is_empty() {
        return false;
    }
    // A name that is empty, or a wildcard that somebody carries as a name, is nobody's own.
    let is_own =
        |owner: &str, own: Option<&str>| own == Some(owner) && !owner.is_empty() && !owner.contains('*');
    let own_client = topic.strip_prefix("client:").is_some_and(|owner| is_own(owner, client_id));
    let own_user = topic.strip_prefix("user:").is_some_and(|owner| is_own(owner, Some(&claims.sub)));
    if (rule.own_client && own_client) || (rule.own_user && own_user) {
        return true;
    }
    rule.allow.iter().any(|pattern| covers(pattern, topic))
        && !rule.deny.iter().any(|pattern| overlaps(pattern, topic))
}
