//! Several workers on one Redis, and a Redis that is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use infrawatch_servers::Persistence;

use super::{TEST, bounds, fill, ids, item, leases, to};
use crate::mailbox::{Bounds, Item, Leased, Mailbox, MailboxError, Put, RedisMailbox};
use crate::protocol::priority::Priority::Normal;

fn large() -> Bounds {
    Bounds { items_max: 100_000, ..bounds() }
}

/// Takes until something is there; the server's own time has to pass.
async fn wait_for(mailbox: &RedisMailbox, visibility_ms: u64) -> Vec<Leased> {
    for _ in 0..2_000 {
        let taken = mailbox.take(100, visibility_ms).await.unwrap_or_default();
        if !taken.is_empty() {
            return taken;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing came");
}

/// The server's time ends leases, and the mailbox is one for all who name it.
#[tokio::test]
async fn what_a_dead_worker_held_goes_to_another() {
    let server = infrawatch_servers::Redis::start();
    let dead = RedisMailbox::new(&TEST, "a", large(), to(&server));
    let alive = RedisMailbox::new(&TEST, "a", large(), to(&server));
    let stranger = RedisMailbox::new(&TEST, "b", large(), to(&server));
    fill(&dead, (0..100).map(|n| item(Normal, &n.to_string())).collect()).await;
    let held = dead.take(60, 200).await.unwrap();
    assert_eq!(held.len(), 60);
    let others = alive.take(100, 60_000).await.unwrap();
    assert_eq!(others.len(), 40, "what is leased is nobody else's");
    drop(dead);
    let recovered = wait_for(&alive, 60_000).await;
    assert_eq!(ids(&recovered), ids(&held), "all of it, in order");
    assert!(recovered.iter().all(|leased| leased.deliveries == 2));
    assert_eq!(alive.ack(leases(&held)).await.unwrap(), 0);
    assert_eq!(alive.ack(leases(&recovered)).await.unwrap() + alive.ack(leases(&others)).await.unwrap(), 100);
    assert!(stranger.take(1, 1).await.unwrap().is_empty());
}

/// Two workers at once, one of which never answers: everything is done, and by one of them at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_share_what_there_is_without_doing_it_twice() {
    const ITEMS: usize = 3_000;
    let server = infrawatch_servers::Redis::start();
    let mailbox = RedisMailbox::new(&TEST, "a", large(), to(&server));
    for part in 0..ITEMS / 500 {
        fill(&mailbox, (0..500).map(|n| item(Normal, &(part * 500 + n).to_string())).collect()).await;
    }
    let work = |mailbox: RedisMailbox| async move {
        let mut done = Vec::new();
        loop {
            let taken = mailbox.take(37, 60_000).await.unwrap();
            if taken.is_empty() {
                return done;
            }
            assert_eq!(mailbox.ack(leases(&taken)).await.unwrap(), taken.len());
            done.extend(taken.into_iter().map(|leased| leased.lease.id));
        }
    };
    let workers: Vec<_> = (0..4).map(|_| tokio::spawn(work(mailbox.clone()))).collect();
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    let once: BTreeSet<_> = done.iter().collect();
    assert_eq!((done.len(), once.len()), (ITEMS, ITEMS));
    assert_eq!(mailbox.depth().await.unwrap(), crate::mailbox::Depth::default());
}

/// `kill -9` in the middle of putting and working: what was accepted is delivered, what was done stays done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_accepted_is_lost_with_a_redis_that_is_killed() {
    let mut server = infrawatch_servers::Redis::start_with(Persistence::Always);
    let mailbox = RedisMailbox::new(&TEST, "a", large(), to(&server));
    let putting = tokio::spawn({
        let mailbox = mailbox.clone();
        async move {
            let mut accepted = BTreeMap::new();
            for number in 0u32.. {
                let ids: Vec<String> = (0..10).map(|n| format!("{number}-{n}")).collect();
                let items = ids.iter().map(|id| Item::now(Normal, id.as_str(), Bytes::from(id.clone())));
                match mailbox.put(items.collect()).await {
                    Ok(puts) => {
                        let told = ids.into_iter().zip(puts).filter(|(_, put)| *put == Put::Accepted);
                        accepted.extend(told.map(|(id, _)| (id, ())));
                    }
                    Err(MailboxError::Engine(error)) if error.is_outage() => break,
                    Err(error) => panic!("{error}"),
                }
            }
            accepted
        }
    });
    let working = tokio::spawn({
        let mailbox = mailbox.clone();
        async move {
            let mut done = BTreeSet::new();
            loop {
                let Ok(taken) = mailbox.take(7, 100).await else { return (done, BTreeSet::new()) };
                let acked = mailbox.ack(leases(&taken)).await;
                let taken: BTreeSet<_> = taken.iter().map(|leased| leased.lease.id.to_string()).collect();
                if acked.is_err() {
                    // Acknowledged or not: the answer is what was lost.
                    return (done, taken);
                }
                done.extend(taken);
            }
        }
    });
    while mailbox.depth().await.unwrap().items() < 500 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.kill();
    let accepted = putting.await.unwrap();
    let (done, unknown) = working.await.unwrap();
    assert!(accepted.len() > 500 && !done.is_empty(), "{} put, {} done", accepted.len(), done.len());
    server.resume();
    // Connections that were idle when it was killed are found to be broken one by one.
    while mailbox.depth().await.is_err() {}
    let mut left = BTreeSet::new();
    while mailbox.depth().await.map_or(true, |depth| depth.items() > 0) {
        let taken = wait_for(&mailbox, 60_000).await;
        while mailbox.ack(leases(&taken)).await.is_err() {}
        left.extend(taken.into_iter().map(|leased| leased.lease.id.to_string()));
    }
    let is_lost = |id: &&String| ![&done, &left, &unknown].iter().any(|known| known.contains(*id));
    let lost: Vec<_> = accepted.keys().filter(is_lost).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), accepted.len());
    assert!(done.is_disjoint(&left), "what was acknowledged came again");
}

/// All keys of a mailbox share a hash tag, which is what a cluster asks of a script.
#[tokio::test]
async fn keys_of_a_mailbox_are_in_one_slot() {
    let server = infrawatch_servers::Redis::start();
    let redis = to(&server);
    let mailbox = RedisMailbox::new(&TEST, "a", bounds(), redis.clone());
    let later = Item { delay_ms: 60_000, ..item(Normal, "later") };
    fill(&mailbox, vec![item(Normal, "a"), item(Normal, "b"), item(Normal, "c"), later]).await;
    let taken = mailbox.take(2, 60_000).await.unwrap();
    mailbox.bury(taken[0].lease.clone(), "no").await.unwrap();
    let keys: Vec<Vec<String>> = redis.ask(bb8_redis::redis::pipe().cmd("KEYS").arg("*")).await.unwrap();
    assert!(keys[0].len() >= 7, "{keys:?}");
    assert!(keys[0].iter().all(|key| key.starts_with("{mailbox:test:a}:")), "{keys:?}");
}
