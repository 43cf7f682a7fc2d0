//! The schema: numbered migrations, each applied once, in order, in a transaction of its own.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::StoreError;
use super::connection::{open_read_only, open_writable, to_sql};

/// One step of the schema. `sql` never changes once it is released: its checksum is in every database.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Number, counted from 1 without a gap. The same in every dialect.
    pub version: u32,
    /// What it adds.
    pub name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($zeros:literal: $($version:literal $name:literal),+);+ $(;)?) => {
        &[$($(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../../migrations/sqlite/", $zeros, $version, "_", $name, ".sql")),
        }),+),+]
    };
}

/// All migrations, oldest first.
pub const MIGRATIONS: &[Migration] = migrations![
    "000": 1 "samples", 2 "events", 3 "nodes", 4 "sessions", 5 "users", 6 "session_state", 7 "documents",
        8 "held_alerts", 9 "load_test_runs";
    "00": 10 "alerts", 11 "answers_heartbeats", 12 "held_alerts_opened";
];

const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version       INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    checksum      TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL
)";

impl Migration {
    /// SHA-256 of the text, in hexadecimal.
    pub fn checksum(&self) -> String {
        Sha256::digest(self.sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What `infrawatch migrate --check` and `infrawatch check` report about a database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaReport {
    /// Migrations that are not applied yet, `0001_samples` and so on.
    pub pending: Vec<String>,
    /// What SQLite's quick check found wrong; empty when the file is sound.
    pub problems: Vec<String>,
}

/// Makes the file when it is missing and brings its schema up to date. Returns what was applied,
/// `0001_samples` and so on. Refuses a schema that is newer than this program or differs from it.
pub fn migrate(path: &Path, now_ms: u64) -> Result<Vec<String>, StoreError> {
    let connection = open_writable(path).map_err(|error| error.at_open(path))?;
    migrate_connection(&connection, path, MIGRATIONS, now_ms).map_err(|error| error.at_open(path))
}

/// Reads the file without changing it. A file that does not exist has everything pending.
pub fn check(path: &Path) -> Result<SchemaReport, StoreError> {
    if !path.exists() {
        return Ok(SchemaReport { pending: MIGRATIONS.iter().map(label).collect(), problems: Vec::new() });
    }
    let report = || {
        let connection = open_read_only(path)?;
        let pending = pending(&connection, path, MIGRATIONS)?;
        let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
        let problems = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        Ok(SchemaReport {
            pending: pending.iter().map(label).collect(),
            problems: problems.into_iter().filter(|problem| problem != "ok").collect(),
        })
    };
    report().map_err(|error: StoreError| error.at_open(path))
}

pub(super) fn migrate_connection(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
    now_ms: u64,
) -> Result<Vec<String>, StoreError> {
    // Compared before anything is written: a file that is refused stays as it was.
    pending(connection, path, migrations)?;
    let mut applied = Vec::new();
    loop {
        // The lock first, then the look: another process may be migrating the same file.
        let transaction = Immediate::begin(connection)?;
        connection.execute_batch(MIGRATION_TABLE)?;
        let Some(next) = pending(connection, path, migrations)?.first().copied() else {
            transaction.commit()?;
            return Ok(applied);
        };
        connection.execute_batch(next.sql)?;
        connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![next.version, next.name, next.checksum(), to_sql(now_ms)],
        )?;
        transaction.commit()?;
        applied.push(label(&next));
    }
}

/// What is not applied yet; an error when what is applied is not a beginning of `migrations`.
fn pending(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<Vec<Migration>, StoreError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    let applied = applied(connection)?;
    if let Some(newest) = applied.last().filter(|newest| newest.0 > known) {
        return Err(StoreError::SchemaNewer { path: path.to_path_buf(), found: newest.0, known });
    }
    for (position, (version, name, checksum)) in applied.iter().enumerate() {
        let same = migrations.get(position).is_some_and(|migration| {
            migration.version == *version && migration.name == name && migration.checksum() == *checksum
        });
        if !same {
            return Err(StoreError::SchemaAltered {
                path: path.to_path_buf(),
                version: *version,
                name: name.clone(),
            });
        }
    }
    Ok(migrations.iter().skip(applied.len()).copied().collect())
}

/// (version, name, checksum) of what the file has, in order.
fn applied(connection: &Connection) -> Result<Vec<(u32, String, String)>, StoreError> {
    let exists = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
            [],
            |_| Ok(()),
        )
        .optional()?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare("SELECT version, name, checksum FROM schema_migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn label(migration: &Migration) -> String {
    format!("{:04}_{}", migration.version, migration.name)
}

/// A write transaction on a shared connection; rolled back unless it is committed.
struct Immediate<'a>(&'a Connection);

impl<'a> Immediate<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    fn commit(self) -> Result<(), StoreError> {
        self.0.execute_batch("COMMIT")?;
        Ok(())
    }
}

impl Drop for Immediate<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Closing the connection would roll back too; this only does it sooner.
            drop(self.0.execute_batch("ROLLBACK"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("infrawatch.db");
        (directory, path)
    }

    fn execute(path: &Path, sql: &str) {
        open_writable(path).unwrap().execute_batch(sql).unwrap();
    }

    #[test]
    fn a_new_file_gets_every_migration_once() {
        let (_directory, path) = database();
        assert_eq!(check(&path).unwrap().pending.len(), MIGRATIONS.len());
        assert_eq!(migrate(&path, 7).unwrap().first().unwrap(), "0001_samples");
        assert_eq!(migrate(&path, 8).unwrap(), Vec::<String>::new());
        assert_eq!(check(&path).unwrap(), SchemaReport { pending: vec![], problems: vec![] });
        let connection = open_read_only(&path).unwrap();
        let (count, at_ms): (u32, i64) = connection
            .query_row("SELECT count(*), max(applied_at_ms) FROM schema_migrations", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((count as usize, at_ms), (MIGRATIONS.len(), 7));
    }

    #[test]
    fn every_file_is_listed_and_the_numbers_have_no_gap() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut files: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> = MIGRATIONS.iter().map(|migration| format!("{}.sql", label(migration))).collect();
        assert_eq!(files, listed);
        assert!(MIGRATIONS.iter().zip(1..).all(|(migration, number)| migration.version == number));
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let (_directory, path) = database();
        migrate(&path, 0).unwrap();
        execute(&path, "INSERT INTO schema_migrations VALUES (999, 'future', 'x', 0)");
        let error = migrate(&path, 0).unwrap_err();
        assert!(matches!(error, StoreError::SchemaNewer { found: 999, .. }), "{error}");
        assert!(error.to_string().contains("infrawatch.db"), "{error}");
        assert_eq!(check(&path).unwrap_err(), error);
    }

    #[test]
    fn an_altered_schema_is_refused() {
        for (change, version) in [
            ("UPDATE schema_migrations SET checksum = 'other' WHERE version = 2", 2),
            ("UPDATE schema_migrations SET name = 'other' WHERE version = 3", 3),
            ("DELETE FROM schema_migrations WHERE version = 1", 2),
        ] {
            let (_directory, path) = database();
            migrate(&path, 0).unwrap();
            execute(&path, change);
            let error = migrate(&path, 0).unwrap_err();
            assert!(
                matches!(error, StoreError::SchemaAltered { version: found, .. } if found == version),
                "{change}: {error}"
            );
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_of_itself() {
        let (_directory, path) = database();
        let broken = [
            Migration { version: 1, name: "good", sql: "CREATE TABLE good (a)" },
            Migration {
                version: 2,
                name: "bad",
                sql: "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)",
            },
        ];
        let connection = open_writable(&path).unwrap();
        assert!(migrate_connection(&connection, &path, &broken, 0).is_err());
        assert!(connection.is_autocommit());
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(tables, ["good", "schema_migrations"]);
        let mended = [broken[0], Migration { sql: "CREATE TABLE whole (a)", ..broken[1] }];
        assert_eq!(migrate_connection(&connection, &path, &mended, 0).unwrap(), ["0002_bad"]);
    }

    /// What was answered with 202 by an older version is announced by this one.
    #[test]
    fn alerts_that_waited_become_open_ones_that_are_not_announced() {
        let (_directory, path) = database();
        let connection = open_writable(&path).unwrap();
        migrate_connection(&connection, &path, &MIGRATIONS[..11], 0).unwrap();
        let message = r#"{"alert":{"id":"a","severity":"error","state":"firing","title":"t","message":"m","service":null,
            "labels":{"b":"c"}},"transition":{"from":null,"to":"firing","actor":"ann","reason":"posted"}}"#;
        connection
            .execute(
                "INSERT INTO held_alerts (topic, message, held_at_ms) VALUES ('alerts_error', ?1, 7)",
                [message.as_bytes()],
            )
            .unwrap();
        assert_eq!(
            migrate_connection(&connection, &path, MIGRATIONS, 0).unwrap(),
            ["0012_held_alerts_opened"]
        );
        let found: (String, u8, String, i64, String, bool) = connection
            .query_row(
                "SELECT a.state, a.severity, a.labels, h.at_ms, h.actor, h.announced
                 FROM alerts a JOIN alert_state_history h ON h.alert_id = a.id",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)),
            )
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
}
