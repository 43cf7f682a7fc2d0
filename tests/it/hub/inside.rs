//! A whole hub in this process: its state in reach, its actors made to crash, its time moved by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use infrawatch::auth::{NewToken, Role};
use infrawatch::clock::Clock;
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
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Client, until, within};

/// The hub. Stopped and waited for on drop.
pub(crate) struct Inside {
    pub(crate) state: Arc<State>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<Result<(), HubError>>>,
    thread: Option<JoinHandle<()>>,
    directory: TempDir,
}

impl Inside {
    /// Two workers, all actors on the threads of their rows.
    pub(crate) fn start() -> Self {
        Self::with(|_options| {})
    }

    /// The same with other options.
    pub(crate) fn with(change: impl FnOnce(&mut HubOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.sampler.node = "here".into();
        settings.alert.seeds = false;
        settings.sampler.interval_ms = 100;
        let mut options = HubOptions {
            settings,
            data_dir: directory.path().to_owned(),
            store: None,
            signing_key: None,
            workers: 2,
            dev: false,
            rate_limits: false,
            places: Places::Spread,
            clock: Clock::system(),
            program: env!("CARGO_BIN_EXE_infrawatch").into(),
            lab: true,
            rules: None,
            redis_url: None,
            advertise: None,
        };
        change(&mut options);
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

    pub(crate) async fn client(&self, client_id: &str) -> Client {
        let url = format!("ws://{}/ws/{client_id}", self.address);
        Client::open_url(&url, &[("authorization", &format!("Bearer {}", self.token(Role::Admin)))]).await
    }

    pub(crate) fn token(&self, role: Role) -> String {
        let new = NewToken { subject: "ann".into(), role, node: None, topics: None, ttl_ms: 86_400_000 };
        self.state.services.auth.issue(new, self.state.services.clock.unix_ms()).unwrap().0
    }

    /// The URL of the API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks the API as an admin; status, `Retry-After`, body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Option<u64>, Value) {
        self.ask(reqwest::Client::new().get(self.url(path))).await
    }

    /// As [`Inside::get`], with a body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Option<u64>, Value) {
        self.ask(reqwest::Client::new().post(self.url(path)).json(body)).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> (u16, Option<u64>, Value) {
        let sending = request.bearer_auth(self.token(Role::Admin)).send();
        let answer = within("an answer", sending).await.unwrap();
        let retry_after_s = answer.headers().get("retry-after").map(|s| s.to_str().unwrap().parse().unwrap());
        (answer.status().as_u16(), retry_after_s, within("a body", answer.json()).await.unwrap())
    }

    /// Keeps the store from committing for as long as this is held.
    pub(crate) fn hold_commits(&self) -> Connection {
        let lock = Connection::open(self.directory.path().join("infrawatch.db")).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        lock
    }

    /// Waits for the hub to end by itself; why.
    pub(crate) async fn ended(&mut self) -> Result<(), HubError> {
        within("the hub ends", self.ended.take().unwrap()).await.unwrap()
    }

    /// The row of a kind as it stands.
    pub(crate) fn row(&self, kind: &str) -> KindSnapshot {
        let rows = self.state.services.tree.snapshot();
        rows.into_iter().find(|row| row.kind == kind).unwrap()
    }

    pub(crate) async fn topic(&self, name: &str) -> TopicView {
        let topic = self.state.services.broker.open(&TopicName::parse(name).unwrap()).unwrap();
        topic.view(0, &Cause::own()).await.unwrap()
    }

    pub(crate) async fn node(&self, name: &str) -> NodeView {
        let node = NodeName::parse(name).unwrap();
        until(name, async || self.state.fleet.view(&node, &Cause::own()).await.ok().flatten()).await
    }

    /// Makes an actor crash in a phase of its life.
    pub(crate) fn crash(&self, kind: &str, instance: &str, phase: Phase) {
        let tree = &self.state.services.tree;
        tree.arm(kind, instance, phase, 1);
        if matches!(phase, Phase::Started | Phase::Restarting) {
            // These come only after another crash.
            tree.arm(kind, instance, Phase::Handler, 1);
        }
    }

    /// Waits until the actors of a kind run again after so many restarts; how long that took.
    pub(crate) async fn back(&self, kind: &str, restarts: u64) -> Duration {
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
