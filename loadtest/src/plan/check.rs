//! Bounds of a plan's numbers, and what goes together. Pure.

use std::fmt;
use std::ops::RangeInclusive;

use super::{
    ALERTS_MAX, CONNECTIONS, LOAD_HZ_MAX, PAYLOAD_BYTES, PHASE_S, PHASES_MAX, Phase, PhaseKind, Plan,
    PlanError, RATE_HZ, RUN_S_MAX, Scenario, Thresholds,
};

impl Plan {
    pub(super) fn check(&self) -> Result<(), PlanError> {
        within("name (characters)", self.name.chars().count(), &(1..=100))?;
        within("connections", self.connections, &CONNECTIONS)?;
        within("rate_hz", self.rate_hz, &RATE_HZ)?;
        within("payload_bytes", self.payload_bytes, &PAYLOAD_BYTES)?;
        within("window", self.window, &(1..=4_096))?;
        within("reconnects", self.reconnects, &(1..=100_000))?;
        within("slow_share", self.slow_share, &(0.0..=0.9))?;
        within("churn_hz", self.churn_hz, &(0.1..=1_000.0))?;
        within("agents", self.agents, &(1..=5_000))?;
        within("samples_per_frame", self.samples_per_frame, &(1..=1_000))?;
        within("inflight", self.inflight, &CONNECTIONS)?;
        self.check_topic()?;
        self.check_phases()?;
        self.check_thresholds()?;
        self.check_load()
    }

    fn check_topic(&self) -> Result<(), PlanError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        if self.topic.is_empty() || self.topic.len() > 128 || !self.topic.chars().all(allowed) {
            let topic = &self.topic;
            return Err(PlanError::Sense(format!(
                "`topic` must be 1 to 128 characters of A-Z a-z 0-9 . _ : -, not {topic:?}"
            )));
        }
        if let Some(target) = self.target
            && !target.ip().is_loopback()
        {
            return Err(PlanError::Sense(format!(
                "`target` must be on loopback (127.0.0.0/8), not {target}"
            )));
        }
        Ok(())
    }

    fn check_phases(&self) -> Result<(), PlanError> {
        within("phases (count)", self.phases.len(), &(1..=PHASES_MAX))?;
        for (index, phase) in self.phases.iter().enumerate() {
            let key = |field: &str| format!("phases[{index}].{field}");
            within(&key("name (characters)"), phase.name.chars().count(), &(1..=100))?;
            within(&key("duration_s"), phase.duration_s, &PHASE_S)?;
            if let Some(factor) = phase.factor {
                if phase.kind != PhaseKind::Spike {
                    let kind = phase.kind.name();
                    return Err(PlanError::Sense(format!(
                        "`{}` belongs to a spike, not to {kind}",
                        key("factor")
                    )));
                }
                within(&key("factor"), factor, &(1.0..=100.0))?;
            }
            if phase.kind == PhaseKind::RampUp && index > 0 {
                return Err(PlanError::Sense(format!(
                    "`{}`: only the first phase can be ramp_up",
                    key("kind")
                )));
            }
        }
        if self.phases.iter().all(|phase| phase.kind == PhaseKind::RampUp) {
            return Err(PlanError::Sense("`phases` need one that is not ramp_up".to_owned()));
        }
        within("phases (seconds altogether)", self.run_s(), &(0.1..=RUN_S_MAX))
    }

    fn check_thresholds(&self) -> Result<(), PlanError> {
        let Thresholds { p99_ms, error_rate, connection_success, throughput_min } = self.thresholds;
        let table = [
            ("p99_ms", p99_ms, 0.001..=60_000.0),
            ("error_rate", error_rate, 0.0..=1.0),
            ("connection_success", connection_success, 0.0..=1.0),
            ("throughput_min", throughput_min, 0.0..=1e9),
        ];
        for (key, value, bounds) in table {
            value.map_or(Ok(()), |value| within(&format!("thresholds.{key}"), value, &bounds))?;
        }
        Ok(())
    }

    /// Each number may be fine and all together too much.
    fn check_load(&self) -> Result<(), PlanError> {
        let factor = self.phases.iter().map(Phase::load).fold(1.0, f64::max);
        if self.scenario == Scenario::SlowReader && self.connections < 2 {
            return Err(PlanError::Sense(
                "`slow_reader` needs at least 2 connections: one that reads".to_owned(),
            ));
        }
        if self.scenario == Scenario::Storm {
            within("connections (in the spike)", self.connections as f64 * factor, &(1.0..=20_000.0))?;
        }
        if matches!(self.scenario, Scenario::Churn | Scenario::Mixed) {
            within(
                "churn_hz times the length of the run",
                self.churn_hz * self.run_s() * factor,
                &(0.0..=200_000.0),
            )?;
        }
        if self.scenario == Scenario::AlertLatency {
            let alerts = self.rate_hz * self.run_s() * factor;
            within("alerts (rate_hz times the length of the run)", alerts, &(0.0..=ALERTS_MAX))?;
        }
        let per_message = if self.scenario == Scenario::Fanout { 0.0 } else { self.connections as f64 };
        let load_hz = (per_message + self.agents() as f64) * self.rate_hz * factor;
        within("deliveries a second (connections times rate_hz)", load_hz, &(0.0..=LOAD_HZ_MAX))
    }
}

pub(super) fn within<T: PartialOrd + fmt::Display + Copy>(
    key: &str,
    found: T,
    bounds: &RangeInclusive<T>,
) -> Result<(), PlanError> {
    if bounds.contains(&found) {
        return Ok(());
    }
    let (min, max) = (bounds.start().to_string(), bounds.end().to_string());
    Err(PlanError::Bounds { key: key.to_owned(), found: found.to_string(), min, max })
}
