//! Other programs are told what happens: who connects, who is gone and why, which rooms fill and empty.
//!
//! - [`event`]: what can happen, and the request's body (pure)
//! - [`signature`]: how a receiver knows who sent it (pure)
//! - [`verdict`]: what an answer means, and when to try again (pure)
//! - [`sending`]: one request
//! - [`hook`]: one webhook: what it is told of, and what waits for it
//! - [`actor`]: takes from the mailboxes and sends
//!
//! Whoever notices something hands it over and goes on: nothing waits for a receiver. Each webhook has a mailbox of its
//! own, so one that hangs is nobody else's trouble. At least once: a receiver that must not do something twice compares
//! the `Idempotency-Key`.

pub mod actor;
pub mod event;
pub mod hook;
pub mod sending;
pub mod signature;
pub mod verdict;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::{WebhookEvent, WebhookSection};
use crate::engine::Redis;

pub use actor::WebhooksActor;
pub use event::Event;
pub use hook::Hook;

/// All webhooks of a hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hooks: Vec<Arc<Hook>>,
    /// The name of the hub's node, which requests name.
    hub: String,
    clock: Clock,
    told: Notify,
}

impl Webhooks {
    /// The webhooks of these settings. With Redis what waits is shared by all hub nodes that have them, and outlives a
    /// hub.
    pub fn new(settings: Vec<WebhookSection>, redis: Option<&Redis>, hub: String, clock: Clock) -> Self {
        let hooks = settings.into_iter().map(|section| Arc::new(Hook::new(section, redis, &clock)));
        Self(Arc::new(Shared { hooks: hooks.collect(), hub, clock, told: Notify::new() }))
    }

    /// Whether anybody is told of such an event: what it would say need not be found out otherwise.
    pub fn wants(&self, kind: WebhookEvent) -> bool {
        self.0.hooks.iter().any(|hook| hook.wants(kind))
    }

    /// Tells those who want to know. Never waits; what finds no place is counted as dropped.
    pub fn tell(&self, event: &Event<'_>) {
        let kind = event.kind();
        if !self.wants(kind) {
            return;
        }
        let item = event.item(self.0.clock.unix_ms(), &self.0.hub);
        for hook in self.0.hooks.iter().filter(|hook| hook.wants(kind)) {
            hook.hand_over(item.clone());
        }
        self.0.told.notify_one();
    }

    /// All of them, in the order of the settings.
    pub fn hooks(&self) -> &[Arc<Hook>] {
        &self.0.hooks
    }
}
