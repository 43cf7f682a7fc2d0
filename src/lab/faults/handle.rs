//! What routes and the hub see of the scenarios of a hub that was started with `--lab`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::actor::{Enable, EndRuns, EndedRuns, ScenariosActor, ScenariosArgs, all_off, now};
use super::lifecycle::{Lifecycle, Which, Why, Wish};
use super::view::{RunView, StatusView};
use super::{FaultError, watch};
use crate::clock::Clock;
use crate::connection::{Services, Shards};
use crate::fault::Faults;
use crate::supervision::WeakInbox;
use crate::telemetry::Cause;

/// How long the actor may take for an answer, in milliseconds: memory is taken piece by piece.
const ASK_TIMEOUT_MS: u64 = 10_000;

/// How long a hub that stops waits for the end of its scenarios, in milliseconds.
const DRAIN_MS_MAX: u64 = 500;

/// The scenarios of one hub. Cheap to clone.
#[derive(Clone)]
pub struct Scenarios(Arc<Shared>);

struct Shared {
    faults: Arc<Faults>,
    lifecycle: Arc<Mutex<Lifecycle>>,
    clock: Clock,
    /// Set when the hub is wired.
    running: OnceLock<(WeakInbox<ScenariosActor>, Weak<Services>)>,
}

impl Scenarios {
    /// Scenarios over a switchboard, before anything can be enabled. `clock` is the machine's.
    pub fn new(faults: Arc<Faults>, clock: Clock) -> Self {
        Self(Arc::new(Shared { faults, lifecycle: Arc::default(), clock, running: OnceLock::new() }))
    }

    /// Starts the actor.
    pub fn start(&self, services: &Arc<Services>, shards: &Shards, address: SocketAddr) {
        let args = ScenariosArgs {
            faults: self.0.faults.clone(),
            lifecycle: self.0.lifecycle.clone(),
            services: Arc::downgrade(services),
            shards: shards.clone(),
            address,
            clock: self.0.clock.clone(),
        };
        let given_up = self.clone();
        let on_give_up = move || {
            given_up.all_off();
            given_up.0.lifecycle.lock().close(now(&given_up.0.clock));
        };
        let inbox = services.tree.start("lab_faults", ScenariosActor::new(args), Some(Box::new(on_give_up)));
        // A hub is wired once.
        drop(self.0.running.set((inbox.downgrade(), Arc::downgrade(services))));
    }

    /// Enables a scenario.
    pub async fn enable(&self, wish: Wish, cause: &Cause) -> Result<RunView, FaultError> {
        let inbox =
            self.0.running.get().and_then(|(inbox, _)| inbox.upgrade()).ok_or(FaultError::Unavailable)?;
        let timeout = Duration::from_millis(ASK_TIMEOUT_MS);
        inbox.ask(Enable(wish), cause, timeout).await.unwrap_or(Err(FaultError::Unavailable))
    }

    /// Ends one run, by the name of its scenario or its id.
    pub async fn disable(&self, which: String, cause: &Cause) -> Result<RunView, FaultError> {
        let ended = self.end(Which::One(which), Why::Disabled, ASK_TIMEOUT_MS, cause).await?;
        ended.into_iter().next().ok_or(FaultError::NotActive)
    }

    /// Ends all runs; which.
    pub async fn reset(&self, cause: &Cause) -> Result<Vec<RunView>, FaultError> {
        let ended = self.end(Which::All, Why::Reset, ASK_TIMEOUT_MS, cause).await;
        if ended.is_err() {
            // It does not answer: what goes wrong on purpose is off all the same.
            self.all_off();
        }
        ended
    }

    /// The hub stops: all runs end, and none begins.
    pub async fn drain(&self) {
        let ended = self.end(Which::All, Why::Drain, DRAIN_MS_MAX, &Cause::own()).await;
        self.all_off();
        if ended.is_err() {
            self.0.lifecycle.lock().close(now(&self.0.clock));
        }
    }

    async fn end(
        &self,
        which: Which,
        why: Why,
        ms_max: u64,
        cause: &Cause,
    ) -> Result<Vec<RunView>, FaultError> {
        let inbox =
            self.0.running.get().and_then(|(inbox, _)| inbox.upgrade()).ok_or(FaultError::Unavailable)?;
        let asked = inbox.ask(EndRuns { which, why }, cause, Duration::from_millis(ms_max)).await;
        asked.map(|EndedRuns(runs)| runs).map_err(|_why_not| FaultError::Unavailable)
    }

    fn all_off(&self) {
        let services = self.0.running.get().map(|(_, services)| services.clone()).unwrap_or_default();
        all_off(&self.0.faults, &services, &self.0.lifecycle);
    }

    /// Which runs there are, as they stand.
    pub fn status(&self, services: &Services) -> StatusView {
        let lifecycle = self.0.lifecycle.lock();
        let view = |run: &super::lifecycle::Run| RunView::of(run, watch::read(run.scenario, services));
        StatusView {
            enabled: true,
            active: lifecycle.active().iter().map(view).collect(),
            recent: lifecycle.recent().map(view).collect(),
        }
    }
}
