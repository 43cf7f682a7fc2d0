//! Signing in by name, by link and by cookie; refresh tokens rotate, and one that comes twice ends its family.

use actix_web::http::Method;
use actix_web::test::TestRequest;
use infrawatch::auth::Role;
use serde_json::{Value, json};

use super::{Answer, Scene};

const LOGIN: &str = "/api/v1/connections/login";
const REFRESH: &str = "/api/v1/connections/refresh";
const EXCHANGE: &str = "/api/v1/connections/exchange";
const LOGOUT: &str = "/api/v1/connections/logout";

async fn with_ann() -> Scene {
    let scene = Scene::open().await;
    let services = &scene.state.services;
    let now_ms = services.clock.unix_ms();
    services.auth.add_user("ann", "correct horse", Role::Operator, now_ms).await.unwrap();
    scene
}

async fn refresh(scene: &Scene, token: &Value) -> Answer {
    scene.post_openly(REFRESH, &json!({ "refresh_token": token })).await
}

/// Name, value and attributes of the one cookie that an answer sets.
fn cookie(answer: &Answer) -> (String, String) {
    let header = answer.header("set-cookie").to_owned();
    let (pair, attributes) = header.split_once("; ").unwrap_or_else(|| panic!("no cookie: {answer:?}"));
    let value = pair.strip_prefix("infrawatch_refresh=").unwrap();
    (value.to_owned(), attributes.to_owned())
}

fn with_cookie(path: &str, value: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(Method::POST)
        .insert_header(("cookie", format!("other=1; infrawatch_refresh={value}")))
}

#[actix_web::test]
async fn a_sign_in_gives_tokens_that_rotate_and_a_reused_one_ends_the_family() {
    let scene = with_ann().await;
    let answer = scene.post_openly(LOGIN, &json!({"username": "ann", "password": "correct horse"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.header("set-cookie").is_empty(), "asked for no cookie");
    let first = answer.json();
    assert_eq!(
        (&first["subject"], &first["role"], &first["token_type"]),
        (&json!("ann"), &json!("operator"), &json!("Bearer"))
    );
    let lives_ms = infrawatch::clock::parse_rfc3339(first["expires_at"].as_str().unwrap()).unwrap()
        - scene.state.services.clock.unix_ms();
    assert!((14 * 60_000..=15 * 60_000).contains(&lives_ms), "{lives_ms}");
    let bearer = format!("Bearer {}", first["access_token"].as_str().unwrap());
    let asked = TestRequest::with_uri("/api/v1/nodes").insert_header(("authorization", bearer));
    assert_eq!(scene.send(asked).await.status, 200);

    let second = refresh(&scene, &first["refresh_token"]).await.json();
    assert!(second["access_token"].is_string() && second["refresh_token"] != first["refresh_token"]);
    refresh(&scene, &first["refresh_token"]).await.problem(401, "token_revoked");
    refresh(&scene, &second["refresh_token"]).await.problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same() {
    let scene = with_ann().await;
    let mut answers = Vec::new();
    for (name, password) in [("ann", "wrong horse"), ("bob", "correct horse"), ("a b", "correct horse")] {
        let answer = scene.post_openly(LOGIN, &json!({"username": name, "password": password})).await;
        answers.push(answer.problem(401, "bad_credentials")["detail"].clone());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    scene.post_openly(LOGIN, &json!({"username": "ann"})).await.problem(400, "missing_field");
}

#[actix_web::test]
async fn too_many_sign_ins_of_one_address_are_told_to_wait() {
    let scene = Scene::with(|options| options.settings.http.logins_per_minute = 2).await;
    let body = json!({"username": "ann"});
    for _ in 0..2 {
        scene.post_openly(LOGIN, &body).await.problem(400, "missing_field");
    }
    let answer = scene.post_openly(LOGIN, &body).await;
    answer.problem(429, "rate_limited");
    let wait_s: u64 = answer.header("retry-after").parse().unwrap();
    assert!((25..=30).contains(&wait_s), "{wait_s}");

    let scene = Scene::with(|options| {
        options.settings.http.logins_per_minute = 2;
        options.rate_limits = false;
    })
    .await;
    for _ in 0..5 {
        scene.post_openly(LOGIN, &body).await.problem(400, "missing_field");
    }
}

#[actix_web::test]
async fn a_login_link_signs_in_once_and_leaves_a_cookie() {
    let scene = Scene::open().await;
    let services = &scene.state.services;
    let token = services.auth.login_links().make("admin", Role::Admin, services.clock.unix_ms());
    let answer = scene.post_openly(EXCHANGE, &json!({ "token": token })).await;
    let grant = answer.json();
    assert_eq!((&grant["subject"], &grant["role"]), (&json!("admin"), &json!("admin")));
    assert!(grant.get("refresh_token").is_none(), "it is in the cookie: {grant}");
    let (first, attributes) = cookie(&answer);
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/api/v1/connections"] {
        assert!(attributes.contains(attribute), "{attribute} in {attributes}");
    }
    scene.post_openly(EXCHANGE, &json!({ "token": token })).await.problem(401, "unauthorized");

    let answer = scene.send(with_cookie(REFRESH, &first)).await;
    assert!(answer.json()["access_token"].is_string() && answer.json().get("refresh_token").is_none());
    let (second, _) = cookie(&answer);
    assert_ne!(first, second);
    let answer = scene.send(with_cookie(REFRESH, &first)).await;
    answer.problem(401, "token_revoked");
    let (value, attributes) = cookie(&answer);
    assert!(
        value.is_empty() && attributes.contains("Max-Age=0"),
        "the cookie is no longer good: {attributes}"
    );
}

#[actix_web::test]
async fn signing_in_by_name_gives_a_cookie_on_request() {
    let scene = with_ann().await;
    let body = json!({"username": "ann", "password": "correct horse", "cookie": true});
    let answer = scene.post_openly(LOGIN, &body).await;
    assert!(answer.json().get("refresh_token").is_none());
    assert!(!cookie(&answer).0.is_empty());
}

#[actix_web::test]
async fn signing_out_takes_both_tokens_back() {
    let scene = with_ann().await;
    let body = json!({"username": "ann", "password": "correct horse", "cookie": true});
    let answer = scene.post_openly(LOGIN, &body).await;
    let (token, _) = cookie(&answer);
    let bearer = format!("Bearer {}", answer.json()["access_token"].as_str().unwrap());
    let request = with_cookie(LOGOUT, &token).insert_header(("authorization", bearer.clone()));
    let answer = scene.send(request).await;
    assert_eq!((answer.status, cookie(&answer).0.as_str()), (204, ""));
    scene.send(with_cookie(REFRESH, &token)).await.problem(401, "token_revoked");
    let asked = TestRequest::with_uri("/api/v1/nodes").insert_header(("authorization", bearer));
    scene.send(asked).await.problem(401, "token_revoked");
    assert_eq!(scene.post_openly(LOGOUT, &json!({})).await.status, 204, "again is fine");
}

#[actix_web::test]
async fn without_any_refresh_token_one_has_to_sign_in() {
    let scene = Scene::open().await;
    let answer = scene.send(TestRequest::with_uri(REFRESH).method(Method::POST)).await;
    let problem = answer.problem(401, "unauthorized");
    assert!(problem["detail"].as_str().unwrap().starts_with("no refresh token"), "{problem}");
    refresh(&scene, &json!("made up")).await.problem(401, "unauthorized");
    refresh(&scene, &json!(7)).await.problem(400, "invalid_field");
}

#[actix_web::test]
async fn a_page_of_another_origin_cannot_use_the_cookie() {
    let scene = Scene::open().await;
    for path in [REFRESH, LOGOUT, LOGIN, EXCHANGE] {
        let request = with_cookie(path, "x").insert_header(("origin", "https://evil.example"));
        scene.send(request).await.problem(403, "origin_refused");
    }
}
