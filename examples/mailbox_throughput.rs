//! What one Redis mailbox moves: items a second through put, take and ack, in batches, beside pipelined LPUSH and RPOP on
//! the same server. `cargo run --release --example mailbox_throughput [seconds]`; starts a Redis of its own.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bb8_redis::redis::pipe;
use bytes::Bytes;
use infrawatch::config::EngineSection;
use infrawatch::engine::Redis;
use infrawatch::mailbox::{Bounds, Item, Mailbox, RedisMailbox, WEBHOOKS};
use infrawatch::protocol::priority::Priority;

const PAYLOAD_BYTES: usize = 100;
const BATCH: usize = 500;
const WORKERS: usize = 4;
/// How often both are measured in turn.
const ROUNDS: usize = 3;

#[expect(clippy::disallowed_methods, reason = "it measures the real time")]
fn now() -> Instant {
    Instant::now()
}

/// What moved within the time, a second.
async fn measured<F: Future<Output = ()> + Send + 'static>(
    seconds: u64,
    worker: impl Fn(usize, Arc<AtomicBool>, Arc<AtomicU64>) -> F,
) -> f64 {
    let (over, moved) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let begin = now();
    let workers: Vec<_> =
        (0..WORKERS).map(|number| tokio::spawn(worker(number, over.clone(), moved.clone()))).collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    over.store(true, Relaxed);
    for worker in workers {
        worker.await.unwrap();
    }
    moved.load(Relaxed) as f64 / begin.elapsed().as_secs_f64()
}

async fn pairs(redis: Redis, number: usize, over: Arc<AtomicBool>, moved: Arc<AtomicU64>) {
    let (key, payload) = (format!("list:{number}"), vec![b'x'; PAYLOAD_BYTES]);
    while !over.load(Relaxed) {
        let mut push = pipe();
        let mut pop = pipe();
        for _ in 0..BATCH {
            push.cmd("LPUSH").arg(&key).arg(&payload).ignore();
            pop.cmd("RPOP").arg(&key);
        }
        redis.ask::<()>(&push).await.unwrap();
        let popped: Vec<Vec<u8>> = redis.ask(&pop).await.unwrap();
        moved.fetch_add(popped.len() as u64, Relaxed);
    }
}

async fn items(mailbox: RedisMailbox, number: usize, over: Arc<AtomicBool>, moved: Arc<AtomicU64>) {
    let payload = Bytes::from(vec![b'x'; PAYLOAD_BYTES]);
    let mut round = 0;
    while !over.load(Relaxed) {
        let priority = |n: usize| Priority::ALL[n % Priority::ALL.len()];
        let id = |n: usize| format!("{number}-{round}-{n}");
        let batch = (0..BATCH).map(|n| Item::now(priority(n), id(n), payload.clone()));
        mailbox.put(batch.collect()).await.unwrap();
        let taken = mailbox.take(BATCH, 60_000).await.unwrap();
        let acked = mailbox.ack(taken.into_iter().map(|leased| leased.lease).collect()).await.unwrap();
        moved.fetch_add(acked as u64, Relaxed);
        round += 1;
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args().nth(1).map_or(3, |text| text.parse().unwrap());
    let server = infrawatch_servers::Redis::start();
    let redis = Redis::new(&server.url(), &EngineSection::default()).unwrap();
    let bounds = Bounds { items_max: 100_000, bytes_max: 64 << 20, deliveries_max: 5, dead_max: 1_000 };
    let mailbox = RedisMailbox::new(&WEBHOOKS, "throughput", bounds, redis.clone());
    println!("{WORKERS} workers, {BATCH} items a call, {PAYLOAD_BYTES} bytes each, {seconds} s a figure");
    for _ in 0..ROUNDS {
        let limit = measured(seconds, |number, over, moved| pairs(redis.clone(), number, over, moved)).await;
        let rate = measured(seconds, |number, over, moved| items(mailbox.clone(), number, over, moved)).await;
        println!(
            "{rate:.0} items/s through put, take and ack; {limit:.0} pairs/s of LPUSH and RPOP: {:.0} %",
            100.0 * rate / limit
        );
    }
}
