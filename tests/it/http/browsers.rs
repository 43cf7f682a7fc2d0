//! What pages of other origins may do.

use actix_web::http::Method;
use actix_web::test::TestRequest;

use super::Scene;

const LISTED: &str = "https://status.example.org";

async fn scene() -> Scene {
    Scene::with(|options| options.settings.http.origins = vec![LISTED.to_owned()]).await
}

fn preflight(origin: &'static str) -> TestRequest {
    TestRequest::with_uri("/api/v1/events/publish")
        .method(Method::OPTIONS)
        .insert_header(("origin", origin))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "authorization"))
}

#[actix_web::test]
async fn a_listed_origin_is_told_what_it_may() {
    let scene = scene().await;
    let answer = scene.send(preflight(LISTED)).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), LISTED);
    assert!(answer.header("access-control-allow-headers").contains("Authorization"));
    assert!(
        answer.header("access-control-allow-credentials").is_empty(),
        "the cookie is for the console alone"
    );
    let read = TestRequest::with_uri("/healthz").insert_header(("origin", LISTED));
    let answer = scene.send(read).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, LISTED));
    let refused = TestRequest::with_uri("/api/v1/nodes").insert_header(("origin", LISTED));
    let answer = scene.send(refused).await;
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("access-control-allow-origin"), LISTED, "the page must be able to read why");
}

#[actix_web::test]
async fn another_origin_is_refused_and_can_read_nothing() {
    let scene = scene().await;
    let answer = scene.send(preflight("https://evil.example")).await;
    answer.problem(403, "origin_refused");
    assert!(answer.header("access-control-allow-origin").is_empty());
    let read = TestRequest::with_uri("/healthz").insert_header(("origin", "https://evil.example"));
    assert!(scene.send(read).await.header("access-control-allow-origin").is_empty());
    let own = TestRequest::with_uri("/api/v1/connections/logout")
        .method(Method::POST)
        .insert_header(("origin", "http://127.0.0.1:5050"));
    assert_eq!(scene.send(own).await.status, 204);
}
