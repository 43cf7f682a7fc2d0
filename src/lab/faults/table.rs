//! *The* table of fault scenarios. `docs/reliability-lab.md` is compared with it by a test.

use super::parameters::{Domain, Parameter};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is described by its row")]
pub enum Scenario {
    Latency,
    DropFrames,
    DuplicateFrames,
    SlowConsumer,
    ReconnectStorm,
    ActorPanic,
    HungActor,
    StoreSlow,
    StoreGone,
    DiskFull,
    ClockJump,
    MemoryPressure,
    HotTopic,
    PoisonMessage,
    ExpiredTokens,
    RedisGone,
    PostgresGone,
    Partition,
}

/// One row: what a scenario does, what it can be told, and what must hold while it is active.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub scenario: Scenario,
    /// Its name in the API.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// Where.
    pub subsystem: &'static str,
    /// What it can be told.
    pub parameters: &'static [Parameter],
    /// It ends by itself after at most so many seconds.
    pub duration_s_max: u64,
    /// It can be enabled so long after its last start, in seconds; 0 is at once.
    pub again_after_s: u64,
    /// What keeps it from doing lasting harm.
    pub guard: &'static str,
    /// The metric that shows it.
    pub metric: &'static str,
    /// What must hold while it is active and after it.
    pub promise: &'static str,
}

impl Scenario {
    /// Its row.
    pub fn row(self) -> &'static Row {
        &SCENARIOS[self as usize]
    }

    /// The scenario of a name.
    pub fn parse(name: &str) -> Option<Self> {
        SCENARIOS.iter().find(|row| row.name == name).map(|row| row.scenario)
    }
}

/// Kinds of actors that may panic; the last one ends the scenarios.
pub const PANIC_KINDS: &[&str] = &[
    "topic",
    "room",
    "document",
    "node",
    "connection",
    "broker",
    "rooms",
    "documents",
    "fleet",
    "sampler",
    "breakers",
    "keeper",
    "lag_probe",
    "shard",
    "lab_faults",
];

/// Kinds of actors that may get no turn: all but the one that ends the scenarios.
pub const HUNG_KINDS: &[&str] = PANIC_KINDS.split_at(PANIC_KINDS.len() - 1).0;

const fn number(name: &'static str, unit: &'static str, default: i64, min: i64, max: i64) -> Parameter {
    Parameter { name, unit: Some(unit), domain: Domain::Number { default, min, max } }
}

const fn text(name: &'static str, default: &'static str) -> Parameter {
    Parameter { name, unit: None, domain: Domain::Text { default, prefix: "" } }
}

const fn own(name: &'static str, default: &'static str) -> Parameter {
    Parameter { name, unit: None, domain: Domain::Text { default, prefix: "lab:" } }
}

const fn word(name: &'static str, allowed: &'static [&'static str]) -> Parameter {
    Parameter { name, unit: None, domain: Domain::Word { allowed } }
}

const PATTERNS: [Parameter; 3] =
    [text("clients", "*"), text("topics", "*"), number("percent", "%", 20, 1, 100)];

/// Every scenario, in the order of [`Scenario`].
pub const SCENARIOS: &[Row] = &[
    Row {
        scenario: Scenario::Latency,
        name: "latency",
        title: "Slow network",
        what: "Everything written to matching clients is held back: a fixed time, and a random one on top",
        subsystem: "connection",
        parameters: &[
            text("clients", "*"),
            number("delay_ms", "ms", 200, 1, 3_000),
            number("jitter_ms", "ms", 50, 0, 2_000),
        ],
        duration_s_max: 300,
        again_after_s: 0,
        guard: "at most 5 s in all, below the 8 s that a pong may take; 256 KiB a client, then its outbox fills",
        metric: "infrawatch_faults_injected_total{scenario=\"latency\"}",
        promise: "every message arrives, in order; clients that do not match are not delayed",
    },
    Row {
        scenario: Scenario::DropFrames,
        name: "drop_frames",
        title: "Lost frames",
        what: "Live data frames of matching log topics do not reach matching clients",
        subsystem: "connection",
        parameters: &PATTERNS,
        duration_s_max: 120,
        again_after_s: 0,
        guard: "answers, control frames, latest topics and what is recovered always go out",
        metric: "infrawatch_messages_dropped_total{cause=\"fault\"}",
        promise: "offsets show every gap, recovery fills it; what was withheld is not counted as delivered",
    },
    Row {
        scenario: Scenario::DuplicateFrames,
        name: "duplicate_frames",
        title: "Doubled frames",
        what: "Live data frames of matching log topics reach matching clients twice",
        subsystem: "connection",
        parameters: &PATTERNS,
        duration_s_max: 120,
        again_after_s: 0,
        guard: "the second one counts against the outbox like the first",
        metric: "infrawatch_faults_injected_total{scenario=\"duplicate_frames\"}",
        promise: "offsets tell a duplicate from a new message; nothing is missing",
    },
    Row {
        scenario: Scenario::SlowConsumer,
        name: "slow_consumer",
        title: "Client that does not read",
        what: "A client of the hub's own subscribes to a topic and never reads",
        subsystem: "connection",
        parameters: &[text("topic", "lab:hot")],
        duration_s_max: 300,
        again_after_s: 0,
        guard: "one connection with the rights of a viewer; its outbox is bounded like any other",
        metric: "infrawatch_connections_closed_total{cause=\"slow\"}",
        promise: "it is told less, then closed; every other subscriber gets every message",
    },
    Row {
        scenario: Scenario::ReconnectStorm,
        name: "reconnect_storm",
        title: "Connections cut at once",
        what: "Cuts open connections at once, without a close frame",
        subsystem: "connection",
        parameters: &[number("connections", "connections", 100, 1, 10_000)],
        duration_s_max: 60,
        again_after_s: 10,
        guard: "once each time; sessions are kept, nobody is locked out",
        metric: "infrawatch_connections_opened_total",
        promise: "who comes back resumes its session and recovers without a gap",
    },
    Row {
        scenario: Scenario::ActorPanic,
        name: "actor_panic",
        title: "Actor that crashes",
        what: "Actors of a kind panic while they handle a message",
        subsystem: "supervision",
        parameters: &[word("actor", PANIC_KINDS), text("instance", "*"), number("times", "panics", 1, 1, 3)],
        duration_s_max: 30,
        again_after_s: 60,
        guard: "at most 3 a minute, fewer than supervision gives an actor up for",
        metric: "infrawatch_supervision_restarts_total",
        promise: "it comes back within its back-off; its siblings and acknowledged messages are untouched",
    },
    Row {
        scenario: Scenario::HungActor,
        name: "hung_actor",
        title: "Actor that hangs",
        what: "Actors of a kind get no turn: messages wait in their inboxes, their timers stand still",
        subsystem: "supervision",
        parameters: &[word("actor", HUNG_KINDS), text("instance", "*")],
        duration_s_max: 60,
        again_after_s: 0,
        guard: "inboxes are bounded; it can be stopped; the actor that ends scenarios cannot hang",
        metric: "infrawatch_supervision_mailbox_depth",
        promise: "others go on as before; what waited is handled in order afterwards",
    },
    Row {
        scenario: Scenario::StoreSlow,
        name: "store_slow",
        title: "Slow disk",
        what: "Each commit of the store takes longer",
        subsystem: "store",
        parameters: &[number("delay_ms", "ms", 200, 10, 2_000)],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "the store's queue is bounded and refuses; below the time after which a call counts as failed",
        metric: "infrawatch_store_queue_depth",
        promise: "acknowledgements wait for their commit; topics in memory are as fast as before",
    },
    Row {
        scenario: Scenario::StoreGone,
        name: "store_gone",
        title: "Store that is gone",
        what: "Every write to the store fails, and its file cannot be opened",
        subsystem: "store",
        parameters: &[],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "the file is not touched; samples wait in memory up to their bound, agents keep the rest",
        metric: "infrawatch_breaker_opened_total{subsystem=\"store\"}",
        promise: "nothing acknowledged is lost; kept topics answer store_unavailable; samples are acknowledged later",
    },
    Row {
        scenario: Scenario::DiskFull,
        name: "disk_full",
        title: "Full disk",
        what: "No commit of the store finds room",
        subsystem: "store",
        parameters: &[],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "each transaction is rolled back; the file is as before",
        metric: "infrawatch_faults_injected_total{scenario=\"disk_full\"}",
        promise: "who waits is told, nothing half-written stays, and writing goes on when there is room",
    },
    Row {
        scenario: Scenario::ClockJump,
        name: "clock_jump",
        title: "Clock that jumps",
        what: "The hub's wall clock jumps, and back at the end",
        subsystem: "clock",
        parameters: &[number("offset_s", "s", 120, -240, 240)],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "less than histories keep a message (10 min); durations are measured by the monotonic clock",
        metric: "infrawatch_connections_active",
        promise: "no session is lost, no connection but those whose token is over by the new time; offsets stay in order; pings and rate limits go on",
    },
    Row {
        scenario: Scenario::MemoryPressure,
        name: "memory_pressure",
        title: "Memory pressure",
        what: "The hub holds memory that it does not need",
        subsystem: "process",
        parameters: &[number("mib", "MiB", 64, 1, 2_048)],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "at most half of what the machine has free",
        metric: "infrawatch_process_resident_memory_bytes",
        promise: "messages go on; health tells of the memory; all of it is given back",
    },
    Row {
        scenario: Scenario::HotTopic,
        name: "hot_topic",
        title: "Hot topic",
        what: "One topic is published to at a high rate; its messages are labelled synthetic",
        subsystem: "topic",
        parameters: &[
            own("topic", "lab:hot"),
            number("rate_hz", "Hz", 500, 1, 5_000),
            number("payload_bytes", "bytes", 200, 0, 4_096),
        ],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "topics of the namespace lab only; what may be on its way to sockets is bounded as for any publisher",
        metric: "infrawatch_messages_published_total",
        promise: "its subscribers get every message in order; critical messages of other topics are not delayed",
    },
    Row {
        scenario: Scenario::PoisonMessage,
        name: "poison_message",
        title: "Poison message",
        what: "A message makes the actor of its topic or document panic when it is handled",
        subsystem: "topic",
        parameters: &[word("actor", &["topic", "document"]), own("name", "lab:poison")],
        duration_s_max: 30,
        again_after_s: 20,
        guard: "topics and documents of the namespace lab only; one message each time",
        metric: "infrawatch_supervision_restarts_total",
        promise: "one crash, not two: it is not handled again, and what comes after it is",
    },
    Row {
        scenario: Scenario::ExpiredTokens,
        name: "expired_tokens",
        title: "Tokens that expired",
        what: "All tokens issued until now count as expired: connections close with 4009, requests get token_expired",
        subsystem: "auth",
        parameters: &[],
        duration_s_max: 60,
        again_after_s: 0,
        guard: "refresh tokens and sign-in work; a token that cannot be refreshed is good again at the end",
        metric: "infrawatch_connections_closed_total{cause=\"token expired\"}",
        promise: "who refreshes comes back and recovers without a gap; nobody else gets in",
    },
    Row {
        scenario: Scenario::RedisGone,
        name: "redis_gone",
        title: "Redis that is gone",
        what: "Nobody listens where this hub asks for Redis, and its connection for pushes breaks",
        subsystem: "engine",
        parameters: &[],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "Redis is not touched, other hub nodes go on; refused on a hub without Redis",
        metric: "infrawatch_engine_outages_total",
        promise: "degraded within 5 s; topics in memory go on here in an epoch of their own, kept ones as before; 5 s after the end all are shared again, and no place was given twice",
    },
    Row {
        scenario: Scenario::PostgresGone,
        name: "postgres_gone",
        title: "PostgreSQL that is gone",
        what: "Nobody listens where this hub asks for PostgreSQL: to write, to read, or for its leases",
        subsystem: "store",
        parameters: &[],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "the server is not touched, other hub nodes take what this one owned; refused on a hub on a file",
        metric: "infrawatch_samples_spilled_total{outcome=\"journaled\"}",
        promise: "nothing acknowledged is lost: samples wait on disk and are in the store once; what must be kept is refused; the hub goes on by itself, 5 s and breaker.open_ms after the end at most",
    },
    Row {
        scenario: Scenario::Partition,
        name: "partition",
        title: "Cut off from other hub nodes",
        what: "The way to Redis swallows everything: questions wait until their deadline, pushes do not come; PostgreSQL is there",
        subsystem: "engine",
        parameters: &[],
        duration_s_max: 120,
        again_after_s: 0,
        guard: "Redis and PostgreSQL are not touched, other hub nodes go on; refused on a hub without Redis",
        metric: "infrawatch_engine_outages_total",
        promise: "as redis_gone; kept messages reach both sides through the store",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_stand_in_the_order_of_the_enum_and_say_everything() {
        let mut names = HashSet::new();
        for (index, row) in SCENARIOS.iter().enumerate() {
            assert_eq!(row.scenario as usize, index, "{}", row.name);
            assert_eq!(Scenario::parse(row.name), Some(row.scenario));
            assert!(names.insert(row.name));
            for text in [row.title, row.what, row.subsystem, row.guard, row.metric, row.promise] {
                assert!(text.len() > 3 && !text.ends_with('.'), "{}: {text:?}", row.name);
            }
            assert!((1..=300).contains(&row.duration_s_max), "{}", row.name);
        }
    }

    #[test]
    fn defaults_are_allowed() {
        for row in SCENARIOS {
            for parameter in row.parameters {
                parameter
                    .domain
                    .check_default()
                    .unwrap_or_else(|e| panic!("{} {}: {e}", row.name, parameter.name));
            }
        }
    }

    #[test]
    fn who_ends_the_scenarios_cannot_hang() {
        assert!(!HUNG_KINDS.contains(&"lab_faults"));
        assert_eq!(HUNG_KINDS.len() + 1, PANIC_KINDS.len());
    }
}
