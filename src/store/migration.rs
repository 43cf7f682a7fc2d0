//! The schema: numbered migrations, each applied once, in order, in a transaction of its own.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::place::{Kind, Place};
use super::session::{Dialect, Session};
use super::value::{Row, params};
use super::{StoreError, postgres};

/// One step of the schema. `sql` never changes once it is released: its checksum is in every database.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Number, counted from 1 without a gap. The same in every dialect.
    pub version: u32,
    /// What it adds.
    pub name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

macro_rules! migrations {
    ($($zeros:literal: $($version:literal $name:literal),+);+ $(;)?) => {
        &[$($(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $zeros, $version, "_", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $zeros, $version, "_", $name, ".sql")),
        }),+),+]
    };
}

/// All migrations, oldest first.
pub const MIGRATIONS: &[Migration] = migrations![
    "000": 1 "samples", 2 "events", 3 "nodes", 4 "sessions", 5 "users", 6 "session_state", 7 "documents",
        8 "held_alerts", 9 "load_test_runs";
    "00": 10 "alerts", 11 "answers_heartbeats", 12 "held_alerts_opened", 13 "session_hub", 14 "leases", 15 "node_hub";
];

const MIGRATION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version       INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    checksum      TEXT NOT NULL,
    applied_at_ms BIGINT NOT NULL
)";

/// Held by whoever migrates; another that comes waits for it, longer than for other locks.
const POSTGRES_LOCK: &str =
    "SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(hashtext('infrawatch migrations'))";

impl Migration {
    fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }

    /// SHA-256 of the text, in hexadecimal.
    fn checksum(&self, dialect: Dialect) -> String {
        Sha256::digest(self.sql(dialect).as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What `infrawatch migrate --check` and `infrawatch check` report about a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaReport {
    /// Migrations that are not applied yet, `0001_samples` and so on.
    pub pending: Vec<String>,
    /// What SQLite's quick check found wrong; empty when the file is sound.
    pub problems: Vec<String>,
    /// Settings of a PostgreSQL server, as it tells them; none of a file.
    pub settings: BTreeMap<String, String>,
}

/// Makes the file when it is missing and brings its schema up to date. Returns what was applied,
/// `0001_samples` and so on. Refuses a schema that is newer than this program or differs from it.
pub fn migrate(place: impl Into<Place>, now_ms: u64) -> Result<Vec<String>, StoreError> {
    let place = place.into();
    let migrated = postgres::aside(|| {
        let session = place.open_writable()?;
        migrate_session(&session, &place, MIGRATIONS, now_ms)
    });
    migrated.map_err(|error| error.at_open(&place))
}

/// Reads the database without changing it. A file that does not exist has everything pending.
pub fn check(place: impl Into<Place>) -> Result<SchemaReport, StoreError> {
    let place = place.into();
    if matches!(place.kind(), Kind::File(path) if !path.exists()) {
        let pending = MIGRATIONS.iter().map(label).collect();
        return Ok(SchemaReport { pending, problems: Vec::new(), settings: BTreeMap::new() });
    }
    let report = postgres::aside(|| {
        let session = place.open_read_only()?;
        let pending = pending(&session, &place, MIGRATIONS)?;
        let problems: Vec<String> = match session.dialect() {
            Dialect::Sqlite => session.query("PRAGMA quick_check(20)", params![], |row| row.get(0))?,
            // The server sees to it.
            Dialect::Postgres => Vec::new(),
        };
        let settings = match session.dialect() {
            Dialect::Sqlite => BTreeMap::new(),
            Dialect::Postgres => {
                let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?));
                session.query("SELECT name, setting FROM pg_settings", params![], read)?
            }
        };
        Ok(SchemaReport {
            settings,
            pending: pending.iter().map(label).collect(),
            problems: problems.into_iter().filter(|problem| problem != "ok").collect(),
        })
    });
    report.map_err(|error: StoreError| error.at_open(&place))
}

pub(super) fn migrate_session(
    session: &Session,
    place: &Place,
    migrations: &[Migration],
    now_ms: u64,
) -> Result<Vec<String>, StoreError> {
    // Compared before anything is written: a database that is refused stays as it was.
    pending(session, place, migrations)?;
    let mut applied = Vec::new();
    loop {
        let step = step(session, place, migrations, now_ms);
        if step.is_err() {
            // Closing the session would undo it too; this only does it sooner.
            drop(session.rollback());
        }
        match step? {
            Some(name) => applied.push(name),
            None => return Ok(applied),
        }
    }
}

/// Applies what comes next, in a transaction of its own; `None`: there is nothing left.
fn step(
    session: &Session,
    place: &Place,
    migrations: &[Migration],
    now_ms: u64,
) -> Result<Option<String>, StoreError> {
    // The lock first, then the look: another process may be migrating the same database.
    session.begin()?;
    if session.dialect() == Dialect::Postgres {
        session.execute_script(POSTGRES_LOCK)?;
    }
    session.execute_batch(MIGRATION_TABLE)?;
    let Some(next) = pending(session, place, migrations)?.first().copied() else {
        session.commit()?;
        return Ok(None);
    };
    session.execute_script(next.sql(session.dialect()))?;
    session.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at_ms) VALUES (?1, ?2, ?3, ?4)",
        params![next.version, next.name, next.checksum(session.dialect()), now_ms],
    )?;
    session.commit()?;
    Ok(Some(label(&next)))
}

/// What is not applied yet; an error when what is applied is not a beginning of `migrations`.
fn pending(session: &Session, place: &Place, migrations: &[Migration]) -> Result<Vec<Migration>, StoreError> {
    let known = migrations.last().map_or(0, |migration| migration.version);
    let applied = applied(session)?;
    if let Some(newest) = applied.last().filter(|newest| newest.0 > known) {
        return Err(StoreError::SchemaNewer { path: place.name(), found: newest.0, known });
    }
    for (position, (version, name, checksum)) in applied.iter().enumerate() {
        let same = migrations.get(position).is_some_and(|migration| {
            migration.version == *version
                && migration.name == name
                && migration.checksum(session.dialect()) == *checksum
        });
        if !same {
            return Err(StoreError::SchemaAltered {
                path: place.name(),
                version: *version,
                name: name.clone(),
            });
        }
    }
    Ok(migrations.iter().skip(applied.len()).copied().collect())
}

/// (version, name, checksum) of what the database has, in order.
fn applied(session: &Session) -> Result<Vec<(u32, String, String)>, StoreError> {
    let exists = match session.dialect() {
        Dialect::Sqlite => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'",
        Dialect::Postgres => "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL",
    };
    if session.optional(exists, params![], |_| Ok(()))?.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
    session.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

pub(super) fn label(migration: &Migration) -> String {
    format!("{:04}_{}", migration.version, migration.name)
}
