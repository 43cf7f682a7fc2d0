//! What the routes keep between requests. One value a hub, shared by all workers.

use parking_lot::Mutex;

use super::fallback::Places;
use super::health::{REPORT_MS, Report, checks, run};
use super::login_limit::LoginLimit;
use super::loop_lag::LoopLag;
use super::rates::{PerSecond, Rates, Reading};
use super::state::State;
use crate::clock::Clock;
use crate::config::HttpSection;

/// Limits, rates, and the last health report.
pub struct Desk {
    /// Sign-ins by address.
    pub logins: LoginLimit,
    /// How late the event loops are.
    pub lag: LoopLag,
    /// Polls and event streams that may wait.
    pub(super) places: Places,
    rates: Mutex<Rates>,
    last: tokio::sync::Mutex<Last>,
}

#[derive(Default)]
struct Last {
    report: Option<(u64, Report)>,
    refused: u64,
}

impl Desk {
    /// A desk under these settings; `rate_limits` false ends rate limits.
    pub fn new(settings: &HttpSection, rate_limits: bool, clock: &Clock) -> Self {
        Self {
            logins: LoginLimit::new(if rate_limits { settings.logins_per_minute } else { 0 }),
            lag: LoopLag::default(),
            places: Places::new(settings),
            rates: Mutex::new(Rates::since(clock.monotonic_ms(), Reading::now())),
            last: tokio::sync::Mutex::default(),
        }
    }

    /// What happens a second, up to now.
    pub(super) fn rates(&self, monotonic_ms: u64) -> PerSecond {
        self.rates.lock().read(monotonic_ms, Reading::now())
    }

    /// The health of the hub, at most [`REPORT_MS`] old. Those who ask meanwhile wait for the same report.
    pub(super) async fn health(&self, state: &State) -> Report {
        let clock = &state.services.clock;
        let mut last = self.last.lock().await;
        let now_ms = clock.monotonic_ms();
        if let Some((at_ms, report)) = &last.report
            && now_ms < at_ms.saturating_add(REPORT_MS)
        {
            return report.clone();
        }
        let probes = checks::probes(state, last.refused);
        let report = run(probes, state.services.hub.version, || clock.unix_ms()).await;
        last.refused = state.services.tree.totals().refused;
        last.report = Some((clock.monotonic_ms(), report.clone()));
        report
    }
}
