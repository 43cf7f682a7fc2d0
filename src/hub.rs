//! The composition root: *the* supervision table, the wiring, start and drain.
//!
//! Start goes down [`table`], drain goes up. The same table answers `GET /api/v1/supervision`; a test
//! compares it with the drawing in `docs/ARCHITECTURE.md`.

mod breakers;
mod draining;
mod elsewhere;
mod engine;
mod error;
mod heartbeat;
mod journal;
mod keeper;
mod listener;
mod owning;
mod seeds;
mod sessions;
mod wiring;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::auth::{Auth, Role, Tokens};
use crate::breaker::Breakers;
use crate::clock::{Clock, system_unix_ms};
use crate::config::Settings;
use crate::engine::{Carrier, Redis};
use crate::fault::Faults;
use crate::http::State;
use crate::ids::NodeName;
use crate::lab::faults::Scenarios;
use crate::ownership::{Fence, Unit};
use crate::rule::{RuleDirectory, RuleError};
use crate::store::{DataDirectory, Place, Store, StoreOptions};
use crate::supervision::{
    Backoff, ChildSpec, Intensity, OnGiveUp, Placement, Places, RestartPolicy, RootFailure, Tree, WhenFull,
    panic_hook,
};

use wiring::{Parts, start_singletons, wire};

pub use error::HubError;
pub use listener::bind;

/// How long a kind of actors may take to end, in milliseconds.
const STOP_MS_MAX: u64 = 2_000;

const MINUTE_MS: u64 = 60_000;

/// The supervision table: a row a kind, parents above children. Start goes down, drain goes up.
#[expect(clippy::too_many_lines, reason = "one table, a row a kind")]
pub fn table() -> Vec<ChildSpec> {
    vec![
        row(
            "keeper",
            None,
            "hub",
            "forgets what ran out, writes sessions, trims kept topics, misses heartbeats",
        ),
        row("breakers", None, "hub", "tells of breakers, releases what was queued and spilled"),
        ChildSpec {
            placement: Placement::Arbiter("engine"),
            ..row("engine", None, "delivery", "the way to other nodes through Redis: its line and its probe")
        },
        ChildSpec {
            // Nothing else may make a beat late.
            placement: Placement::Arbiter("ownership"),
            queue_bound: 8,
            ..row(
                "ownership",
                None,
                "hub",
                "tells the other nodes that this one lives; takes what only one may do",
            )
        },
        ChildSpec {
            placement: Placement::Arbiter("lab"),
            // Without it nothing goes wrong on purpose, which is no harm to anybody.
            on_give_up: OnGiveUp::Contain,
            queue_bound: 64,
            ..row("lab_faults", None, "lab", "turns fault scenarios on, and off when their time is over")
        },
        ChildSpec {
            placement: Placement::Arbiter("topics"),
            ..row("broker", None, "delivery", "parent of topics; sweeps idle ones")
        },
        ChildSpec {
            policy: RestartPolicy::Transient,
            placement: Placement::Arbiter("topics"),
            queue_bound: 65_536,
            ..row("topic", Some("broker"), "delivery", "order, history and fan-out of one topic")
        },
        ChildSpec {
            // Nobody else needs it: what was to be told waits.
            on_give_up: OnGiveUp::Contain,
            ..row("webhooks", None, "delivery", "delivers what happened to other programs")
        },
        row(
            "rooms",
            None,
            "delivery",
            "parent of rooms; sweeps empty ones, goes between them and other hub nodes",
        ),
        ChildSpec {
            policy: RestartPolicy::Transient,
            queue_bound: 4_096,
            ..row("room", Some("rooms"), "delivery", "who is in one room")
        },
        row("documents", None, "delivery", "parent of documents; publishes what a stop cut short"),
        ChildSpec {
            policy: RestartPolicy::Transient,
            queue_bound: 1_024,
            ..row("document", Some("documents"), "delivery", "shared state of one document")
        },
        ChildSpec {
            placement: Placement::Arbiter("alerts"),
            queue_bound: 65_536,
            ..row("alerts", None, "alerts", "owner of alerts: commits what becomes of them, and publishes it")
        },
        ChildSpec {
            placement: Placement::Arbiter("rules"),
            ..row("rules", None, "alerts", "parent of rules; lets time pass, keeps the state of their series")
        },
        ChildSpec {
            policy: RestartPolicy::Transient,
            placement: Placement::Arbiter("rules"),
            // Its own trouble; the others are evaluated as before.
            on_give_up: OnGiveUp::Contain,
            when_full: WhenFull::DropAndCount,
            ..row("rule", Some("rules"), "alerts", "one rule, evaluated on the samples that it wants")
        },
        row("fleet", None, "nodes", "parent of nodes; recalls the fleet from the store"),
        ChildSpec {
            policy: RestartPolicy::Transient,
            queue_bound: 256,
            ..row("node", Some("fleet"), "nodes", "newest samples, inventory and liveness of one machine")
        },
        ChildSpec {
            placement: Placement::Arbiter("sampler"),
            when_full: WhenFull::DropAndCount,
            ..row("sampler", None, "nodes", "samples the hub's own host")
        },
        ChildSpec {
            // A lab that is broken is no reason to end what it looks at.
            on_give_up: OnGiveUp::Contain,
            queue_bound: 64,
            ..row("lab_runs", None, "lab", "owns the load test that is under way, if there is one")
        },
        ChildSpec {
            placement: Placement::Caller,
            queue_bound: 8,
            when_full: WhenFull::DropAndCount,
            ..row("lag_probe", None, "hub", "how late one event loop is")
        },
        ChildSpec {
            placement: Placement::Caller,
            queue_bound: 4_096,
            when_full: WhenFull::DropAndCount,
            ..row(
                "shard",
                None,
                "connections",
                "the connections of one worker: fan-out, heartbeat, deadlines",
            )
        },
        ChildSpec {
            policy: RestartPolicy::Transient,
            placement: Placement::Caller,
            // One client's trouble; it is closed with 4500.
            on_give_up: OnGiveUp::Contain,
            queue_bound: 8,
            when_full: WhenFull::CloseClient,
            ..row("connection", Some("shard"), "connections", "what one client asks for")
        },
    ]
}

/// A row as most are; [`table`] says what is different.
const fn row(
    kind: &'static str,
    parent: Option<&'static str>,
    group: &'static str,
    purpose: &'static str,
) -> ChildSpec {
    ChildSpec {
        kind,
        parent,
        group,
        policy: RestartPolicy::Permanent,
        intensity: Intensity { restarts_max: 5, window_ms: MINUTE_MS },
        backoff: Backoff { min_ms: 10, max_ms: 2_000 },
        on_give_up: OnGiveUp::Escalate,
        placement: Placement::Arbiter("domain"),
        queue_bound: 1_024,
        when_full: WhenFull::Refuse,
        purpose,
    }
}

/// How a hub is run.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// All settings.
    pub settings: Settings,
    /// The signing key, and durable state if it is nowhere else.
    pub data_dir: PathBuf,
    /// The server with durable state; `None`: a file in `data_dir`.
    pub store: Option<Place>,
    /// A file with the key that tokens are signed with; `None` for the data directory's own.
    pub signing_key: Option<PathBuf>,
    /// Worker threads.
    pub workers: usize,
    /// No authentication: everybody is admin.
    pub dev: bool,
    /// Whether rate limits hold.
    pub rate_limits: bool,
    /// Where actors run: spread over arbiters, or all on the caller's (tests).
    pub places: Places,
    /// Time.
    pub clock: Clock,
    /// This program: its sub-command `loadtest` is started for load tests.
    pub program: PathBuf,
    /// Whether it can be made to fail on purpose.
    pub lab: bool,
    /// A directory of rule files that is followed.
    pub rules: Option<PathBuf>,
    /// The Redis that hub nodes share; `None` for a hub alone.
    pub redis_url: Option<String>,
    /// Where other hub nodes reach this one, `host:port`; `None`: where it listens.
    pub advertise: Option<String>,
}

/// A hub that is wired and listens, before it serves.
pub struct Hub {
    state: Arc<State>,
    listener: TcpListener,
    root_failures: mpsc::Receiver<RootFailure>,
    /// Keeps other hubs out of the data directory.
    _lock: crate::store::DirectoryLock,
}

impl Hub {
    /// Opens the store, wires the parts, starts the singletons of the table.
    pub async fn start(options: HubOptions, listener: TcpListener) -> Result<Self, HubError> {
        panic_hook::install();
        let faults = options.lab.then(Faults::new);
        let scenarios = faults.clone().map(|faults| Scenarios::new(faults, options.clock.clone()));
        let clock = options.clock.clone().with_faults(faults.clone());
        let started_ms = clock.unix_ms();
        let directory = DataDirectory::prepare(&options.data_dir)?;
        let lock = directory.lock()?;
        let queue_requests_max = options.settings.store.queue_max;
        let store_options =
            StoreOptions { queue_requests_max, faults: faults.clone(), ..StoreOptions::default() };
        let store = Store::open(directory.store_place(options.store.as_ref()), &store_options, started_ms)?;
        let redis = options.redis_url.as_deref().map(|url| Redis::new(url, &options.settings.engine));
        let redis = redis.transpose()?.map(|redis| redis.with_faults(faults.clone()));
        let engine = options.settings.engine.clone();
        let carrier = redis.map(|redis| Carrier::new(redis, engine, clock.clone()));
        let journal = journal::open(&options, &store, directory.path(), &clock)?;
        let breakers = Breakers::new(&options.settings.breaker, &clock);
        store.watched_by(breakers.clone());
        if store.is_new() && options.settings.alert.seeds {
            seeds::sow(&store, options.settings.alert.rules_max, started_ms).await?;
        }
        let given = options.signing_key.as_deref();
        let tokens = given.map_or_else(|| Tokens::open(directory.path()), Tokens::open_given)?;
        let auth = Auth::open(tokens, store.clone(), started_ms).await?.with_faults(faults.clone());
        let (failed, root_failures) = mpsc::channel(1);
        // A second failure while the hub is stopping for the first changes nothing.
        let on_root_failure = Arc::new(move |failure| drop(failed.try_send(failure)));
        let tree = Tree::new(table(), options.places, system_unix_ms, on_root_failure, faults.as_ref());
        let node = host_node(&options.settings)?;
        let address = listener.local_addr()?;
        let leasing = owning::leasing(&options, &store, carrier.as_ref(), &node, address)?;
        if let Some(leasing) = &leasing {
            leasing.beat().await;
        }
        let mut rule_files = options.rules.clone().map(RuleDirectory::new);
        let state = wire(
            options,
            Parts {
                clock,
                address,
                started_ms,
                store,
                carrier,
                leasing,
                journal,
                breakers,
                auth,
                tree,
                node: node.clone(),
                faults,
                scenarios,
            },
        );
        state.services.broker.recall_memory_topics().await?;
        sessions::recall(&state).await?;
        state.load_tests.recall().await?;
        start_singletons(&state, node, rule_files.clone());
        // Of several hub nodes the owner's actors begin by themselves.
        if let Some(fence @ Fence::Alone) = state.services.ownership.held(Unit::Alerts) {
            state.services.rules.begin(fence).await?;
            state.heartbeats.begin().await.map_err(RuleError::Alerts)?;
            if let Some(files) = &mut rule_files {
                state.services.rules.follow(files).await?;
            }
        }
        Ok(Self { state, listener, root_failures, _lock: lock })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr, HubError> {
        Ok(self.listener.local_addr()?)
    }

    /// A link that logs the browser in as admin, once.
    pub fn login_url(&self) -> Result<String, HubError> {
        let address = self.address()?;
        if self.state.dev {
            return Ok(format!("http://{address}/"));
        }
        let now_ms = self.state.services.clock.unix_ms();
        let token = self.state.services.auth.login_links().make("admin", Role::Admin, now_ms);
        Ok(format!("http://{address}/#login={token}"))
    }

    /// What handlers work with; for tests.
    pub fn state(&self) -> Arc<State> {
        self.state.clone()
    }

    /// Serves until `shutdown` resolves, then drains: connections leave in batches, actors end up the table,
    /// the store is flushed.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), HubError> {
        let Self { state, listener, mut root_failures, _lock } = self;
        let server = listener::serve(&state, listener)?;
        let handle = server.handle();
        let mut serving = actix_rt::spawn(server);
        let failure = tokio::select! {
            () = shutdown => None,
            failure = root_failures.recv() => failure.map(HubError::Root),
            ended = &mut serving => Some(HubError::Workers(format!("{ended:?}"))),
        };
        tracing::info!("draining");
        if let Some(leasing) = &state.leasing {
            leasing.go();
        }
        if let Some(scenarios) = &state.scenarios {
            scenarios.drain().await;
        }
        let limit = Duration::from_millis(state.settings.drain_ms_max);
        let drained = tokio::time::timeout(limit, async {
            // Before its connections are closed, which it would take for a fault.
            state.load_tests.drain().await;
            draining::drain_connections(&state).await;
            // With the threads that are about to end goes what connects them to Redis.
            state.services.rooms.end().await;
            handle.stop(false).await;
            if !serving.is_finished() {
                drop(serving.await);
            }
            if let Err(error) = state.services.broker.keep_memory_topics().await {
                tracing::warn!(%error, "topics in memory begin a new epoch after this");
            }
            state.services.tree.stop_all(Duration::from_millis(STOP_MS_MAX)).await
        })
        .await;
        match drained {
            Ok(left) => {
                for (kind, stuck) in left {
                    tracing::warn!(kind, stuck, "actors did not end");
                }
            }
            Err(_elapsed) => tracing::warn!(limit_ms = limit.as_millis(), "not drained in time"),
        }
        sessions::write(&state).await;
        owning::leave(&state).await;
        state.store.close().await;
        failure.map_or(Ok(()), Err)
    }
}

/// The name of the hub's own node: as set, else the host's.
fn host_node(settings: &Settings) -> Result<NodeName, HubError> {
    if !settings.sampler.node.is_empty() {
        return NodeName::parse(&settings.sampler.node)
            .map_err(|error| HubError::Setting(format!("sampler.node: {error}")));
    }
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(NodeName::parse(&hostname).unwrap_or_else(|_| NodeName::hub()))
}
