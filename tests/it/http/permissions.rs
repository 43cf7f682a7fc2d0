//! Every route with every role against the table, and the document against the table.

use std::collections::BTreeSet;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use infrawatch::auth::Role;
use infrawatch::auth::permission::{Access, ROUTES};
use infrawatch::ownership::Unit;
use serde_json::Value;

use super::Scene;

/// A path that the route serves; what it names does not exist.
fn sample(path: &str) -> String {
    path.replace("{room}", "nowhere")
        .replace("{doc}", "nothing")
        .replace("{client_id}", "nobody")
        .replace("{id}", "nothing")
        .replace("{name}", "nothing")
}

/// Whether the door in front of the handler refused.
fn refusal(status: u16, text: &str) -> Option<u16> {
    let detail =
        serde_json::from_str::<Value>(text).ok().and_then(|p| p["detail"].as_str().map(str::to_owned));
    let detail = detail.unwrap_or_default();
    let at_door = detail.starts_with("no token:") || detail.ends_with("may not do this");
    at_door.then_some(status)
}

#[test]
fn every_unit_of_the_table_is_one() {
    let units: BTreeSet<_> = ROUTES.iter().filter_map(|rule| rule.unit).collect();
    assert!(units.into_iter().all(|unit| Unit::named(unit).is_some()));
}

#[actix_web::test]
async fn every_route_lets_in_the_roles_of_its_row_and_nobody_else() {
    let scene = Scene::open().await;
    let mut roles: Vec<Option<Role>> = Role::ALL.into_iter().map(Some).collect();
    roles.push(None);
    for rule in ROUTES {
        for role in &roles {
            for path in [sample(rule.path), format!("{}/", sample(rule.path))] {
                let method: Method = rule.method.parse().unwrap();
                let request = match role {
                    Some(role) => scene.ask(*role, method, &path),
                    None => TestRequest::with_uri(&path).method(method),
                };
                let answer = scene.send(request).await;
                let expected = match (rule.access, role) {
                    (Access::Public, _) => None,
                    (Access::Roles(roles), Some(role)) if roles.contain(*role) => None,
                    (Access::Roles(_), Some(_)) => Some(403),
                    (Access::Roles(_), None) => Some(401),
                };
                let name = role.map_or("nobody", Role::as_str);
                let found = refusal(answer.status, &answer.text);
                assert_eq!(found, expected, "{} {path} as {name}: {}", rule.method, answer.text);
                let is_routed = !answer.text.contains("there is nothing at") && answer.status != 405;
                assert!(is_routed, "{} {path} reached no handler: {}", rule.method, answer.text);
            }
        }
    }
}

#[actix_web::test]
async fn no_spelling_of_a_path_gets_past_its_row() {
    let scene = Scene::open().await;
    for path in [
        "/api/v1/nod%65s",
        "/api/v1/nodes/",
        "/api/v1/%6eodes",
        "/api//v1/nodes",
        "/api/v1/nodes//",
        "/api/v1/./nodes",
        "/api/v1/x/../nodes",
        "/API/v1/nodes",
        "//api/v1/nodes",
        "/api/v1/nodes?x=/healthz",
        "/api/v1/nodes%2f",
    ] {
        let answer = scene.send(TestRequest::with_uri(path)).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {} {}", answer.status, answer.text);
    }
}

#[actix_web::test]
async fn head_counts_as_get() {
    let scene = Scene::open().await;
    let head = |role| scene.ask(role, Method::HEAD, "/api/v1/nodes");
    assert_eq!(scene.send(head(Role::Viewer)).await.status, 200);
    assert_eq!(scene.send(head(Role::Agent)).await.status, 403);
}

#[actix_web::test]
async fn a_token_that_is_not_good_is_told_why() {
    let scene = Scene::open().await;
    let services = &scene.state.services;
    let now_ms = services.clock.unix_ms();
    let new = |ttl_ms| infrawatch::auth::NewToken {
        subject: "ann".into(),
        role: Role::Viewer,
        node: None,
        topics: None,
        ttl_ms,
    };
    let (expired, _) = services.auth.issue(new(1_000), now_ms - 60_000).unwrap();
    let (revoked, claims) = services.auth.issue(new(60_000), now_ms).unwrap();
    services.auth.revoke(&claims, now_ms).await.unwrap();
    let (good, _) = services.auth.issue(new(60_000), now_ms).unwrap();
    let forged = format!("{}x", &good[..good.len() - 1]);
    for (header, code) in [
        (format!("Bearer {expired}"), "token_expired"),
        (format!("Bearer {revoked}"), "token_revoked"),
        (format!("Bearer {forged}"), "unauthorized"),
        ("Bearer x.y.z".to_owned(), "unauthorized"),
        (format!("Basic {good}"), "unauthorized"),
        (String::new(), "unauthorized"),
    ] {
        let request = TestRequest::with_uri("/api/v1/nodes").insert_header(("authorization", header));
        let answer = scene.send(request).await;
        answer.problem(401, code);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.text.contains("eyJ"), "no token in the answer");
    }
    let request =
        TestRequest::with_uri("/api/v1/nodes").insert_header(("authorization", format!("bearer {good}")));
    assert_eq!(scene.send(request).await.status, 200);
}

#[actix_web::test]
async fn in_development_everybody_is_admin() {
    let scene = Scene::with(|options| options.dev = true).await;
    assert_eq!(scene.send(TestRequest::with_uri("/api/v1/nodes")).await.status, 200);
    let answer = scene.post_openly("/api/v1/connections/refresh", &serde_json::json!({})).await;
    let grant = answer.json();
    assert_eq!((answer.status, &grant["subject"], &grant["role"]), (200, &"dev".into(), &"admin".into()));
    assert!(grant["access_token"].is_null() && grant["expires_at"].is_null());
    let rebound = TestRequest::with_uri("/api/v1/nodes").insert_header(("host", "evil.example:5050"));
    scene.send(rebound).await.problem(403, "origin_refused");
}

#[actix_web::test]
async fn the_document_and_the_table_have_the_same_routes_and_rules() {
    let scene = Scene::open().await;
    let document = scene.send(TestRequest::with_uri("/api/openapi.json")).await.json();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array().or(document["security"].as_array()).unwrap();
            let is_public = security.iter().any(|one| one.as_object().unwrap().is_empty());
            described.insert((method.to_uppercase(), path.clone(), is_public));
            for (status, answer) in operation["responses"].as_object().unwrap() {
                assert!(answer["description"].is_string(), "{method} {path} {status} needs a description");
            }
            assert!(operation["summary"].is_string(), "{method} {path} needs a summary");
        }
    }
    let in_table: BTreeSet<_> = ROUTES
        .iter()
        .map(|rule| (rule.method.to_owned(), rule.path.to_owned(), rule.access == Access::Public))
        .collect();
    assert_eq!(described, in_table);
}

#[actix_web::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let scene = Scene::open().await;
    let answer = scene.send(TestRequest::with_uri("/api/openapi.json")).await;
    let document = answer.json();
    let references: BTreeSet<&str> =
        answer.text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}
