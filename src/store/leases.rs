//! Which hub nodes there are and which of them holds what: leases, by the clock of the database.
//!
//! By a connection of its own: what waits for the writer must not cost a hub its leases.

use std::sync::Arc;

use parking_lot::Mutex;

use super::place::Place;
use super::session::{Dialect, Session};
use super::value::{Row, params};
use super::{Store, StoreError};

/// A hub node that was not seen for so long is forgotten, milliseconds.
const FORGOTTEN_MS: u64 = 3_600_000;

/// A hub node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubNodeRecord {
    /// Tells this life of it from others.
    pub instance: String,
    /// Its name.
    pub node: String,
    /// Where others reach it: `host:port`.
    pub address: String,
}

/// A lease, as the database sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// What is held.
    pub unit: String,
    /// Who holds it, or held it last.
    pub instance: String,
    /// Grows with every taking.
    pub fence: u64,
    /// When it was taken, Unix milliseconds.
    pub taken_at_ms: u64,
    /// How long ago it ran out or was given back, milliseconds; `None`: it is held.
    pub free_for_ms: Option<u64>,
}

/// What a beat is answered with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// Hub nodes that were seen within the length of a lease, the one that asks included.
    pub live: Vec<HubNodeRecord>,
    /// What was ever held.
    pub leases: Vec<LeaseRecord>,
}

/// The leases of a database. Cheap to clone; one question at a time.
#[derive(Clone)]
pub struct Leases(Arc<Shared>);

struct Shared {
    place: Place,
    /// Opened when it is first needed, and again after a failure.
    session: Mutex<Option<Session>>,
}

impl Store {
    /// The leases of this database.
    pub fn leases(&self) -> Leases {
        Leases(Arc::new(Shared { place: self.readers.place().clone(), session: Mutex::new(None) }))
    }
}

impl Leases {
    /// Notes that this hub node lives, and renews what it holds for `lease_ms`. Ready after the commit.
    pub async fn beat(&self, hub: HubNodeRecord, lease_ms: u64) -> Result<Beat, StoreError> {
        self.ask(move |session| beat(session, &hub, lease_ms)).await
    }

    /// Takes a unit that nobody holds: the new fence. `None`: somebody was quicker.
    pub async fn take(&self, unit: &str, instance: &str, lease_ms: u64) -> Result<Option<u64>, StoreError> {
        let (unit, instance) = (unit.to_owned(), instance.to_owned());
        self.ask(move |session| take(session, &unit, &instance, lease_ms)).await
    }

    /// Gives back whatever it holds, and leaves: others need not wait until its leases run out.
    pub async fn leave(&self, instance: &str) -> Result<(), StoreError> {
        let instance = instance.to_owned();
        self.ask(move |session| {
            let now = now(session.dialect());
            let sql =
                format!("UPDATE leases SET expires_at = {now} WHERE instance = ?1 AND expires_at > {now}");
            session.execute(&sql, params![instance])?;
            session.execute("DELETE FROM hub_nodes WHERE instance = ?1", params![instance])?;
            Ok(())
        })
        .await
    }

    async fn ask<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Session) -> Result<T, StoreError> + Send + 'static,
    {
        let shared = self.0.clone();
        let task = tokio::task::spawn_blocking(move || shared.run(work));
        task.await.unwrap_or_else(|error| Err(StoreError::Sql(format!("a lease was not asked for: {error}"))))
    }
}

impl Shared {
    fn run<T>(&self, work: impl FnOnce(&Session) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut kept = self.session.lock();
        let session = match kept.take() {
            Some(session) => session,
            None => self.place.open_writable()?,
        };
        session.begin()?;
        let answer = work(&session).and_then(|answer| session.commit().map(|()| answer))?;
        // After a failure it is dropped: a new one knows of no transaction.
        *kept = Some(session);
        Ok(answer)
    }
}

/// The clock of the database, Unix milliseconds: of this moment, not of the beginning of the transaction.
fn now(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
        Dialect::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    }
}

fn beat(session: &Session, hub: &HubNodeRecord, lease_ms: u64) -> Result<Beat, StoreError> {
    let now = now(session.dialect());
    let HubNodeRecord { instance, node, address } = hub;
    let sql = format!(
        "INSERT INTO hub_nodes (instance, node, address, seen_at) VALUES (?1, ?2, ?3, {now})
         ON CONFLICT (instance) DO UPDATE SET node = ?2, address = ?3, seen_at = {now}"
    );
    session.execute(&sql, params![instance, node, address])?;
    // Also one that ran out, if nobody took it meanwhile: its fence is still the newest.
    let sql = format!("UPDATE leases SET expires_at = {now} + ?2 WHERE instance = ?1");
    session.execute(&sql, params![instance, lease_ms])?;
    let sql =
        format!("SELECT instance, node, address FROM hub_nodes WHERE seen_at > {now} - ?1 ORDER BY instance");
    let live = session.query(&sql, params![lease_ms], |row| {
        Ok(HubNodeRecord { instance: row.get(0)?, node: row.get(1)?, address: row.get(2)? })
    })?;
    let sql = format!("SELECT unit, instance, fence, taken_at, expires_at, {now} FROM leases ORDER BY unit");
    let leases = session.query(&sql, params![], |row: Row<'_>| {
        let (expires_at_ms, now_ms): (u64, u64) = (row.get(4)?, row.get(5)?);
        Ok(LeaseRecord {
            unit: row.get(0)?,
            instance: row.get(1)?,
            fence: row.get(2)?,
            taken_at_ms: row.get(3)?,
            free_for_ms: now_ms.checked_sub(expires_at_ms),
        })
    })?;
    Ok(Beat { live, leases })
}

fn take(session: &Session, unit: &str, instance: &str, lease_ms: u64) -> Result<Option<u64>, StoreError> {
    let now = now(session.dialect());
    let sql = format!(
        "INSERT INTO leases (unit, instance, fence, taken_at, expires_at) VALUES (?1, ?2, 1, {now}, {now} + ?3)
         ON CONFLICT (unit) DO UPDATE SET instance = ?2, fence = leases.fence + 1, taken_at = {now},
             expires_at = {now} + ?3
         WHERE leases.expires_at <= {now} RETURNING fence"
    );
    let fence = session.optional(&sql, params![unit, instance, lease_ms], |row| row.get(0))?;
    // Lives begin and end about when units change hands.
    let sql = format!("DELETE FROM hub_nodes WHERE seen_at <= {now} - ?1");
    session.execute(&sql, params![FORGOTTEN_MS])?;
    Ok(fence)
}
