//! What a run does: a plan, read from YAML (JSON is YAML), checked before anything is opened.
//!
//! Unknown keys are errors that name the key and what is allowed; every number has bounds, so that a typing error
//! makes no weapon of a load test.

mod check;
mod defaults;

use std::fmt;
use std::net::SocketAddrV4;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::marker::MARKER_BYTES;

/// Clients of one run.
pub const CONNECTIONS: RangeInclusive<usize> = 1..=20_000;
/// Messages, frames or clients a second.
pub const RATE_HZ: RangeInclusive<f64> = 0.1..=10_000.0;
/// Published data in bytes; what the run needs to know a message again must fit.
pub const PAYLOAD_BYTES: RangeInclusive<usize> = MARKER_BYTES..=60_000;
/// Alerts of one run: each is a series of its rule.
pub const ALERTS_MAX: f64 = 5_000.0;
/// Where the alerts of a run are told.
pub(crate) const ALERTS_TOPIC: &str = "alerts_critical";
/// Length of one phase in seconds.
pub const PHASE_S: RangeInclusive<f64> = 0.1..=14_400.0;
/// Length of all phases together in seconds.
pub const RUN_S_MAX: f64 = 14_400.0;
/// Phases of one run.
pub const PHASES_MAX: usize = 16;
/// Deliveries or frames a second that a plan may ask for, all clients together.
pub const LOAD_HZ_MAX: f64 = 2_000_000.0;

/// Why a text is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The text is no YAML, or has a key or a value that no plan has; the message says where.
    #[error("{0}")]
    Text(String),
    /// A value lies outside of its bounds.
    #[error("`{key}` must lie between {min} and {max}, not {found}")]
    Bounds {
        /// The key as it stands in the plan.
        key: String,
        /// What stands there.
        found: String,
        /// Least value.
        min: String,
        /// Greatest value.
        max: String,
    },
    /// Values that do not go together.
    #[error("{0}")]
    Sense(String),
}

/// The kinds of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// A fixed number of messages in flight to all subscribers (closed loop): throughput.
    Fanout,
    /// Messages at fixed times whatever comes back (open loop): latency.
    Paced,
    /// All clients connect and subscribe at once, then get messages.
    Storm,
    /// Clients are cut off and come back with `recover` while messages are published.
    Reconnect,
    /// Some clients stop reading; the others must not notice.
    SlowReader,
    /// Clients leave and new ones come all the time.
    Churn,
    /// Agents push `metrics` frames and wait until they are durable.
    Ingest,
    /// Agents, subscribers and churn together.
    Mixed,
    /// `paced`, for long; what the server uses is sampled every few seconds.
    Soak,
    /// Samples that cross a rule's bound, among those of agents, to the alerts that subscribers get.
    AlertLatency,
}

impl Scenario {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Fanout,
        Self::Paced,
        Self::Storm,
        Self::Reconnect,
        Self::SlowReader,
        Self::Churn,
        Self::Ingest,
        Self::Mixed,
        Self::Soak,
        Self::AlertLatency,
    ];

    /// The scenario of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// The name as in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Paced => "paced",
            Self::Storm => "storm",
            Self::Reconnect => "reconnect",
            Self::SlowReader => "slow_reader",
            Self::Churn => "churn",
            Self::Ingest => "ingest",
            Self::Mixed => "mixed",
            Self::Soak => "soak",
            Self::AlertLatency => "alert_latency",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How urgent the published messages are; the hub sends `critical` at once and gathers the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// At once.
    #[default]
    Critical,
    /// Gathered for 100 ms.
    Normal,
    /// Gathered for 1 s.
    Low,
}

impl Priority {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// What a part of a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = RunPhaseKind))]
#[serde(rename_all = "snake_case")]
pub enum PhaseKind {
    /// The clients connect, spread over its length; nothing is published. Only the first phase can be one.
    RampUp,
    /// The load of the plan.
    #[default]
    Steady,
    /// The load times `factor`.
    Spike,
    /// The load of the plan again, to see whether the server is as before.
    Recovery,
}

impl PhaseKind {
    /// The name as in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::RampUp => "ramp_up",
            Self::Steady => "steady",
            Self::Spike => "spike",
            Self::Recovery => "recovery",
        }
    }
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// What it is called in the result.
    pub name: String,
    /// What it is for.
    pub kind: PhaseKind,
    /// Its length in seconds.
    pub duration_s: f64,
    /// A spike's load as a multiple of the plan's (2 when not given): the rate, and with `storm` and `churn` the
    /// clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
}

impl Phase {
    /// The load as a multiple of the plan's.
    pub fn load(&self) -> f64 {
        match self.kind {
            PhaseKind::RampUp => 0.0,
            PhaseKind::Steady | PhaseKind::Recovery => 1.0,
            PhaseKind::Spike => self.factor.unwrap_or(2.0),
        }
    }
}

/// What must hold; decides status and exit status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// 99 % of the messages come within this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Share of the messages due that may be lost, come twice or out of order, or be refused; 0 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<f64>,
    /// Share of the planned connections that must connect and stay; 1 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_success: Option<f64>,
    /// Least deliveries a second (acknowledged frames a second with `ingest`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_min: Option<f64>,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the run is called.
    #[serde(default)]
    pub name: String,
    /// The kind of run.
    pub scenario: Scenario,
    /// The hub, on loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SocketAddrV4>,
    /// Subscribers; with `ingest` agents.
    #[serde(default = "defaults::connections")]
    pub connections: usize,
    /// Messages a second while steady, with `alert_latency` alerts; also frames of each agent a second.
    #[serde(default = "defaults::rate_hz")]
    pub rate_hz: f64,
    /// Length of the published data in bytes.
    #[serde(default = "defaults::payload_bytes")]
    pub payload_bytes: usize,
    /// The topic; nobody else may publish to it meanwhile.
    #[serde(default = "defaults::topic")]
    pub topic: String,
    /// Urgency of the messages.
    #[serde(default)]
    pub priority: Priority,
    /// Length of the steady phase in seconds when `phases` are not given.
    #[serde(default = "defaults::duration_s")]
    pub duration_s: f64,
    /// The parts of the run; 1 s of `ramp_up` and `duration_s` of `steady` when not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What must hold.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// Messages in flight (`fanout`).
    #[serde(default = "defaults::window")]
    pub window: u32,
    /// How often clients are cut off in all (`reconnect`).
    #[serde(default = "defaults::reconnects")]
    pub reconnects: u32,
    /// Share of the clients that stop reading (`slow_reader`).
    #[serde(default = "defaults::slow_share")]
    pub slow_share: f64,
    /// Clients a second that leave and are replaced (`churn`, `mixed`).
    #[serde(default = "defaults::churn_hz")]
    pub churn_hz: f64,
    /// Agents beside the subscribers (`mixed`, `alert_latency`).
    #[serde(default = "defaults::agents")]
    pub agents: usize,
    /// Samples in a frame of an agent (`ingest`, `mixed`, `alert_latency`).
    #[serde(default = "defaults::samples_per_frame")]
    pub samples_per_frame: usize,
    /// Subscribers offer permessage-deflate.
    #[serde(default)]
    pub deflate: bool,
    /// Clients between opening and being ready at one time.
    #[serde(default = "defaults::inflight")]
    pub inflight: usize,
}

impl Plan {
    /// A plan with the defaults of its scenario.
    pub fn of(scenario: Scenario) -> Self {
        Self {
            name: scenario.name().to_owned(),
            scenario,
            target: None,
            connections: defaults::connections(),
            rate_hz: defaults::rate_hz(),
            payload_bytes: defaults::payload_bytes(),
            topic: defaults::topic(),
            priority: Priority::default(),
            duration_s: defaults::duration_s(),
            phases: Vec::new(),
            thresholds: Thresholds::default(),
            window: defaults::window(),
            reconnects: defaults::reconnects(),
            slow_share: defaults::slow_share(),
            churn_hz: defaults::churn_hz(),
            agents: defaults::agents(),
            samples_per_frame: defaults::samples_per_frame(),
            deflate: false,
            inflight: defaults::inflight(),
        }
    }

    /// Reads and checks a plan; name and phases that are not given are filled in.
    ///
    /// # Errors
    /// When the text is no plan; the message names the key and what is allowed.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = serde_saphyr::from_str(text).map_err(|error| {
            // The lines below the first show the place in the text, which says the same again.
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            PlanError::Text(first.trim_start_matches("error: ").to_owned())
        })?;
        plan.complete()
    }

    /// Fills in what is not given and checks the rest.
    ///
    /// # Errors
    /// When a value lies outside of its bounds, or values do not go together.
    pub fn complete(mut self) -> Result<Self, PlanError> {
        if self.name.is_empty() {
            self.name = self.scenario.name().to_owned();
        }
        if self.phases.is_empty() {
            check::within("duration_s", self.duration_s, &PHASE_S)?;
            let phase = |kind: PhaseKind, duration_s| {
                let name = kind.name().to_owned();
                Phase { name, kind, duration_s, factor: None }
            };
            self.phases = vec![phase(PhaseKind::RampUp, 1.0), phase(PhaseKind::Steady, self.duration_s)];
        }
        self.check()?;
        Ok(self)
    }

    /// Length of all phases in seconds.
    pub fn run_s(&self) -> f64 {
        self.phases.iter().map(|phase| phase.duration_s).sum()
    }

    /// How many of the clients stop reading.
    pub fn slow_readers(&self) -> usize {
        if self.scenario != Scenario::SlowReader {
            return 0;
        }
        ((self.connections as f64 * self.slow_share).round() as usize).clamp(1, self.connections - 1)
    }

    /// Agents of the run.
    pub fn agents(&self) -> usize {
        match self.scenario {
            Scenario::Ingest => self.connections,
            Scenario::Mixed | Scenario::AlertLatency => self.agents,
            _ => 0,
        }
    }

    /// The topic that subscribers read.
    pub(crate) fn read_topic(&self) -> &str {
        if self.scenario == Scenario::AlertLatency { ALERTS_TOPIC } else { &self.topic }
    }

    /// Subscribers of the run, before a storm's spike or churn adds some.
    pub fn subscribers(&self) -> usize {
        if self.scenario == Scenario::Ingest { 0 } else { self.connections }
    }
}

#[cfg(test)]
mod tests;
