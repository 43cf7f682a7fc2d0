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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EngineSection;
    use crate::webhook::{Event, Webhooks};

    fn section() -> WebhookSection {
        let (url, secret) = ("http://127.0.0.1:1/".to_owned(), "0123456789abcdef".to_owned());
        WebhookSection { url, secret, events: vec![WebhookEvent::RoomOccupied] }
    }

    fn webhooks(redis: Option<&Redis>) -> Webhooks {
        Webhooks::new(vec![section()], redis, "here".to_owned(), Clock::system())
    }

    fn tell(webhooks: &Webhooks, rooms: usize) {
        for _ in 0..rooms {
            webhooks.tell(&Event::RoomOccupied { room: "lobby", client_id: "alice" });
            webhooks.tell(&Event::RoomVacated { room: "lobby", client_id: "alice" });
        }
    }

    fn redis_of(server: &infrawatch_servers::Redis) -> Redis {
        Redis::new(&server.url(), &EngineSection { call_ms_max: 500, ..EngineSection::default() }).unwrap()
    }

    #[tokio::test]
    async fn with_redis_what_waits_is_shared_and_outlives_the_hub_that_noticed_it() {
        let server = infrawatch_servers::Redis::start();
        let first = webhooks(Some(&redis_of(&server)));
        tell(&first, 3);
        let held = first.hooks()[0].take(1).await.unwrap();
        first.hooks()[0].settle(held[0].clone(), Verdict::Delivered).await.unwrap();
        drop(first);
        let second = webhooks(Some(&redis_of(&server)));
        let taken = second.hooks()[0].take(10).await.unwrap();
        assert_eq!(taken.len(), 2);
        assert!(taken.iter().all(|leased| leased.lease.id != held[0].lease.id));
    }

    #[tokio::test]
    async fn while_redis_is_gone_events_wait_and_are_bounded() {
        let mut server = infrawatch_servers::Redis::start();
        let webhooks = webhooks(Some(&redis_of(&server)));
        let hook = &webhooks.hooks()[0];
        server.kill();
        tell(&webhooks, 5);
        assert!(hook.take(1).await.is_err());
        assert_eq!(hook.handed_over.lock().len(), 5);
        tell(&webhooks, HANDED_OVER_MAX);
        assert_eq!(hook.handed_over.lock().len(), HANDED_OVER_MAX);
        server.resume();
        let first = hook.take(1).await.unwrap();
        assert_eq!((first.len(), hook.handed_over.lock().len()), (1, 0));
        assert_eq!(hook.mailbox().depth().await.unwrap().items(), HANDED_OVER_MAX);
    }
}
