//! The hub of a model test: real topics, real connections, one thread, time that moves by hand.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use infrawatch::auth::Claims;
use infrawatch::clock::{Clock, ManualClock};
use infrawatch::config::Settings;
use infrawatch::connection::requests::Resumed;
use infrawatch::connection::{Arrival, Identity, Shard};
use infrawatch::http::State;
use infrawatch::hub::{Hub, HubOptions, bind};
use infrawatch::ids::{ClientId, TopicName};
use infrawatch::protocol::codes::Close;
use infrawatch::protocol::encoding::Format;
use infrawatch::supervision::Places;
use infrawatch::supervision::fault::Phase;
use infrawatch::telemetry::Cause;
use infrawatch::topic::Member;
use tempfile::TempDir;
use tokio::time::Instant;

use super::pipe::Pipe;

/// Messages that a log topic keeps here, in memory; a room keeps fewer.
pub(super) const HISTORY_MAX: usize = 12;
pub(super) const ROOM_HISTORY_MAX: usize = 5;
/// How long it keeps them.
pub(super) const AGE_MS_MAX: u64 = 6_000;

/// Longer than any history.
const IDLE_MS_MAX: u64 = 3_600_000;

/// The hub.
pub(super) struct World {
    pub(super) state: Arc<State>,
    shard: Rc<Shard>,
    hand: ManualClock,
    started: Instant,
    moved_ms: std::cell::Cell<u64>,
    histories: std::cell::Cell<u64>,
    _hub: Hub,
    _directory: TempDir,
}

fn settings(outbox_bytes_max: usize) -> Settings {
    let mut settings = Settings::default();
    settings.sampler.enabled = false;
    let topic = &mut settings.topic;
    topic.history_messages_max = HISTORY_MAX;
    topic.history_age_ms_max = AGE_MS_MAX;
    topic.room_history_messages = ROOM_HISTORY_MAX;
    topic.batch_messages_max = 4;
    topic.idle_ms_max = IDLE_MS_MAX;
    // Time that moves by hand makes any commit look slow.
    settings.breaker.call_ms_max = 100 * IDLE_MS_MAX;
    settings.alert.seeds = false;
    let connection = &mut settings.connection;
    connection.outbox_bytes_max = outbox_bytes_max;
    connection.ping_interval_ms = 10 * IDLE_MS_MAX;
    connection.write_deadline_ms = 10 * IDLE_MS_MAX;
    settings
}

impl World {
    pub(super) async fn start(outbox_bytes_max: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(1_795_223_722_042);
        let options = HubOptions {
            settings: settings(outbox_bytes_max),
            data_dir: directory.path().to_owned(),
            store: None,
            signing_key: None,
            workers: 1,
            dev: true,
            rate_limits: false,
            places: Places::Here,
            clock,
            program: env!("CARGO_BIN_EXE_infrawatch").into(),
            lab: true,
            rules: None,
            redis_url: None,
            advertise: None,
        };
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let started = Instant::now();
        let hub = Hub::start(options, listener).await.unwrap();
        let state = hub.state();
        let shard = state.shards.start(0, &state.services);
        let world = Self {
            state,
            shard,
            hand,
            started,
            moved_ms: 0.into(),
            histories: 0.into(),
            _hub: hub,
            _directory: directory,
        };
        world.settle(false).await;
        world
    }

    /// A number that no history before had.
    pub(super) fn next_history(&self) -> u64 {
        self.histories.set(self.histories.get() + 1);
        self.histories.get()
    }

    /// Time has gone on by itself where everybody waited for it: the hub's clock follows.
    fn follow_time(&self) {
        let elapsed_ms = self.started.elapsed().as_millis() as u64;
        self.hand.advance_ms(elapsed_ms.saturating_sub(self.moved_ms.get()));
        self.moved_ms.set(elapsed_ms.max(self.moved_ms.get()));
    }

    /// Lets everybody do what can be done now. The paused clock ends the wait as soon as nobody can do anything.
    pub(super) async fn settle(&self, stored: bool) {
        // What is written to the store is committed, released, and perhaps read again.
        for _ in 0..if stored { 3 } else { 0 } {
            let committed = self.state.store.settled();
            let wait = move || tokio::runtime::Handle::current().block_on(committed);
            // Time stands still while a blocking task runs, but not while another thread writes.
            tokio::task::spawn_blocking(wait).await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.follow_time();
    }

    pub(super) async fn pass(&self, ms: u64, stored: bool) {
        self.hand.advance_ms(ms);
        self.moved_ms.set(self.moved_ms.get() + ms);
        tokio::time::advance(Duration::from_millis(ms)).await;
        self.settle(stored).await;
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.state.services.clock.unix_ms()
    }

    /// Connects a client that holds the other end of `pipe`.
    pub(super) fn connect(&self, client_id: &str, pipe: &Pipe) -> Member {
        let identity = Identity {
            client_id: ClientId::parse(client_id).unwrap(),
            claims: Arc::new(Claims::development()),
            address: Ipv4Addr::LOCALHOST.into(),
        };
        let clients = &self.state.services.clients;
        let id = identity.client_id.clone();
        let arrived = clients.arrive(&identity, self.now_ms(), usize::MAX).unwrap();
        if let Some(seat) = arrived.takes_over.and_then(|(_, member)| self.shard.seat(member)) {
            // Its end is on its way.
            self.shard.end(&seat, Close::Replaced);
        }
        let subscriptions = clients.session(&id).unwrap().subscriptions;
        let arrival = Arrival {
            io: Box::new(pipe.clone()),
            leftover: Vec::new(),
            identity,
            format: Format::JSON,
            presets: &[],
            resumed: Resumed { resumed: arrived.resumed, subscriptions, dropped: 0 },
            response: Vec::new(),
        };
        let member = self.shard.admit(arrival, &Cause::own());
        clients.seated(&id, arrived.arrived, 0, member);
        member
    }

    /// Does as if the client had sent this.
    pub(super) fn tell(&self, member: Member, text: &str) {
        let Some(seat) = self.shard.seat(member) else { return };
        seat.socket.push_inbound(infrawatch::connection::socket::Inbound::Text(text.into()));
        seat.wake_actor(&Cause::own());
    }

    pub(super) fn has(&self, member: Member) -> bool {
        self.shard.seat(member).is_some()
    }

    pub(super) async fn epoch(&self, topic: &TopicName) -> String {
        let handle = self.state.services.broker.open(topic).unwrap();
        handle.view(0, &Cause::own()).await.unwrap().epoch.to_string()
    }

    /// Makes a topic panic and waits until it is back.
    pub(super) async fn crash(&self, topic: &TopicName, stored: bool) {
        self.state.services.tree.arm("topic", topic.as_str(), Phase::Handler, 1);
        self.settle(stored).await;
        self.pass(100, stored).await;
    }

    /// Forgets the topics of a history.
    pub(super) async fn tidy_up(&self) {
        self.settle(false).await;
        self.hand.advance_ms(IDLE_MS_MAX + 1);
        self.state.services.broker.sweep();
        self.settle(false).await;
    }
}
