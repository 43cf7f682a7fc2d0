//! Tests of the whole store: group commit, failures, and each domain over a real file.

mod alerts;
mod answers;
mod crash;
mod documents;
mod events;
mod failures;
mod group_commit;
mod load_tests;
mod past;
mod records;
mod rules;
mod samples;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Reply, Store, StoreOptions};

/// A store in a directory of its own.
struct Fixture {
    store: Store,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

fn fixture() -> Fixture {
    fixture_with(&StoreOptions::default())
}

fn fixture_with(options: &StoreOptions) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("infrawatch.db");
    Fixture { store: Store::open(&path, options, 0).unwrap(), path, _directory: directory }
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
