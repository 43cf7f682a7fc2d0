mod conformance;
mod model;
mod several;

use std::sync::Arc;

use bytes::Bytes;

use super::{Bounds, Item, Lease, Leased, Mailbox, Name, Put};
use crate::clock::{Clock, ManualClock};
use crate::config::EngineSection;
use crate::protocol::priority::Priority;

static TEST: Name = Name { label: "test", lanes: ["test_critical", "test_normal", "test_low"] };

const NOW_MS: u64 = 1_795_223_722_042;

fn bounds() -> Bounds {
    Bounds { items_max: 1_000, bytes_max: 1 << 20, deliveries_max: 3, dead_max: 100 }
}

/// A connection to a Redis of the tests.
fn to(server: &infrawatch_servers::Redis) -> crate::engine::Redis {
    crate::engine::Redis::new(&server.url(), &EngineSection::default()).unwrap()
}

fn item(priority: Priority, id: &str) -> Item {
    Item::now(priority, id, Bytes::from(format!("payload of {id}")))
}

fn ids(leased: &[Leased]) -> Vec<&str> {
    leased.iter().map(|leased| &*leased.lease.id).collect()
}

fn leases(leased: &[Leased]) -> Vec<Lease> {
    leased.iter().map(|leased| leased.lease.clone()).collect()
}

/// Puts items that must find room.
async fn fill(mailbox: &dyn Mailbox, items: Vec<Item>) {
    let puts = mailbox.put(items).await.unwrap();
    assert!(puts.iter().all(|put| *put == Put::Accepted), "{puts:?}");
}

/// What a case of the suite works with.
struct Case {
    mailbox: Arc<dyn Mailbox>,
    hand: ManualClock,
    /// Ends with the case.
    _server: Option<infrawatch_servers::Redis>,
}

impl Case {
    fn in_memory(bounds: Bounds) -> Self {
        let (clock, hand) = Clock::manual(NOW_MS);
        let mailbox = Arc::new(super::MemoryMailbox::new(&TEST, bounds, clock));
        Self { mailbox, hand, _server: None }
    }

    fn in_redis(bounds: Bounds) -> Self {
        let (clock, hand) = Clock::manual(NOW_MS);
        let server = infrawatch_servers::Redis::start();
        let mailbox = super::RedisMailbox::new(&TEST, "case", bounds, to(&server)).timed_by(clock);
        Self { mailbox: Arc::new(mailbox), hand, _server: Some(server) }
    }

    /// Everything of a mailbox is at one server of the cluster, which `instance` chooses.
    fn in_cluster(bounds: Bounds, cluster: &infrawatch_servers::RedisCluster, instance: &str) -> Self {
        let (clock, hand) = Clock::manual(NOW_MS);
        let redis = crate::engine::Redis::new(&cluster.url(), &EngineSection::default()).unwrap();
        let mailbox = super::RedisMailbox::new(&TEST, instance, bounds, redis).timed_by(clock);
        Self { mailbox: Arc::new(mailbox), hand, _server: None }
    }

    async fn take(&self, limit: usize) -> Vec<Leased> {
        self.mailbox.take(limit, 1_000).await.unwrap()
    }
}
