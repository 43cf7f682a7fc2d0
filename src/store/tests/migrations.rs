//! The schema, on both databases.

use std::path::Path;

use super::super::migration::{label, migrate_session};
use super::super::value::params;
use super::super::{MIGRATIONS, Migration, Place, StoreError, check, migrate, postgres};
use super::{Backend, Empty, empty, on_each};

on_each!(
    a_new_database_gets_every_migration_once,
    a_newer_schema_is_refused_and_left_alone,
    an_altered_schema_is_refused,
    a_migration_that_fails_leaves_nothing_of_itself,
    of_several_that_migrate_at_once_each_migration_is_applied_by_one,
);

fn database() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("infrawatch.db");
    (directory, path)
}

fn execute(place: &Place, sql: &str) {
    postgres::aside(|| place.open_writable()?.execute_batch(sql)).unwrap();
}

async fn a_new_database_gets_every_migration_once(backend: Backend) {
    let Empty { place, .. } = &empty(backend);
    assert_eq!(check(place.clone()).unwrap().pending.len(), MIGRATIONS.len());
    assert_eq!(migrate(place.clone(), 7).unwrap().first().unwrap(), "0001_samples");
    assert_eq!(migrate(place.clone(), 8).unwrap(), Vec::<String>::new());
    let report = check(place.clone()).unwrap();
    assert_eq!((report.pending, report.problems), (vec![], vec![]));
    let (count, at_ms): (u64, u64) = postgres::aside(|| {
        let sql = "SELECT count(*), max(applied_at_ms) FROM schema_migrations";
        place.open_read_only()?.one(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))
    })
    .unwrap();
    assert_eq!((count as usize, at_ms), (MIGRATIONS.len(), 7));
}

#[test]
fn every_file_is_listed_and_the_numbers_have_no_gap() {
    for dialect in ["sqlite", "postgres"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
        let entries = std::fs::read_dir(directory).unwrap();
        let mut files: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let listed: Vec<_> = MIGRATIONS.iter().map(|migration| format!("{}.sql", label(migration))).collect();
        assert_eq!(files, listed, "{dialect}");
    }
    assert!(MIGRATIONS.iter().zip(1..).all(|(migration, number)| migration.version == number));
}

async fn a_newer_schema_is_refused_and_left_alone(backend: Backend) {
    let Empty { place, .. } = &empty(backend);
    migrate(place.clone(), 0).unwrap();
    execute(place, "INSERT INTO schema_migrations VALUES (999, 'future', 'x', 0)");
    let error = migrate(place.clone(), 0).unwrap_err();
    assert!(matches!(error, StoreError::SchemaNewer { found: 999, .. }), "{error}");
    assert!(error.to_string().starts_with(place.name().to_str().unwrap()), "{error}");
    assert_eq!(check(place.clone()).unwrap_err(), error);
}

async fn an_altered_schema_is_refused(backend: Backend) {
    let Empty { place, .. } = &empty(backend);
    migrate(place.clone(), 0).unwrap();
    for (change, back, version) in [
        (
            "UPDATE schema_migrations SET checksum = checksum || 'x' WHERE version = 2",
            "UPDATE schema_migrations SET checksum = replace(checksum, 'x', '') WHERE version = 2",
            2,
        ),
        (
            "UPDATE schema_migrations SET name = 'other' WHERE version = 3",
            "UPDATE schema_migrations SET name = 'nodes' WHERE version = 3",
            3,
        ),
        ("DELETE FROM schema_migrations WHERE version = 1", "SELECT 1", 2),
    ] {
        execute(place, change);
        let error = migrate(place.clone(), 0).unwrap_err();
        assert!(
            matches!(error, StoreError::SchemaAltered { version: found, .. } if found == version),
            "{change}: {error}"
        );
        execute(place, back);
    }
}

async fn a_migration_that_fails_leaves_nothing_of_itself(backend: Backend) {
    let Empty { place, .. } = &empty(backend);
    let migration = |version, name, sql| Migration { version, name, sqlite: sql, postgres: sql };
    let good = migration(1, "good", "CREATE TABLE good (a INTEGER)");
    let bad = migration(2, "bad", "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)");
    let mended = migration(2, "bad", "CREATE TABLE half (a INTEGER)");
    postgres::aside(|| {
        let session = place.open_writable()?;
        assert!(migrate_session(&session, place, &[good, bad], 0).is_err());
        assert!(!session.is_in_transaction());
        // The first is there, and of the second nothing is.
        assert_eq!(session.execute("INSERT INTO good VALUES (1)", params![])?, 1);
        assert_eq!(migrate_session(&session, place, &[good, mended], 0)?, ["0002_bad"]);
        Ok(())
    })
    .unwrap();
}

async fn of_several_that_migrate_at_once_each_migration_is_applied_by_one(backend: Backend) {
    let Empty { place, .. } = &empty(backend);
    let migrating: Vec<_> = (0..3)
        .map(|_| {
            let place = place.clone();
            std::thread::spawn(move || migrate(place, 0).unwrap())
        })
        .collect();
    let mut applied: Vec<String> = migrating.into_iter().flat_map(|one| one.join().unwrap()).collect();
    applied.sort();
    assert_eq!(applied, MIGRATIONS.iter().map(label).collect::<Vec<_>>());
}

/// What was answered with 202 by an older version is announced by this one.
#[test]
fn alerts_that_waited_become_open_ones_that_are_not_announced() {
    let (_directory, path) = database();
    let place = Place::from(&path);
    let session = place.open_writable().unwrap();
    migrate_session(&session, &place, &MIGRATIONS[..11], 0).unwrap();
    let message = r#"{"alert":{"id":"a","severity":"error","state":"firing","title":"t","message":"m","service":null,
        "labels":{"b":"c"}},"transition":{"from":null,"to":"firing","actor":"ann","reason":"posted"}}"#;
    let sql = "INSERT INTO held_alerts (topic, message, held_at_ms) VALUES ('alerts_error', ?1, 7)";
    session.execute(sql, params![message.as_bytes()]).unwrap();
    assert_eq!(migrate_session(&session, &place, &MIGRATIONS[..12], 0).unwrap(), ["0012_held_alerts_opened"]);
    let sql = "SELECT a.state, a.severity, a.labels, h.at_ms, h.actor, h.announced
               FROM alerts a JOIN alert_state_history h ON h.alert_id = a.id";
    let found: (String, u8, String, i64, String, bool) = session
        .one(sql, params![], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .unwrap();
    assert_eq!(found, ("firing".into(), 2, r#"{"b":"c"}"#.into(), 7, "ann".into(), false));
}

#[test]
fn a_file_that_is_no_database_is_named_with_advice() {
    let (_directory, path) = database();
    std::fs::write(&path, vec![b'x'; 8_192]).unwrap();
    for error in [migrate(&path, 0).unwrap_err(), check(&path).unwrap_err()] {
        let text = error.to_string();
        assert!(text.starts_with(path.to_str().unwrap()), "{text}");
        assert!(text.contains("not a database") && text.contains("restore a backup"), "{text}");
    }
}

#[test]
fn damage_inside_is_found_by_the_check() {
    let (_directory, path) = database();
    migrate(&path, 0).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let page = bytes.chunks_mut(4_096).nth(3).unwrap();
    page.fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    match check(&path) {
        Ok(report) => assert!(!report.problems.is_empty()),
        Err(error) => assert!(error.to_string().contains("damaged"), "{error}"),
    }
}
