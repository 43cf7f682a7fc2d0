//! Tests of the whole store: group commit, failures, and each domain over a real file.

mod alerts;
mod answers;
mod crash;
mod documents;
mod events;
mod failures;
mod group_commit;
mod leases;
mod load_tests;
mod migrations;
mod outage;
mod past;
mod records;
mod rules;
mod sample_days;
mod samples;

use std::sync::mpsc::{Receiver, Sender, channel};

use infrawatch_servers::Postgres;

use super::{Place, Reply, Store, StoreOptions};

/// A database that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// Makes a test of each function, on each database.
macro_rules! on_each {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Backend::Sqlite).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Backend::Postgres).await;
            })+
        }
    };
}
use on_each;

/// A database without a schema.
struct Empty {
    place: Place,
    directory: tempfile::TempDir,
    server: Option<Postgres>,
}

fn empty(backend: Backend) -> Empty {
    let directory = tempfile::tempdir().unwrap();
    let server = (backend == Backend::Postgres).then(Postgres::start);
    let place = match &server {
        None => Place::from(&directory.path().join("infrawatch.db")),
        Some(server) => Place::postgres(&server.url()).unwrap(),
    };
    Empty { place, directory, server }
}

/// A store in a database of its own.
struct Fixture {
    store: Store,
    place: Place,
    backend: Backend,
    directory: tempfile::TempDir,
    server: Option<Postgres>,
}

fn fixture(backend: Backend) -> Fixture {
    fixture_with(backend, &StoreOptions::default())
}

fn fixture_with(backend: Backend, options: &StoreOptions) -> Fixture {
    let Empty { place, directory, server } = empty(backend);
    let store = Store::open(place.clone(), options, 0).unwrap();
    Fixture { store, place, backend, directory, server }
}

impl Fixture {
    /// The same database once more.
    fn again(&self) -> Store {
        Store::open(self.place.clone(), &StoreOptions::default(), 0).unwrap()
    }

    /// What the writer writes from now on is refused.
    async fn turn_read_only(&self) {
        let sql = match self.backend {
            Backend::Sqlite => "PRAGMA query_only = ON",
            Backend::Postgres => "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        };
        self.store.write(0, |database| database.session.execute_batch(sql)).await.unwrap();
    }
}

/// Keeps the writer inside one request until it is let go, so that what comes later forms one group.
struct Hold {
    let_go: Sender<()>,
    reply: Reply<()>,
}

impl Hold {
    fn start(store: &Store) -> Self {
        let (entered, has_entered): (_, Receiver<()>) = channel();
        let (let_go, may_go) = channel();
        let reply = store.write(0, move |_| {
            entered.send(()).unwrap();
            may_go.recv().unwrap();
            Ok(())
        });
        has_entered.recv().unwrap();
        Self { let_go, reply }
    }

    async fn end(self) {
        self.let_go.send(()).unwrap();
        self.reply.await.unwrap();
    }
}
