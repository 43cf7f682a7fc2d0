//! How much load may be asked for: the settings of the lab, and what the hub would refuse anyway.
//!
//! The hub's own limits are not switched off for a run. What would be refused is not asked for, and what is only
//! too fast is spread over more time.

use std::ops::RangeInclusive;

use super::plan::Scenario;
use crate::config::{ConnectionSection, LabSection};

/// Of the hub's own rate limits a run takes so many percent at most: others want to be served as well.
const SHARE_PERCENT: u64 = 80;

/// What a frame has beside its payload, in bytes, and more.
const ENVELOPE_BYTES: u64 = 512;

/// The bounds of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections.
    pub connections: RangeInclusive<u64>,
    /// Seconds of the steady phase.
    pub duration_s: RangeInclusive<u64>,
    /// Messages a second.
    pub rate_hz: RangeInclusive<u64>,
    /// Bytes of payload.
    pub payload_bytes: RangeInclusive<u64>,
    /// Reconnects.
    pub reconnects: RangeInclusive<u64>,
    /// Connects a second; `None` where the hub sets no limit.
    pub connects_per_s: Option<u64>,
    /// Frames a second of one connection; `None` where the hub sets no limit.
    pub frames_per_s: Option<u64>,
}

impl Limits {
    /// The bounds under these settings; `rate_limits` false: the hub's rate limits do not hold.
    pub fn new(lab: &LabSection, connection: &ConnectionSection, rate_limits: bool) -> Self {
        let share = |per_s: u32| {
            let limited = rate_limits && per_s > 0;
            limited.then(|| (u64::from(per_s) * SHARE_PERCENT / 100).max(1))
        };
        let frame_bytes_max = (connection.frame_bytes_max as u64).saturating_sub(ENVELOPE_BYTES).max(32);
        let frames_per_s = share(connection.frames_per_s);
        Self {
            connections: 1..=lab.connections_max.min(connection.connections_max as u64),
            duration_s: 1..=lab.duration_ms_max / 1_000,
            rate_hz: 1..=lab.rate_hz_max.min(frames_per_s.unwrap_or(u64::MAX)),
            payload_bytes: 32..=lab.payload_bytes_max.min(frame_bytes_max),
            reconnects: 1..=lab.reconnects_max,
            connects_per_s: share(connection.connects_per_s),
            frames_per_s,
        }
    }

    /// Why the hub would refuse what a scenario does, whatever its numbers.
    pub fn refusal(&self, scenario: Scenario) -> Option<&'static str> {
        (scenario == Scenario::Fanout && self.frames_per_s.is_some()).then_some(
            "must not be fanout, which publishes as fast as it goes, while connection.frames_per_s limits that; \
             paced publishes at a rate",
        )
    }

    /// Connections of a scenario: a storm comes all at once.
    pub fn connections_of(&self, scenario: Scenario) -> RangeInclusive<u64> {
        let (fewest, most) = (*self.connections.start(), *self.connections.end());
        let at_once = self.connects_per_s.filter(|_| scenario == Scenario::Storm);
        fewest..=most.min(at_once.unwrap_or(most))
    }

    /// How long so many connects take at least, in seconds.
    pub fn connecting_s(&self, connects: u64) -> u64 {
        self.connects_per_s.map_or(0, |per_s| connects.div_ceil(per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_hub_would_refuse_cannot_be_asked_for() {
        let lab = LabSection::default();
        let defaults = Limits::new(&lab, &ConnectionSection::default(), true);
        assert_eq!((&defaults.connections, &defaults.duration_s), (&(1..=2_000), &(1..=600)));
        assert_eq!((&defaults.rate_hz, &defaults.payload_bytes), (&(1..=1_000), &(32..=16_384)));
        assert_eq!((defaults.connecting_s(2_000), defaults.connecting_s(1)), (13, 1));
        assert_eq!(
            defaults.connections_of(Scenario::Storm),
            1..=160,
            "nobody of a storm is refused for being too fast"
        );
        assert_eq!(defaults.connections_of(Scenario::Paced), 1..=2_000);
        let small = ConnectionSection {
            connections_max: 50,
            frames_per_s: 100,
            frame_bytes_max: 2_048,
            connects_per_s: 0,
            ..ConnectionSection::default()
        };
        let limits = Limits::new(&lab, &small, true);
        assert_eq!(
            (&limits.connections, &limits.rate_hz, &limits.payload_bytes),
            (&(1..=50), &(1..=80), &(32..=1_536))
        );
        assert_eq!(limits.connecting_s(50), 0);
        assert!(limits.refusal(Scenario::Fanout).is_some() && limits.refusal(Scenario::Paced).is_none());
        let unlimited = Limits::new(&lab, &small, false);
        assert_eq!((unlimited.rate_hz.clone(), unlimited.refusal(Scenario::Fanout)), (1..=1_000, None));
    }
}
