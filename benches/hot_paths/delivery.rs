//! What stands between a topic and a socket, piece by piece: history, coalescing, rates, the outbox.

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;

use infrawatch::connection::outbox::{self, Entry, Outbox};
use infrawatch::connection::throttle::Throttle;
use infrawatch::ids::MessageId;
use infrawatch::protocol::frame::SharedFrame;
use infrawatch::protocol::priority::Priority;
use infrawatch::topic::Class;
use infrawatch::topic::coalesce::Coalescer;
use infrawatch::topic::kind::{Bounds, Pace};
use infrawatch::topic::log::{Log, Stored};

use super::Case;
use super::encode::{frame_of, payload};

pub(super) const CASES: &[Case] = &[
    Case { name: "history/append_to_full", make: append },
    Case { name: "history/read_100", make: read },
    Case { name: "coalesce/log_64", make: || coalesce(Class::Log) },
    Case { name: "coalesce/latest_64", make: || coalesce(Class::Latest) },
    Case { name: "throttle/admit_64", make: throttle },
    Case { name: "outbox/push_and_flush_64", make: push_and_flush },
    Case { name: "outbox/newest_values_64", make: newest_values },
];

const MESSAGES: u64 = 64;
const MESSAGES_MAX: usize = 1_000;
const KEYS: u64 = 8;
const BOUNDS: outbox::Bounds = outbox::Bounds { bytes_max: 1 << 20, control_bytes_max: 1 << 16 };

fn key(n: u64) -> Arc<str> {
    format!("order-{}", n % KEYS).into()
}

fn stored(offset: u64) -> Stored {
    let (frame, parts) = frame_of(offset, &payload(200));
    let frame = SharedFrame::json(frame);
    let (id, unix_ms, priority) = (MessageId::at(offset), offset, Priority::Normal);
    Stored {
        offset,
        id,
        unix_ms,
        key: Some(key(offset)),
        event_type: None,
        correlation_id: None,
        priority,
        frame,
        parts,
    }
}

/// A history at its bound: each message pushes one out.
fn full_history() -> Log {
    let bounds = Bounds { messages_max: MESSAGES_MAX, bytes_max: 64 << 20, age_ms_max: Some(600_000) };
    let mut log = Log::new(Class::Log, bounds, "epoch".into());
    for _ in 0..2 * MESSAGES_MAX {
        let offset = log.assign();
        log.remember(stored(offset));
    }
    log
}

fn append() -> Box<dyn FnMut()> {
    let mut log = full_history();
    let message = stored(1);
    Box::new(move || {
        let offset = log.assign();
        log.remember(Stored { offset, ..message.clone() });
    })
}

fn read() -> Box<dyn FnMut()> {
    let log = full_history();
    let from = log.offset() - 500;
    Box::new(move || {
        black_box(log.after(black_box(from), 100));
    })
}

fn coalesce(class: Class) -> Box<dyn FnMut()> {
    let pace = Pace { normal_ms: 100, low_ms: 1_000, messages_max: 512, bytes_max: 64 * 1024 };
    let mut topic = Coalescer::new(class, pace);
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    Box::new(move || {
        for (n, key) in (0..MESSAGES).zip(keys.iter().cycle()) {
            topic.push(n, Priority::Normal, Some(key), 400, n);
        }
        black_box(topic.flush());
    })
}

fn throttle() -> Box<dyn FnMut()> {
    let mut throttle = Throttle::new(20.0).unwrap();
    let mut now_ms = 0;
    Box::new(move || {
        for _ in 0..MESSAGES {
            now_ms += 7;
            black_box(throttle.admit(now_ms));
        }
    })
}

fn entries(key: impl Fn(u64) -> Option<Arc<str>>) -> Vec<Entry> {
    let (frame, _) = frame_of(17, &payload(200));
    let entry = |n: u64| Entry {
        topic: 1 + (n % 3) as u32,
        priority: Priority::Normal,
        offset: n,
        messages: 1,
        key: key(n),
        frame: frame.clone(),
    };
    (1..=MESSAGES).map(entry).collect()
}

/// Takes an outbox as a socket does that has room for a hundred bytes less than a frame.
fn flush(outbox: &mut Outbox) {
    while !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = outbox.head(&mut slices, 16 * 1024);
        let bytes: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
        outbox.advance(bytes.saturating_sub(100).max(1));
    }
}

fn push_and_flush() -> Box<dyn FnMut()> {
    let entries = entries(|_| None);
    let mut outbox = Outbox::new(BOUNDS);
    Box::new(move || {
        for entry in &entries {
            outbox.push(entry.clone()).unwrap();
        }
        flush(&mut outbox);
    })
}

/// A client that is behind: values of few keys replace each other.
fn newest_values() -> Box<dyn FnMut()> {
    let entries = entries(|n| Some(key(n)));
    let mut outbox = Outbox::new(BOUNDS);
    Box::new(move || {
        for entry in &entries {
            outbox.push(entry.clone()).unwrap();
        }
        flush(&mut outbox);
    })
}
