//! What each scenario does when it begins and when it ends. The actor keeps what lives as long as the scenario.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::prelude::*;
use serde_json::json;

use super::FaultError;
use super::actor::{ScenariosActor, ScenariosArgs};
use super::lifecycle::Run;
use super::parameters::Parameters;
use super::slow_consumer;
use super::table::Scenario;
use crate::auth::{NewToken, Role, TopicClaims, TopicPattern};
use crate::broker::Draft;
use crate::connection::Services;
use crate::fault::{Frames, Latency, StoreFaults};
use crate::ids::{DocName, TopicName};
use crate::supervision::fault::Phase;
use crate::sync::Write;
use crate::telemetry::{Cause, Counter, system};
use crate::topic::Reply;

const MIB: u64 = 1 << 20;

/// Memory is taken in pieces of so many bytes.
const PIECE_BYTES: usize = 4 << 20;

/// One byte of each is written, so that the machine really gives it.
const PAGE_BYTES: usize = 4_096;

/// Time between two turns of the publisher of a hot topic, in milliseconds.
const HOT_TURN_MS: u64 = 20;

/// What lives as long as a scenario.
#[derive(Default)]
pub(super) struct Held {
    /// A timer or a future of the actor.
    pub(super) task: Option<SpawnHandle>,
    /// Memory that is of no use; given back when it is dropped.
    pub(super) _memory: Vec<Vec<u8>>,
}

/// A future that ends with the actor's life.
fn of_actor<F: Future + 'static>(future: F) -> impl ActorFuture<ScenariosActor, Output = F::Output> {
    wrap_future(future)
}

/// Begins a run.
pub(super) fn begin(
    run: &Run,
    args: &ScenariosArgs,
    services: &Arc<Services>,
    ctx: &mut Context<ScenariosActor>,
) -> Result<Held, FaultError> {
    let (told, faults) = (&run.parameters, &args.faults);
    let mut held = Held::default();
    stands_on(run.scenario, services)?;
    match run.scenario {
        Scenario::Latency => faults.set_latency(Some(Latency {
            clients: told.text("clients").to_owned(),
            delay_ms: told.count("delay_ms"),
            jitter_ms: told.count("jitter_ms"),
        })),
        Scenario::DropFrames => faults.set_dropped(Some(frames(told))),
        Scenario::DuplicateFrames => faults.set_duplicated(Some(frames(told))),
        Scenario::SlowConsumer => held.task = Some(do_not_read(run, args, services, ctx)),
        Scenario::ReconnectStorm => {
            let (shards, limit) = (args.shards.clone(), usize::try_from(told.count("connections")));
            let cut = async move {
                let cut = shards.cut_some(limit.unwrap_or(usize::MAX)).await;
                Counter::FaultsInjected.add_for("reconnect_storm", cut as u64);
            };
            held.task = Some(ctx.spawn(of_actor(cut)));
        }
        Scenario::ActorPanic => {
            let times = u32::try_from(told.count("times")).unwrap_or(1);
            services.tree.arm(told.text("actor"), told.text("instance"), Phase::Handler, times);
        }
        Scenario::HungActor => services.tree.hang(told.text("actor"), told.text("instance")),
        Scenario::StoreSlow => {
            faults.set_store(StoreFaults { slow_ms: told.count("delay_ms"), ..faults.store() });
        }
        Scenario::StoreGone => faults.set_store(StoreFaults { gone: true, ..faults.store() }),
        Scenario::DiskFull => faults.set_store(StoreFaults { full: true, ..faults.store() }),
        Scenario::ClockJump => faults.jump_clock(told.number("offset_s") * 1_000),
        Scenario::MemoryPressure => {
            let available_bytes = system::memory().map_or(0, |memory| memory.available_bytes);
            held._memory = take_memory(told.count("mib"), available_bytes)?;
        }
        Scenario::HotTopic => held.task = Some(publish_hotly(told, services, ctx)),
        Scenario::PoisonMessage => held.task = Some(send_poison(run, args, services, ctx)),
        Scenario::ExpiredTokens => {
            // Tokens know whole seconds: those of this one are from before.
            let now_ms = services.clock.unix_ms();
            faults.expire_tokens_before((now_ms / 1_000 + 1) * 1_000);
            services.auth.revocations().recheck();
        }
        Scenario::RedisGone => faults.set_redis_gone(true),
        Scenario::PostgresGone => faults.set_postgres_gone(true),
        Scenario::Partition => faults.set_redis_silent(true),
    }
    Ok(held)
}

/// Ends what a scenario has switched on. What it held is the actor's to drop.
pub(super) fn end(scenario: Scenario, args: &ScenariosArgs, services: &Services) {
    let faults = &args.faults;
    match scenario {
        Scenario::Latency => faults.set_latency(None),
        Scenario::DropFrames => faults.set_dropped(None),
        Scenario::DuplicateFrames => faults.set_duplicated(None),
        Scenario::ActorPanic => drop(services.tree.disarm()),
        Scenario::HungActor => services.tree.release(),
        Scenario::StoreSlow => faults.set_store(StoreFaults { slow_ms: 0, ..faults.store() }),
        Scenario::StoreGone => faults.set_store(StoreFaults { gone: false, ..faults.store() }),
        Scenario::DiskFull => faults.set_store(StoreFaults { full: false, ..faults.store() }),
        Scenario::ClockJump => faults.jump_clock(0),
        Scenario::PoisonMessage => faults.set_poison(None),
        Scenario::ExpiredTokens => faults.expire_tokens_before(0),
        Scenario::RedisGone => faults.set_redis_gone(false),
        Scenario::PostgresGone => faults.set_postgres_gone(false),
        Scenario::Partition => faults.set_redis_silent(false),
        Scenario::SlowConsumer | Scenario::ReconnectStorm | Scenario::MemoryPressure | Scenario::HotTopic => {
        }
    }
}

/// Whether the hub has what is to go.
fn stands_on(scenario: Scenario, services: &Services) -> Result<(), FaultError> {
    match scenario {
        Scenario::RedisGone | Scenario::Partition if services.carrier.is_none() => {
            Err(FaultError::NotHere { needed: "Redis", flag: "--redis-url" })
        }
        Scenario::PostgresGone if !services.store.is_apart() => {
            Err(FaultError::NotHere { needed: "PostgreSQL", flag: "--postgres-url" })
        }
        _ => Ok(()),
    }
}

fn frames(told: &Parameters) -> Frames {
    Frames {
        clients: told.text("clients").to_owned(),
        topics: told.text("topics").to_owned(),
        percent: u8::try_from(told.count("percent")).unwrap_or(100),
    }
}

/// Takes so much of the memory that the machine has free.
fn take_memory(mib: u64, available_bytes: u64) -> Result<Vec<Vec<u8>>, FaultError> {
    let mib_max = available_bytes / 2 / MIB;
    if mib > mib_max {
        return Err(FaultError::NoMemory { mib_max });
    }
    let pieces = usize::try_from(mib * MIB).unwrap_or(0).div_ceil(PIECE_BYTES);
    let mut memory = Vec::with_capacity(pieces);
    let mut left = usize::try_from(mib * MIB).unwrap_or(0);
    while left > 0 {
        let mut piece = vec![0_u8; left.min(PIECE_BYTES)];
        piece.iter_mut().step_by(PAGE_BYTES).for_each(|byte| *byte = 1);
        left -= piece.len();
        memory.push(piece);
    }
    Ok(memory)
}

fn do_not_read(
    run: &Run,
    args: &ScenariosArgs,
    services: &Services,
    ctx: &mut Context<ScenariosActor>,
) -> SpawnHandle {
    let topic = run.parameters.text("topic").to_owned();
    let new = NewToken {
        subject: "lab".into(),
        role: Role::Viewer,
        node: None,
        topics: TopicPattern::parse(&topic)
            .ok()
            .map(|pattern| TopicClaims { publish: Vec::new(), subscribe: vec![pattern] }),
        ttl_ms: run.scenario.row().duration_s_max * 1_000,
    };
    let token = services.auth.issue(new, services.clock.unix_ms());
    let (address, client_id) = (args.address, format!("lab-slow-{}", run.id));
    let reading = async move {
        let outcome = match token {
            Ok((token, _)) => slow_consumer::run(address, client_id, token, topic).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = outcome {
            tracing::warn!(error, "the client that does not read is gone");
        }
    };
    ctx.spawn(of_actor(reading))
}

fn publish_hotly(
    told: &Parameters,
    services: &Arc<Services>,
    ctx: &mut Context<ScenariosActor>,
) -> SpawnHandle {
    let (rate_hz, fill) = (told.count("rate_hz"), "x".repeat(told.count("payload_bytes") as usize));
    let topic = TopicName::parse(told.text("topic"));
    let services = Arc::downgrade(services);
    let (mut published, mut turns) = (0_u64, 0_u64);
    ctx.run_interval(Duration::from_millis(HOT_TURN_MS), move |_actor, _ctx| {
        let (Ok(topic), Some(services)) = (&topic, services.upgrade()) else { return };
        turns += 1;
        let due = turns * HOT_TURN_MS * rate_hz / 1_000;
        while published < due {
            published += 1;
            let payload = json!({ "synthetic": true, "n": published, "fill": fill });
            let Ok(draft) = Draft::of(&payload) else { return };
            match services.broker.publish(topic, draft, Reply::Nobody, &Cause::own()) {
                Ok(()) => Counter::FaultsInjected.add_for("hot_topic", 1),
                // The hub has enough under way; what was due in this turn is left out.
                Err(_overloaded) => published = due,
            }
        }
    })
}

fn send_poison(
    run: &Run,
    args: &ScenariosArgs,
    services: &Arc<Services>,
    ctx: &mut Context<ScenariosActor>,
) -> SpawnHandle {
    let key: Arc<str> = run.id.as_str().into();
    args.faults.set_poison(Some(key.clone()));
    Counter::FaultsInjected.add_for("poison_message", 1);
    let (name, services) = (run.parameters.text("name").to_owned(), services.clone());
    let to_document = run.parameters.text("actor") == "document";
    let sending = async move {
        let outcome = if to_document {
            send_to_document(&services, &name, key).await
        } else {
            send_to_topic(&services, &name, key).await
        };
        if let Err(error) = outcome {
            tracing::warn!(error, "the poison message was answered");
        }
    };
    ctx.spawn(of_actor(sending))
}

async fn send_to_topic(services: &Services, name: &str, key: Arc<str>) -> Result<(), String> {
    let topic = TopicName::parse(name).map_err(|error| error.to_string())?;
    let draft =
        Draft::of(&json!({ "synthetic": true, "poison": true })).map_err(|error| error.to_string())?;
    let sent = services.broker.publish_and_wait(&topic, draft.keyed(key), &Cause::own()).await;
    sent.map(drop).map_err(|error| error.to_string())
}

async fn send_to_document(services: &Services, name: &str, key: Arc<str>) -> Result<(), String> {
    let doc = DocName::parse(name).map_err(|error| error.to_string())?;
    let value = Some(Arc::from("true"));
    let write = Write { key, value, base_version: 0, time: None, writer: "lab".into() };
    let sent = services.documents.put(&doc, write, &Cause::own()).await;
    sent.map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_half_of_what_is_free_is_taken() {
        assert_eq!(take_memory(6, 11 * MIB), Err(FaultError::NoMemory { mib_max: 5 }));
        assert_eq!(take_memory(1, 0), Err(FaultError::NoMemory { mib_max: 0 }));
        let taken = take_memory(5, 11 * MIB).unwrap();
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>() as u64, 5 * MIB);
    }
}
