//! A whole hub in this process, so that its actors can be made to crash.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use infrawatch::auth::{NewToken, Role};
use infrawatch::config::Settings;
use infrawatch::http::State;
use infrawatch::hub::{Hub, HubError, HubOptions, bind};
use infrawatch::ids::{NodeName, TopicName};
use infrawatch::node::NodeView;
use infrawatch::supervision::fault::Phase;
use infrawatch::supervision::{KindSnapshot, KindState, Places};
use infrawatch::telemetry::Cause;
use infrawatch::topic::messages::TopicView;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::hub::{Client, until, within};

/// The hub. Stopped and waited for on drop.
pub(super) struct Inside {
    pub(super) state: Arc<State>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<Result<(), HubError>>>,
    thread: Option<JoinHandle<()>>,
    directory: TempDir,
}

impl Inside {
    /// Two workers, all actors on the threads of their rows.
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.sampler.node = "here".into();
        settings.sampler.interval_ms = 100;
        let options = HubOptions {
            settings,
            data_dir: directory.path().to_owned(),
            workers: 2,
            dev: false,
            rate_limits: false,
            places: Places::Spread,
        };
        let (stop, stopped) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let (ready, started) = sync_channel(1);
        let thread = thread::spawn(move || {
            let served = actix::System::new().block_on(async move {
                let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
                let hub = Hub::start(options, listener).await?;
                ready.send((hub.state(), hub.address()?)).unwrap();
                hub.serve(async { drop(stopped.await) }).await
            });
            // Nobody may be waiting for it.
            drop(over.send(served));
        });
        let (state, address) = started.recv().expect("the hub starts");
        let (stop, ended, thread) = (Some(stop), Some(ended), Some(thread));
        Self { state, address, stop, ended, thread, directory }
    }

    pub(super) async fn client(&self, client_id: &str) -> Client {
        let new =
            NewToken { subject: "ann".into(), role: Role::Admin, node: None, topics: None, ttl_ms: 600_000 };
        let (token, _) = self.state.services.auth.issue(new, infrawatch::clock::system_unix_ms()).unwrap();
        let url = format!("ws://{}/ws/{client_id}", self.address);
        Client::open_url(&url, &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// Keeps the store from committing for as long as this is held.
    pub(super) fn hold_commits(&self) -> Connection {
        let lock = Connection::open(self.directory.path().join("infrawatch.db")).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        lock
    }

    /// Waits for the hub to end by itself; why.
    pub(super) async fn ended(&mut self) -> Result<(), HubError> {
        within("the hub ends", self.ended.take().unwrap()).await.unwrap()
    }

    /// The row of a kind as it stands.
    pub(super) fn row(&self, kind: &str) -> KindSnapshot {
        let rows = self.state.services.tree.snapshot();
        rows.into_iter().find(|row| row.kind == kind).unwrap()
    }

    pub(super) async fn topic(&self, name: &str) -> TopicView {
        let topic = self.state.services.broker.open(&TopicName::parse(name).unwrap()).unwrap();
        topic.view(0, &Cause::own()).await.unwrap()
    }

    pub(super) async fn node(&self, name: &str) -> NodeView {
        until(name, async || self.state.fleet.view(&NodeName::parse(name).unwrap(), &Cause::own()).await)
            .await
    }

    /// Makes an actor crash in a phase of its life.
    pub(super) fn crash(&self, kind: &str, instance: &str, phase: Phase) {
        let tree = &self.state.services.tree;
        tree.arm(kind, instance, phase, 1);
        if matches!(phase, Phase::Started | Phase::Restarting) {
            // These come only after another crash.
            tree.arm(kind, instance, Phase::Handler, 1);
        }
    }

    /// Waits until the actors of a kind run again after so many restarts; how long that took.
    pub(super) async fn back(&self, kind: &str, restarts: u64) -> Duration {
        let begin = Instant::now();
        let what = format!("{kind} is back");
        until(&what, async || {
            let row = self.row(kind);
            (row.restarts >= restarts && row.state == KindState::Running).then_some(())
        })
        .await;
        begin.elapsed()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It may have ended by itself.
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()), "the hub's thread panicked");
    }
}
