//! What a supervised child costs: resident memory per child beside a bare actix actor, and starts and stops
//! per second. `cargo run --release --example child_footprint`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Context};
use infrawatch::supervision::{
    Backoff, ChildSpec, Inbox, Intensity, OnGiveUp, Placement, Places, Restart, RestartPolicy, Tree,
    WhenFull, supervised,
};

const CHILDREN: usize = 100_000;

struct Idle([u64; 4]);

impl Actor for Idle {
    type Context = Context<Self>;
}

impl Restart for Idle {
    const KIND: &'static str = "idle";

    fn fresh(&self) -> Self {
        Self(self.0)
    }
}

supervised!(Idle);

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

fn tree() -> Tree {
    let row = ChildSpec {
        kind: Idle::KIND,
        parent: None,
        group: "example",
        policy: RestartPolicy::Transient,
        intensity: Intensity { restarts_max: 3, window_ms: 60_000 },
        backoff: Backoff { min_ms: 100, max_ms: 5_000 },
        on_give_up: OnGiveUp::Escalate,
        placement: Placement::Caller,
        queue_bound: 64,
        when_full: WhenFull::CloseClient,
        purpose: "does nothing",
    };
    Tree::new(vec![row], Places::Here, || 0, Arc::new(|_| {}), None)
}

#[expect(clippy::disallowed_methods, reason = "it measures the real time")]
fn now() -> Instant {
    Instant::now()
}

#[actix::main]
async fn main() {
    let bare = std::env::args().nth(1).is_some_and(|what| what == "bare");
    let before = resident_bytes();
    if bare {
        let addresses: Vec<_> = (0..CHILDREN).map(|n| Idle([n as u64; 4]).start()).collect();
        actix_rt::time::sleep(Duration::from_millis(500)).await;
        println!("bare actix actor: {} bytes each", (resident_bytes() - before) / CHILDREN);
        drop(addresses);
        return;
    }
    let tree = tree();
    let began = now();
    let start = |n: usize| tree.start(format!("c-{n}"), Idle([n as u64; 4]), None);
    let inboxes: Vec<Inbox<Idle>> = (0..CHILDREN).map(start).collect();
    actix_rt::time::sleep(Duration::from_millis(1)).await;
    let started = began.elapsed();
    println!("supervised child: {} bytes each", (resident_bytes() - before) / CHILDREN);
    let began = now();
    drop(inboxes);
    tree.stop_all(Duration::from_secs(60)).await;
    let stopped = began.elapsed();
    println!(
        "{:.0} starts/s, {:.0} stops/s",
        CHILDREN as f64 / started.as_secs_f64(),
        CHILDREN as f64 / stopped.as_secs_f64()
    );
}
