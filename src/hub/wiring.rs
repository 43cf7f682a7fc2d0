//! Which part knows which, and the start of what exists once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::HubOptions;
use super::breakers::{BreakersActor, BreakersArgs};
use super::elsewhere;
use super::engine::{EngineActor, EngineArgs};
use super::keeper::{KeeperActor, KeeperArgs};
use crate::alert::heartbeats::Heartbeats;
use crate::alert::{Alerts, AlertsArgs};
use crate::auth::Auth;
use crate::breaker::Breakers;
use crate::broker::{Broker, BrokerActor, BrokerArgs};
use crate::clock::Clock;
use crate::config::{LabSection, RoomSection, SyncSection, TopicSection};
use crate::connection::{Clients, HubInfo, Services, Shards};
use crate::engine::Carrier;
use crate::fault::Faults;
use crate::http::{Desk, State};
use crate::ids::NodeName;
use crate::ingest::sampler::SamplerArgs;
use crate::ingest::{Ingest, SamplerActor};
use crate::lab::faults::Scenarios;
use crate::lab::runs::{Limits, LoadTests, LoadTestsArgs};
use crate::node::{Fleet, FleetActor, FleetArgs};
use crate::ownership::{Leasing, Ownership, OwnershipActor};
use crate::room::{Rooms, RoomsActor};
use crate::rule::{Handover, RuleDirectory, Rules, RulesActor, RulesArgs};
use crate::store::Store;
use crate::supervision::Tree;
use crate::sync::{Documents, DocumentsActor, DocumentsArgs};
use crate::telemetry::Latency;
use crate::webhook::{Webhooks, WebhooksActor};

/// What is opened before the parts are wired.
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) started_ms: u64,
    pub(super) store: Store,
    pub(super) carrier: Option<Carrier>,
    pub(super) leasing: Option<Leasing>,
    pub(super) breakers: Breakers,
    pub(super) address: SocketAddr,
    pub(super) auth: Auth,
    pub(super) tree: Tree,
    pub(super) node: NodeName,
    pub(super) faults: Option<Arc<Faults>>,
    pub(super) scenarios: Option<Scenarios>,
}

/// Makes every part know those below it.
pub(super) fn wire(options: HubOptions, parts: Parts) -> Arc<State> {
    let Parts {
        clock,
        address,
        started_ms,
        store,
        breakers,
        auth,
        tree,
        node,
        faults,
        scenarios,
        carrier,
        leasing,
    } = parts;
    let ownership = leasing.as_ref().map_or_else(Ownership::alone, Leasing::ownership);
    let HubOptions { settings, data_dir, workers, dev, rate_limits, program, .. } = options;
    let webhooks = Webhooks::new(
        settings.webhook,
        carrier.as_ref().map(Carrier::redis),
        node.to_string(),
        clock.clone(),
    );
    let sections = (settings.topic, settings.room, settings.sync);
    let (broker, rooms, documents) =
        delivery(sections, &tree, &store, &webhooks, &clock, faults.as_ref(), carrier.as_ref());
    // Alone on its store a hub evaluates what it takes itself.
    let handover = carrier
        .as_ref()
        .filter(|_| !ownership.is_alone())
        .map(|carrier| Handover::new(carrier.redis().clone()));
    let own_alerts = AlertsArgs {
        tree: tree.clone(),
        store: store.clone(),
        broker: broker.clone(),
        breakers: breakers.clone(),
        settings: settings.alert.clone(),
        ownership: ownership.clone(),
        clock: clock.clone(),
    };
    let (own_alerts, rules) = alerts_and_rules(own_alerts, handover);
    let shared_by =
        carrier.as_ref().filter(|_| store.is_apart()).map(|carrier| Arc::from(carrier.instance()));
    let fleet = Fleet::new(FleetArgs {
        hub: shared_by.clone(),
        ownership: ownership.clone(),
        tree: tree.clone(),
        broker: broker.clone(),
        store: store.clone(),
        rules: rules.clone(),
        settings: settings.ingest.clone(),
        clock: clock.clone(),
    });
    let ingest = Ingest::new(fleet.clone(), store.clone(), breakers.clone(), settings.ingest, clock.clone());
    let shards = Shards::default();
    let shared_by: &str = shared_by.as_deref().unwrap_or_default();
    let desk = Desk::new(&settings.http, rate_limits, &clock);
    let services = Arc::new(Services {
        broker,
        breakers,
        latency: Latency::default(),
        rooms,
        documents,
        webhooks,
        alerts: own_alerts,
        rules,
        ingest,
        auth: Arc::new(auth),
        clients: Clients::new(shards.clone(), shared_by),
        store: store.clone(),
        carrier,
        tree,
        settings: settings.connection,
        rate_limits,
        ownership,
        hub: HubInfo { version: env!("CARGO_PKG_VERSION"), node: node.to_string() },
        clock,
        faults,
    });
    let heartbeats = Heartbeats::new(services.alerts.clone(), store.clone(), services.clock.clone());
    Arc::new(State {
        load_tests: load_tests(&services, &fleet, settings.lab, address, program),
        services,
        shards,
        fleet,
        store,
        leasing,
        settings: settings.http,
        sampler: settings.sampler,
        store_settings: settings.store,
        dev,
        started_ms,
        workers,
        address,
        data_dir,
        alert_settings: settings.alert,
        heartbeats,
        scenarios,
        desk,
        draining: watch::Sender::new(false),
    })
}

fn delivery(
    (topic, room, sync): (TopicSection, RoomSection, SyncSection),
    tree: &Tree,
    store: &Store,
    webhooks: &Webhooks,
    clock: &Clock,
    faults: Option<&Arc<Faults>>,
    carrier: Option<&Carrier>,
) -> (Broker, Rooms, Documents) {
    let key_bytes_max = topic.key_bytes_max;
    let broker = Broker::new(BrokerArgs {
        tree: tree.clone(),
        store: store.clone(),
        settings: Arc::new(topic),
        carrier: carrier.cloned(),
        clock: clock.clone(),
        faults: faults.cloned(),
    });
    let parts = (tree.clone(), broker.clone(), webhooks.clone());
    let rooms = Rooms::new(parts, room, carrier, clock.clone());
    let documents = Documents::new(DocumentsArgs {
        tree: tree.clone(),
        store: store.clone(),
        broker: broker.clone(),
        settings: sync,
        key_bytes_max,
        clock: clock.clone(),
        faults: faults.cloned(),
    });
    (broker, rooms, documents)
}

fn alerts_and_rules(args: AlertsArgs, handover: Option<Handover>) -> (Alerts, Rules) {
    let (tree, store, clock) = (args.tree.clone(), args.store.clone(), args.clock.clone());
    let rules_max = args.settings.rules_max;
    let alerts = Alerts::new(args);
    let rules = Rules::new(RulesArgs { tree, store, alerts: alerts.clone(), handover, rules_max, clock });
    (alerts, rules)
}

fn load_tests(
    services: &Services,
    fleet: &Fleet,
    settings: LabSection,
    address: SocketAddr,
    program: PathBuf,
) -> LoadTests {
    LoadTests::new(LoadTestsArgs {
        tree: services.tree.clone(),
        store: services.store.clone(),
        broker: services.broker.clone(),
        fleet: fleet.clone(),
        auth: services.auth.clone(),
        limits: Limits::new(&settings, &services.settings, services.rate_limits),
        settings,
        address,
        program,
        clock: services.clock.clone(),
    })
}

/// Starts what exists once, in the order of the table. Workers start their shards themselves.
pub(super) fn start_singletons(state: &Arc<State>, node: NodeName, rule_directory: Option<RuleDirectory>) {
    let services = &state.services;
    let tree = &services.tree;
    let keeper = KeeperArgs { state: Arc::downgrade(state) };
    tree.start("keeper", KeeperActor::new(keeper), None);
    let breakers = BreakersArgs { state: Arc::downgrade(state) };
    tree.start("breakers", BreakersActor::new(breakers), None);
    if let Some(carrier) = &services.carrier {
        elsewhere::hear_of_topics(state, carrier);
        if services.broker.shares_store() {
            elsewhere::hear_of_clients(state, carrier);
            elsewhere::hear_of_revocations(state, carrier);
        }
        tree.start("engine", EngineActor::new(EngineArgs { state: Arc::downgrade(state) }), None);
    }
    if let Some(leasing) = &state.leasing {
        tree.start("ownership", OwnershipActor::new(leasing.clone()), None);
    }
    if let Some(scenarios) = &state.scenarios {
        scenarios.start(services, &state.shards, state.address);
    }
    tree.start("broker", BrokerActor::new(services.broker.clone()), None);
    tree.start("webhooks", WebhooksActor::new(services.webhooks.clone()), None);
    tree.start("rooms", RoomsActor::new(services.rooms.clone()), None);
    tree.start("documents", DocumentsActor::new(services.documents.clone()), None);
    services.alerts.start_actor();
    tree.start("rules", RulesActor::new(services.rules.clone(), rule_directory), None);
    tree.start("fleet", FleetActor::new(state.fleet.clone()), None);
    if state.sampler.enabled {
        let args = SamplerArgs {
            ingest: services.ingest.clone(),
            node,
            interval_ms: state.sampler.interval_ms,
            clock: services.clock.clone(),
        };
        tree.start("sampler", SamplerActor::new(args), None);
    }
    state.load_tests.start_actor();
}
