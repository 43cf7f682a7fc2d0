//! What the metric of a scenario shows: the number beside which one sees its effect.

use super::table::Scenario;
use crate::connection::Services;
use crate::telemetry::{Counter, Gauge, system};

/// The metric of the scenario's row, now.
pub(super) fn read(scenario: Scenario, services: &Services) -> u64 {
    let label = |counter: Counter, label: &str| counter.by_label().get(label).copied().unwrap_or(0);
    match scenario {
        Scenario::Latency | Scenario::DuplicateFrames | Scenario::DiskFull => {
            label(Counter::FaultsInjected, scenario.row().name)
        }
        Scenario::DropFrames => label(Counter::Dropped, "fault"),
        Scenario::SlowConsumer => label(Counter::ConnectionsClosed, "slow"),
        Scenario::ReconnectStorm => Counter::ConnectionsOpened.total(),
        Scenario::ActorPanic | Scenario::PoisonMessage => services.tree.totals().restarts,
        Scenario::HungActor => services.tree.totals().mailbox_depth as u64,
        Scenario::StoreSlow => services.store.stats().queue_requests as u64,
        Scenario::StoreGone => label(Counter::BreakerOpened, "store"),
        Scenario::ClockJump => Gauge::ConnectionsActive.get(),
        Scenario::MemoryPressure => system::memory().map_or(0, |memory| memory.resident_bytes),
        Scenario::HotTopic => Counter::Published.total(),
        Scenario::RedisGone | Scenario::Partition => Counter::EngineOutages.total(),
        Scenario::PostgresGone => label(Counter::SamplesSpilled, "journaled"),
        Scenario::ExpiredTokens => label(Counter::ConnectionsClosed, "token expired"),
    }
}
