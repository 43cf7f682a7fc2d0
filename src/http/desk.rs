//! What the routes keep between requests. One value a hub, shared by all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::fallback::Places;
use super::forward::FORWARDS_MAX;
use super::health::{REPORT_MS, Report, checks, run};
use super::idempotency::UnderWay;
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
    /// Requests with an `Idempotency-Key` that are being carried out.
    pub(super) under_way: UnderWay,
    /// Polls and event streams that may wait.
    pub(super) places: Places,
    /// Set while an end-to-end check runs.
    pub checking: Arc<AtomicBool>,
    /// Set while a burst of synthetic samples runs.
    pub bursting: Arc<AtomicBool>,
    rates: Mutex<Rates>,
    last: tokio::sync::Mutex<Last>,
    reports: Hits,
    /// Requests that may be with other hub nodes.
    pub(super) forwards: Arc<Semaphore>,
}

/// How often something was found in a cache.
#[derive(Debug, Default)]
pub struct Hits {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Hits {
    fn count(&self, is_hit: bool) {
        let cell = if is_hit { &self.hits } else { &self.misses };
        cell.fetch_add(1, Ordering::Relaxed);
    }

    /// Found, and not found.
    pub fn read(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
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
            under_way: UnderWay::default(),
            places: Places::new(settings),
            checking: Arc::default(),
            bursting: Arc::default(),
            rates: Mutex::new(Rates::since(clock.monotonic_ms(), Reading::now())),
            last: tokio::sync::Mutex::default(),
            reports: Hits::default(),
            forwards: Arc::new(Semaphore::new(FORWARDS_MAX)),
        }
    }

    /// What happens a second, up to now.
    pub(super) fn rates(&self, monotonic_ms: u64) -> PerSecond {
        self.rates.lock().read(monotonic_ms, Reading::now())
    }

    /// How often a health report that was good already was asked for.
    pub(super) fn reports(&self) -> &Hits {
        &self.reports
    }

    /// The health of the hub, at most [`REPORT_MS`] old. Those who ask meanwhile wait for the same report.
    pub async fn health(&self, state: &State) -> Report {
        let clock = &state.services.clock;
        let mut last = self.last.lock().await;
        let now_ms = clock.monotonic_ms();
        if let Some((at_ms, report)) = &last.report
            && now_ms < at_ms.saturating_add(REPORT_MS)
        {
            self.reports.count(true);
            return report.clone();
        }
        self.reports.count(false);
        let probes = checks::probes(state, last.refused);
        let report = run(probes, state.services.hub.version, || clock.unix_ms()).await;
        last.refused = state.services.tree.totals().refused;
        last.report = Some((clock.monotonic_ms(), report.clone()));
        report
    }
}
