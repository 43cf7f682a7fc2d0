//! One webhook: what it is told of, and what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use ureq::Agent;

use super::verdict::{ATTEMPTS_MAX, Answer, Verdict};
use super::{sending, signature};
use crate::clock::Clock;
use crate::config::{WebhookEvent, WebhookSection};
use crate::engine::Redis;
use crate::mailbox::{
    BATCH_MAX, Bounds, Item, Leased, Mailbox, MailboxError, MemoryMailbox, RedisMailbox, WEBHOOKS,
};
use crate::telemetry::Counter;

/// Events that wait for their mailbox, which may be on another machine.
const HANDED_OVER_MAX: usize = 4_096;

/// What the mailbox of one webhook may hold.
const BOUNDS: Bounds =
    Bounds { items_max: 10_000, bytes_max: 16 << 20, deliveries_max: ATTEMPTS_MAX, dead_max: 1_000 };

/// How long a request may take until somebody else tries, in milliseconds.
const VISIBILITY_MS: u64 = sending::TIMEOUT_MS + 20_000;

/// A webhook.
pub struct Hook {
    section: WebhookSection,
    mailbox: Arc<dyn Mailbox>,
    handed_over: Mutex<VecDeque<Item>>,
    agent: Agent,
    clock: Clock,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.section.fmt(f)
    }
}

impl Hook {
    pub(super) fn new(section: WebhookSection, redis: Option<&Redis>, clock: &Clock) -> Self {
        let mailbox: Arc<dyn Mailbox> = match redis {
            Some(redis) => {
                Arc::new(RedisMailbox::new(&WEBHOOKS, &instance(&section.url), BOUNDS, redis.clone()))
            }
            None => Arc::new(MemoryMailbox::new(&WEBHOOKS, BOUNDS, clock.clone())),
        };
        let (handed_over, agent, clock) = (Mutex::default(), sending::agent(), clock.clone());
        Self { section, mailbox, handed_over, agent, clock }
    }

    /// Whether it is told of such an event.
    pub fn wants(&self, kind: WebhookEvent) -> bool {
        self.section.events.contains(&kind)
    }

    /// Where its requests go.
    pub fn url(&self) -> &str {
        &self.section.url
    }

    /// What waits for it, and what it never took.
    pub fn mailbox(&self) -> &dyn Mailbox {
        &*self.mailbox
    }

    /// Takes an event; it is in the mailbox with the next [`Hook::take`].
    pub(super) fn hand_over(&self, item: Item) {
        let mut handed_over = self.handed_over.lock();
        if handed_over.len() < HANDED_OVER_MAX {
            handed_over.push_back(item);
        } else {
            drop(handed_over);
            Counter::Webhooks.add_for("dropped", 1);
        }
    }

    /// Puts what was handed over into the mailbox, and takes at most `limit` out of it.
    pub(super) async fn take(&self, limit: usize) -> Result<Vec<Leased>, MailboxError> {
        loop {
            let part: Vec<Item> = {
                let mut handed_over = self.handed_over.lock();
                let count = handed_over.len().min(BATCH_MAX);
                handed_over.drain(..count).collect()
            };
            if part.is_empty() {
                break;
            }
            if let Err(error) = self.mailbox.put(part.clone()).await {
                // Some of it may be in the mailbox; put again it is a duplicate there.
                self.take_back(part);
                return Err(error);
            }
        }
        if limit == 0 { Ok(Vec::new()) } else { self.mailbox.take(limit, VISIBILITY_MS).await }
    }

    fn take_back(&self, part: Vec<Item>) {
        let mut handed_over = self.handed_over.lock();
        let room = HANDED_OVER_MAX.saturating_sub(handed_over.len());
        let surplus = part.len().saturating_sub(room);
        for item in part.into_iter().skip(surplus).rev() {
            handed_over.push_front(item);
        }
        drop(handed_over);
        Counter::Webhooks.add_for("dropped", surplus as u64);
    }

    /// Sends one event, now. Blocks.
    pub(super) fn send(&self, leased: &Leased) -> Answer {
        let (body, id) = (&leased.payload, &leased.lease.id);
        let signature = signature::sign(&self.section.secret, self.clock.unix_ms() / 1_000, body);
        sending::send(&self.agent, &self.section.url, id, &signature, body)
    }

    /// Does with an event what the verdict says.
    pub(super) async fn settle(&self, leased: Leased, verdict: Verdict) -> Result<(), MailboxError> {
        let Leased { lease, deliveries, .. } = leased;
        let outcome = match verdict {
            Verdict::Delivered => {
                self.mailbox.ack(vec![lease]).await?;
                "delivered"
            }
            Verdict::Again(delay_ms, reason) => {
                tracing::info!(
                    url = self.url(),
                    id = &*lease.id,
                    attempt = deliveries,
                    reason,
                    "webhook not taken"
                );
                self.mailbox.nack(vec![lease], delay_ms, &reason).await?;
                if deliveries < ATTEMPTS_MAX { "retried" } else { "dead" }
            }
            Verdict::Never(reason) => {
                tracing::warn!(url = self.url(), id = &*lease.id, reason, "webhook refused for good");
                self.mailbox.bury(lease, &reason).await?;
                "dead"
            }
        };
        Counter::Webhooks.add_for(outcome, 1);
        Ok(())
    }
}

/// A name for the mailbox that hub nodes with the same URL agree on, and that does not tell it.
fn instance(url: &str) -> String {
    let digest = Sha256::digest(url.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
