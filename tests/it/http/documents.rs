//! Shared state as HTTP shows it, and what a start makes up for.

use actix_web::http::Method;
use infrawatch::auth::Role;
use infrawatch::clock::system_unix_ms;
use infrawatch::ids::DocName;
use infrawatch::store::migrate;
use infrawatch::sync::{Outcome, Write};
use infrawatch::telemetry::Cause;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::Scene;

async fn put(scene: &Scene, doc: &str, key: &str, value: &str) {
    let write = Write {
        key: key.into(),
        value: Some(value.into()),
        base_version: 0,
        time: None,
        writer: "ann".into(),
    };
    let doc = DocName::parse(doc).unwrap();
    let outcome = scene.state.services.documents.put(&doc, write, &Cause::own()).await.unwrap();
    assert!(matches!(outcome, Outcome::Applied { .. }), "{outcome:?}");
}

#[actix_web::test]
async fn documents_are_listed_by_name_and_their_entries_by_key_page_by_page() {
    let scene = Scene::open().await;
    for (doc, key) in [("b", "x"), ("a", "2"), ("a", "3"), ("a", "1"), ("c", "x")] {
        put(&scene, doc, key, r#""ü""#).await;
    }
    let pages = scene.pages("/api/v1/events/sync", 2).await;
    let names: Vec<Vec<_>> =
        pages.iter().map(|page| page.iter().map(|doc| doc["doc"].as_str().unwrap()).collect()).collect();
    assert_eq!(names, [vec!["a", "b"], vec!["c"]]);
    let first = &pages[0][0];
    assert_eq!((&first["keys"], &first["bytes"], &first["version"]), (&json!(3), &json!(15), &json!(3)));
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = scene.get(&format!("/api/v1/events/sync/a?limit=2&cursor={cursor}")).await.json();
        keys.push(answer["entries"].as_array().unwrap().iter().map(|e| e["key"].clone()).collect::<Vec<_>>());
        assert_eq!((&answer["keys"], &answer["bytes"]), (&json!(3), &json!(15)));
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(keys, [vec!["1", "2"], vec!["3"]]);
    scene.get("/api/v1/events/sync/nothing").await.problem(404, "not_found");
    scene.get("/api/v1/events/sync/a%20b").await.problem(400, "invalid_name");
    scene.get("/api/v1/events/sync?cursor=!").await.problem(400, "invalid_field");
}

#[actix_web::test]
async fn nobody_publishes_to_the_topic_of_a_document() {
    let scene = Scene::open().await;
    let body = json!({"type": "a", "payload": 1, "topic": "sync:a"}).to_string();
    let request = scene.ask(Role::Admin, Method::POST, "/api/v1/events/publish").set_payload(body);
    scene.send(request).await.problem(403, "forbidden");
}

/// A hub that ended between the commit of a write and its publication.
#[actix_web::test]
async fn a_start_publishes_what_the_end_before_it_cut_short() {
    let scene = Scene::with(|options| {
        std::fs::create_dir_all(&options.data_dir).unwrap();
        let path = options.data_dir.join("infrawatch.db");
        migrate(&path, system_unix_ms()).unwrap();
        let database = Connection::open(path).unwrap();
        database
            .execute(
                "INSERT INTO documents VALUES (1, 'plan', 3, 1, 0, 0, 1), (2, 'done', 1, 1, 0, 0, 1)",
                [],
            )
            .unwrap();
        let entries = [(1, "a", 1), (1, "b", 3), (1, "c", 2), (2, "a", 1)];
        for (document, key, seq) in entries {
            let row = params![document, key, seq];
            let sql = "INSERT INTO document_entries VALUES (?1, ?2, '7', 1, 1000000, 'ann', ?3)";
            database.execute(sql, row).unwrap();
        }
    })
    .await;
    let told = crate::hub::until("the topic has them", async || {
        let (mut items, _) = Scene::items(&scene.get("/api/v1/events?topic=sync:plan").await);
        items.reverse();
        (items.len() >= 2).then_some(items)
    })
    .await;
    let keys: Vec<_> = told.iter().map(|item| item["payload"]["key"].clone()).collect();
    assert_eq!(keys, ["c", "b"], "in the order of the writes, and no more");
    let expected = json!({
        "doc": "plan", "key": "c", "value": 7, "version": 1,
        "timestamp": "1970-01-01T00:00:00.001000000Z", "writer": "ann",
    });
    assert_eq!(told[0]["payload"], expected);
    let unannounced = crate::hub::until("the store knows", async || {
        let left = scene.state.store.unannounced_documents(u64::MAX, None, 9).await.unwrap();
        left.is_empty().then_some(left)
    });
    unannounced.await;
    let (done, _) = Scene::items(&scene.get("/api/v1/events?topic=sync:done").await);
    assert_eq!(done, Vec::<Value>::new());
}
