//! The carrier on a real Redis.

use bb8_redis::redis::pipe;
use infrawatch_servers::{Persistence, Proxy, Way};
use serde_json::value::RawValue;
use tokio::task::JoinHandle;

use super::*;
use crate::config::EngineSection;
use crate::ids::MessageId;
use crate::protocol::priority::Priority;

const LOG: Shape = Shape::Log { batches_max: 100 };

struct Node {
    carrier: Carrier,
    line: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.line.abort();
    }
}

async fn node_at(port: u16) -> Node {
    let settings = EngineSection { call_ms_max: 500, probe_ms: 200, ..EngineSection::default() };
    let redis = Redis::new(&format!("redis://127.0.0.1:{port}"), &settings).unwrap();
    let carrier = Carrier::new(redis, settings.probe_ms);
    let line = tokio::spawn(run(carrier.clone()));
    let node = Node { carrier, line };
    node.reaches(true).await;
    node
}

impl Node {
    async fn reaches(&self, is_up: bool) {
        let mut changes = self.carrier.changes();
        let waited = tokio::time::timeout(
            std::time::Duration::from_secs(20),
            changes.wait_for(|state| state.is_up == is_up),
        );
        waited.await.unwrap_or_else(|_| panic!("not up={is_up}: {}", self.carrier.reason())).unwrap();
    }

    async fn publish(&self, topic: &str, shape: Shape, payloads: &[&str]) -> Placed {
        self.carrier.publish(topic, shape, &entries(payloads)).await.unwrap()
    }
}

fn entries(payloads: &[&str]) -> Vec<Entry> {
    let entry = |payload: &&str| Entry {
        id: MessageId::at(1),
        unix_ms: 1,
        priority: Priority::Normal,
        key: Some(Arc::from(*payload)),
        event_type: None,
        correlation_id: None,
        payload: RawValue::from_string(format!("{payload:?}")).unwrap(),
    };
    payloads.iter().map(entry).collect()
}

fn payloads(entries: &[(u64, Entry)]) -> Vec<(u64, &str)> {
    entries.iter().map(|(offset, entry)| (*offset, entry.payload.get().trim_matches('"'))).collect()
}

#[tokio::test]
async fn nodes_hear_each_other_and_read_the_same() {
    let server = infrawatch_servers::Redis::start();
    let (a, b) = (node_at(server.port()).await, node_at(server.port()).await);
    let (_listening, mut heard) = b.carrier.listen("app:x");
    let begun = b.carrier.tail("app:x", LOG).await.unwrap();
    assert_eq!((begun.last, begun.entries.len()), (0, 0));
    let first = a.publish("app:x", LOG, &["1", "2"]).await;
    let second = b.publish("app:x", LOG, &["3"]).await;
    assert_eq!((first.first, second.first), (1, 3));
    assert!(first.epoch == begun.epoch && second.epoch == begun.epoch, "one epoch for all nodes");
    for (placed, count) in [(first, 2), (second, 1)] {
        let push = heard.recv().await.unwrap();
        assert_eq!((push.placed, push.entries.len(), push.lost_before), (placed, count, false));
    }
    let tail = a.carrier.tail("app:x", LOG).await.unwrap();
    assert_eq!((tail.last, payloads(&tail.entries)), (3, vec![(1, "1"), (2, "2"), (3, "3")]));
    let after = a.carrier.after("app:x", LOG, &tail.epoch, 1).await.unwrap();
    assert_eq!(payloads(&after), [(2, "2"), (3, "3")], "from the middle of a batch");
    assert_eq!(a.carrier.after("app:x", LOG, "another", 1).await.unwrap().len(), 0);
}

#[tokio::test]
async fn of_newest_values_the_newest_is_kept_for_each_key() {
    let server = infrawatch_servers::Redis::start();
    let a = node_at(server.port()).await;
    a.publish("metrics_update", Shape::Latest, &["web-1", "web-2"]).await;
    a.publish("metrics_update", Shape::Latest, &["web-1"]).await;
    let tail = a.carrier.tail("metrics_update", Shape::Latest).await.unwrap();
    assert_eq!((tail.last, payloads(&tail.entries)), (3, vec![(2, "web-2"), (3, "web-1")]));
}

#[tokio::test]
async fn a_redis_that_comes_back_begins_a_new_epoch_even_with_all_that_it_had() {
    let mut server = infrawatch_servers::Redis::start_with(Persistence::Always);
    let a = node_at(server.port()).await;
    let before = a.publish("app:x", LOG, &["1"]).await;
    let other = a.publish("app:y", LOG, &["1"]).await;
    server.kill();
    a.reaches(false).await;
    assert!(a.carrier.publish("app:x", LOG, &entries(&["2"])).await.unwrap_err().is_outage());
    assert!(a.carrier.tail("app:x", LOG).await.unwrap_err().is_outage());
    server.resume();
    a.reaches(true).await;
    let after = a.publish("app:x", LOG, &["3"]).await;
    assert_eq!(after.first, 1);
    assert_ne!(after.epoch, before.epoch);
    let tail = a.carrier.tail("app:y", LOG).await.unwrap();
    assert!(tail.epoch != other.epoch && tail.last == 0 && tail.entries.is_empty(), "{tail:?}");
}

#[tokio::test]
async fn a_redis_that_hangs_is_gone_and_one_that_is_cut_off_for_a_moment_is_not() {
    let server = infrawatch_servers::Redis::start();
    let proxy = Proxy::before(server.port());
    let a = node_at(proxy.port()).await;
    let lives = a.carrier.state().lives;
    server.pause();
    a.reaches(false).await;
    server.go_on();
    a.reaches(true).await;
    assert!(a.carrier.state().lives > lives);
    let lives = a.carrier.state().lives;
    let epoch = a.publish("app:x", LOG, &["1"]).await.epoch;
    proxy.set(Way::HalfClose);
    proxy.set(Way::Pass);
    let mut changes = a.carrier.changes();
    changes.wait_for(|state| state.is_up && state.lives > lives).await.unwrap();
    let (_listening, mut heard) = a.carrier.listen("app:x");
    assert_eq!(a.carrier.tail("app:x", LOG).await.unwrap().epoch, epoch);
    a.publish("app:x", LOG, &["2"]).await;
    assert_eq!(heard.recv().await.unwrap().placed.first, 2);
}

#[tokio::test]
async fn a_topic_that_is_behind_is_told_what_it_has_lost() {
    let server = infrawatch_servers::Redis::start();
    let a = node_at(server.port()).await;
    let (listening, mut heard) = a.carrier.listen("app:x");
    a.carrier.tail("app:x", LOG).await.unwrap();
    for _ in 0..PUSHES_MAX + 10 {
        a.publish("app:x", LOG, &["1"]).await;
    }
    let taken: Vec<_> = (0..PUSHES_MAX).map(|_| heard.try_recv().ok()).collect();
    assert!(taken.iter().flatten().all(|push| !push.lost_before) && taken.len() == PUSHES_MAX);
    a.publish("app:x", LOG, &["1"]).await;
    assert!(heard.recv().await.unwrap().lost_before);
    drop((listening, heard));
    let mut numsub = pipe();
    numsub.cmd("PUBSUB").arg("NUMSUB").arg(scripts::channel("app:x"));
    for _ in 0..500 {
        let (told,): ((String, u64),) = a.carrier.0.redis.ask(&numsub).await.unwrap();
        if told.1 == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a topic that is gone is still subscribed");
}
