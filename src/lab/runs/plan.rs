//! What is asked for, and the plan that the engine is given.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

pub use infrawatch_loadtest::plan::Scenario;
use infrawatch_loadtest::plan::{Phase, PhaseKind, Plan};

use super::RunError;
use super::limits::Limits;
use super::run::RunId;
use crate::auth::{NewToken, Role, TopicClaims, TopicPattern};

/// Topics of loads; nobody's token but theirs is narrowed to them.
pub const LOAD_TOPICS: &str = "testing-load:*";

/// Where the load test of alerts reads them.
const ALERTS_TOPIC: &str = "alerts_critical";

/// What a run may take beside its phases before it counts as stuck, in seconds: clients that wait for each other,
/// messages that are still on their way.
const SLACK_S: u64 = 60;

/// A run that is asked for; its numbers are within the [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// What its starter calls it.
    pub name: String,
    /// What the load does.
    pub scenario: Scenario,
    /// Clients.
    pub connections: u64,
    /// Seconds of the steady phase.
    pub duration_s: u64,
    /// Messages a second.
    pub rate_hz: u64,
    /// Bytes of payload.
    pub payload_bytes: u64,
    /// How often a client reconnects, in all; of the scenario `reconnect` only.
    pub reconnects: u64,
}

/// The topic of a run's messages; what its nodes are labelled with.
pub(super) fn topic_of(id: RunId) -> String {
    format!("testing-load:{id}")
}

impl NewRun {
    /// The plan of this run against the hub that listens there.
    pub fn plan(&self, id: RunId, target: SocketAddrV4, limits: &Limits) -> Plan {
        let phase = |kind: PhaseKind, duration_s: u64| {
            let (name, duration_s) = (kind.name().to_owned(), duration_s as f64);
            Phase { name, kind, duration_s, factor: None }
        };
        let phases =
            [(PhaseKind::RampUp, self.ramp_up_s(limits)), (PhaseKind::Steady, self.steady_s(limits))];
        Plan {
            name: self.name.clone(),
            target: Some(target),
            // What is too much for these types is refused as any number out of bounds.
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            rate_hz: self.rate_hz as f64,
            payload_bytes: usize::try_from(self.payload_bytes).unwrap_or(usize::MAX),
            topic: topic_of(id),
            phases: phases.map(|(kind, duration_s)| phase(kind, duration_s)).to_vec(),
            reconnects: u32::try_from(self.reconnects).unwrap_or(u32::MAX),
            ..Plan::of(self.scenario)
        }
    }

    fn ramp_up_s(&self, limits: &Limits) -> u64 {
        limits.connecting_s(self.connections).max(1)
    }

    fn steady_s(&self, limits: &Limits) -> u64 {
        match self.scenario {
            // They are spread over it.
            Scenario::Reconnect => self.duration_s.max(limits.connecting_s(self.reconnects)),
            _ => self.duration_s,
        }
    }

    /// How long the run may take, in milliseconds; what takes longer is stuck.
    pub fn limit_ms(&self, limits: &Limits) -> u64 {
        (self.ramp_up_s(limits) + self.steady_s(limits) + SLACK_S) * 1_000
    }

    /// The token of its clients: for their topics only, and no longer than the run may take.
    pub fn token(&self, id: RunId, limits: &Limits) -> NewToken {
        let topics: Vec<TopicPattern> = TopicPattern::parse(LOAD_TOPICS).into_iter().collect();
        let mut read = topics.clone();
        if self.scenario == Scenario::AlertLatency {
            read.extend(TopicPattern::parse(ALERTS_TOPIC));
        }
        // Samples are for agents and admins only.
        let samples = matches!(self.scenario, Scenario::Ingest | Scenario::Mixed | Scenario::AlertLatency);
        let role = if samples { Role::Admin } else { Role::Operator };
        NewToken {
            subject: format!("loadtest:{id}"),
            role,
            node: None,
            topics: Some(TopicClaims { publish: topics, subscribe: read }),
            ttl_ms: self.limit_ms(limits) + SLACK_S * 1_000,
        }
    }
}

/// Where the load finds the hub that listens on `address`.
pub fn target(address: SocketAddr) -> Result<SocketAddrV4, RunError> {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => {
            Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, v4.port()))
        }
        SocketAddr::V4(v4) if v4.ip().is_loopback() => Ok(v4),
        // Unless the system says otherwise it takes IPv4 as well.
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, v6.port()))
        }
        _ => Err(RunError::Address { address }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConnectionSection, LabSection};

    fn asked(scenario: Scenario) -> NewRun {
        NewRun {
            name: "evening".into(),
            scenario,
            connections: 320,
            duration_s: 3,
            rate_hz: 10,
            payload_bytes: 200,
            reconnects: 800,
        }
    }

    fn limits() -> Limits {
        Limits::new(&LabSection::default(), &ConnectionSection::default(), true)
    }

    #[test]
    fn the_ramp_up_keeps_within_the_rate_at_which_the_hub_takes_connections() {
        let (id, target) = (RunId::fresh(), SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5050));
        let plan = asked(Scenario::Paced).plan(id, target, &limits());
        assert_eq!(
            (plan.name.as_str(), plan.scenario, plan.target),
            ("evening", Scenario::Paced, Some(target))
        );
        assert_eq!((plan.connections, plan.rate_hz, plan.payload_bytes), (320, 10.0, 200));
        assert_eq!(plan.topic, format!("testing-load:{id}"));
        let phases =
            |plan: &Plan| plan.phases.iter().map(|phase| (phase.kind, phase.duration_s)).collect::<Vec<_>>();
        assert_eq!(phases(&plan), [(PhaseKind::RampUp, 2.0), (PhaseKind::Steady, 3.0)]);
        assert!(plan.complete().is_ok());
        let plan = asked(Scenario::Reconnect).plan(id, target, &limits());
        assert_eq!((plan.reconnects, phases(&plan)[1]), (800, (PhaseKind::Steady, 5.0)));
        assert_eq!(asked(Scenario::Paced).limit_ms(&limits()), 65_000);
    }

    #[test]
    fn the_token_is_for_its_topics_and_outlives_the_run() {
        let id = RunId::fresh();
        let token = asked(Scenario::Paced).token(id, &limits());
        assert_eq!((token.subject, token.role), (format!("loadtest:{id}"), Role::Operator));
        assert!(token.ttl_ms > asked(Scenario::Paced).limit_ms(&limits()));
        let topics = token.topics.unwrap();
        for patterns in [&topics.publish, &topics.subscribe] {
            assert!(patterns.len() == 1 && patterns[0].covers(&format!("testing-load:{id}")));
            assert!(!patterns[0].covers("testing") && !patterns[0].covers("deployments"));
        }
        assert_eq!(asked(Scenario::Ingest).token(id, &limits()).role, Role::Admin);
    }

    #[test]
    fn a_hub_is_found_on_loopback_or_not_at_all() {
        for (listens, found) in [
            ("0.0.0.0:80", Some("127.0.0.1:80")),
            ("[::]:80", Some("127.0.0.1:80")),
            ("127.0.0.9:80", Some("127.0.0.9:80")),
            ("[::1]:80", None),
            ("192.0.2.1:80", None),
        ] {
            let found_at = target(listens.parse().unwrap()).ok().map(|at| at.to_string());
            assert_eq!(found_at.as_deref(), found, "{listens}");
        }
    }
}
