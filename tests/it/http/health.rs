//! Health, readiness, overview and the tree, on a hub that does well and on one that does not.

use super::Scene;

const CHECKS: [&str; 6] = ["breakers", "disk_space", "event_loop", "mailboxes", "memory", "store"];

#[actix_web::test]
async fn a_hub_tells_how_it_does() {
    let scene = Scene::open().await;
    let answer = scene.get("/api/health").await;
    let report = answer.json();
    assert_eq!((answer.status, &report["service"]), (200, &"infrawatch".into()), "{report}");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let names: Vec<_> = report["checks"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, CHECKS);
    for name in CHECKS {
        let check = &report["checks"][name];
        assert!(check["detail"].is_string() && check["duration_ms"].is_u64(), "{name}: {check}");
        assert!(infrawatch::clock::parse_rfc3339(check["checked_at"].as_str().unwrap()).is_some());
    }
    assert_eq!(report["checks"]["store"]["status"], "healthy");
    assert_eq!((scene.get("/healthz").await.text.as_str(), scene.get("/readyz").await.status), ("ok", 200));
}

#[actix_web::test]
async fn without_its_store_a_hub_is_unhealthy_and_not_ready_but_alive() {
    let scene = Scene::open().await;
    scene.state.store.close().await;
    let answer = scene.get("/api/health").await;
    let report = answer.json();
    assert_eq!((answer.status, &report["status"]), (503, &"unhealthy".into()));
    assert_eq!(report["checks"]["store"]["detail"], "the store is closed");
    scene.get("/readyz").await.problem(503, "store_unavailable");
    assert_eq!(scene.get("/healthz").await.status, 200);
    assert_eq!(scene.get("/api/v1/operations/overview").await.json()["health"], "unhealthy");
}

#[actix_web::test]
async fn a_data_directory_that_is_gone_is_noticed() {
    let scene = Scene::open().await;
    std::fs::remove_dir_all(&scene.state.data_dir).unwrap();
    let report = scene.get("/api/health").await.json();
    assert_eq!(report["checks"]["disk_space"]["status"], "unhealthy", "{report}");
}

#[actix_web::test]
async fn a_hub_that_stops_is_not_ready() {
    let scene = Scene::open().await;
    scene.state.draining.send_replace(true);
    let answer = scene.get("/readyz").await;
    answer.problem(503, "draining");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(scene.get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn a_report_is_shared_by_those_who_ask_at_the_same_time() {
    let scene = Scene::open().await;
    let stamp = |answer: super::Answer| answer.json()["checks"]["store"]["checked_at"].clone();
    let (one, two) = tokio::join!(scene.get("/api/health"), scene.get("/api/health"));
    assert_eq!(stamp(one), stamp(two));
}

#[actix_web::test]
async fn the_overview_and_the_tree_agree() {
    let scene = Scene::open().await;
    let overview = scene.get("/api/v1/operations/overview").await.json();
    let tree = scene.get("/api/v1/supervision").await.json();
    assert_eq!(overview["supervision"]["actors"], tree["actors"]);
    assert_eq!(overview["hub"]["node"], "own");
    assert_eq!(overview["nodes"]["total"], 0);
    let kinds: Vec<_> =
        tree["kinds"].as_array().unwrap().iter().map(|k| k["kind"].as_str().unwrap()).collect();
    let in_table: Vec<_> = infrawatch::hub::table().iter().map(|row| row.kind).collect();
    assert_eq!(kinds, in_table);
    // A hub alone owns everything, and there is no tenure.
    for unit in tree["units"].as_array().unwrap() {
        assert_eq!((&unit["owned_here"], &unit["owner"]), (&true.into(), &"own".into()), "{unit}");
        assert!(unit["fence"].is_null() && unit["since"].is_null(), "{unit}");
    }
    assert_eq!(tree["units"].as_array().unwrap().len(), infrawatch::ownership::Unit::ALL.len());
}
