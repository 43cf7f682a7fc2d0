//! Pages: the console or what stands in for it, and the documentation.

use actix_web::http::Method;
use actix_web::test::TestRequest;

use super::Scene;

fn page(path: &str) -> TestRequest {
    TestRequest::with_uri(path).insert_header(("accept", "text/html,application/xhtml+xml"))
}

#[actix_web::test]
async fn every_page_of_the_console_is_its_index() {
    let scene = Scene::open().await;
    let index = scene.send(page("/")).await;
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(index.header("cache-control"), "no-cache");
    assert!(index.text.contains("InfraWatch"), "{}", index.text);
    for path in ["/nodes", "/nodes/web-1", "/connections/"] {
        assert_eq!(scene.send(page(path)).await.text, index.text, "{path}");
    }
    for path in ["/api/v1/nothing", "/ws/a/b", "/assets/nothing.js"] {
        scene.send(page(path)).await.problem(404, "not_found");
    }
    let not_a_browser = TestRequest::with_uri("/nodes").insert_header(("accept", "application/json"));
    scene.send(not_a_browser).await.problem(404, "not_found");
    scene.send(page("/nodes").method(Method::POST)).await.problem(405, "method_not_allowed");
}

#[actix_web::test]
async fn no_path_leads_out_of_the_console() {
    let scene = Scene::open().await;
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/assets/../../Cargo.toml",
        "//etc/passwd",
        "/..%2fCargo.toml",
    ] {
        let answer = scene.send(TestRequest::with_uri(path)).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
}

#[actix_web::test]
async fn the_documentation_obeys_the_policy() {
    let scene = Scene::open().await;
    let docs = scene.send(page("/docs")).await;
    assert_eq!((docs.status, docs.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!docs.text.contains("<style") && !docs.text.contains("onclick"), "nothing inline");
    for (path, media_type) in
        [("/docs.js", "text/javascript; charset=utf-8"), ("/docs.css", "text/css; charset=utf-8")]
    {
        assert!(docs.text.contains(path), "the page uses {path}");
        assert_eq!(scene.send(TestRequest::with_uri(path)).await.header("content-type"), media_type);
    }
    assert!(!docs.text.contains("http://") && !docs.text.contains("https://"), "nothing from elsewhere");
}
