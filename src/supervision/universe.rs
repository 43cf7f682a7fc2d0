//! A tree for tests: everything on the current arbiter, so that a paused clock drives it, and a guard that
//! fails the test when an actor is left over.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::placement::Places;
use super::snapshot::{KindSnapshot, KindState};
use super::spec::ChildSpec;
use super::tree::{RootFailure, Tree};

/// The wall time that failures in a universe are recorded with: 2026-11-21T01:15:22.042Z.
pub const WALL_NOW_MS: u64 = 1_795_223_722_042;

/// A tree that must be empty when it is dropped.
pub struct Universe {
    /// The tree.
    pub tree: Tree,
    failures: Arc<Mutex<Vec<RootFailure>>>,
}

impl Universe {
    /// A universe with all places on the current arbiter.
    pub fn new(table: Vec<ChildSpec>) -> Self {
        Self::with_places(table, Places::Here)
    }

    /// A universe with real threads.
    pub fn spread(table: Vec<ChildSpec>) -> Self {
        Self::with_places(table, Places::Spread)
    }

    fn with_places(table: Vec<ChildSpec>, places: Places) -> Self {
        let failures = Arc::new(Mutex::new(Vec::new()));
        let sink = failures.clone();
        let on_root_failure = Arc::new(move |failure| sink.lock().push(failure));
        let faults = crate::fault::Faults::new();
        Self { tree: Tree::new(table, places, || WALL_NOW_MS, on_root_failure, Some(&faults)), failures }
    }

    /// What reached the root so far.
    pub fn root_failures(&self) -> Vec<RootFailure> {
        self.failures.lock().clone()
    }

    /// The row of a kind as it stands.
    ///
    /// # Panics
    /// When the table has no such row.
    pub fn row(&self, kind: &str) -> KindSnapshot {
        let rows = self.tree.snapshot();
        rows.into_iter().find(|row| row.kind == kind).unwrap_or_else(|| panic!("no row {kind:?}"))
    }

    /// Lets virtual time pass until no child waits out a back-off. With a paused clock this takes no time.
    pub async fn settle(&self) {
        loop {
            // One millisecond lets every task that can run do so before the question.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.tree.snapshot().iter().all(|row| row.state != KindState::Restarting) {
                return;
            }
        }
    }

    /// Stops everything in good order and checks that nothing is left, waiting messages included.
    ///
    /// # Panics
    /// When a child cannot be ended, or a message is still counted.
    pub async fn finish(self) {
        let left = self.tree.stop_all(Duration::from_secs(5)).await;
        assert!(left.is_empty(), "actors that do not stop: {left:?}");
        assert_eq!(self.tree.totals().mailbox_depth, 0, "messages still counted after the end");
    }
}

impl Drop for Universe {
    fn drop(&mut self) {
        let left: Vec<_> =
            self.tree.snapshot().iter().filter(|r| r.instances > 0).map(|r| (r.kind, r.instances)).collect();
        if !left.is_empty() && !std::thread::panicking() {
            panic!("actors leaked: {left:?}");
        }
    }
}
