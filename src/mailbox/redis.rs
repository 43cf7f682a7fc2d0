//! A mailbox in Redis, for workers on several hub nodes. Each operation is one script: atomic, one round trip, and what is
//! full says so in it.
//!
//! Keys have the hash tag `{mailbox:NAME}`, so that all of one mailbox are in one slot of a Redis Cluster. The time is the
//! server's: leases end for all workers at one moment, whatever clocks their hosts have. Only tests hand one in.

use std::sync::{Arc, LazyLock};

use bb8_redis::redis::{FromRedisValue, Script, ScriptInvocation, Value};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::memory::{count_losses, count_refused};
use super::{
    Bounds, DeadLetter, Depth, Item, Lease, Leased, Mailbox, MailboxError, Nacked, Name, Put, SILENT,
    STARVED_TAKES,
};
use crate::clock::Clock;
use crate::engine::Redis;
use crate::protocol::priority::Priority;

const KEYS: [&str; 13] = [
    "items",
    "ready:1",
    "ready:2",
    "ready:3",
    "delayed:1",
    "delayed:2",
    "delayed:3",
    "leases",
    "tries",
    "dead",
    "died",
    "notes",
    "meta",
];

/// Digits of an expiry; the priority stands before it, the payload behind it.
const EXPIRY_DIGITS: usize = 13;

/// Longest time to live, in milliseconds: what the digits hold beside the time of day.
const TTL_MS_MAX: u64 = 1_000_000_000_000;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::new(concat!(include_str!("redis/rules.lua"), include_str!($file))))
    };
}

static PUT: LazyLock<Script> = script!("redis/put.lua");
static TAKE: LazyLock<Script> = script!("redis/take.lua");
static ACK: LazyLock<Script> = script!("redis/ack.lua");
static NACK: LazyLock<Script> = script!("redis/nack.lua");
static BURY: LazyLock<Script> = script!("redis/bury.lua");
static EXTEND: LazyLock<Script> = script!("redis/extend.lua");
static DEPTH: LazyLock<Script> = script!("redis/depth.lua");
static DEAD: LazyLock<Script> = script!("redis/dead.lua");
static REQUEUE: LazyLock<Script> = script!("redis/requeue.lua");

/// The mailbox. Cheap to clone; everybody who names the same one shares it.
#[derive(Debug, Clone)]
pub struct RedisMailbox {
    name: &'static Name,
    redis: Redis,
    keys: Arc<[String; 13]>,
    bounds: Bounds,
    clock: Option<Clock>,
}

impl RedisMailbox {
    /// The mailbox of this instance (of the name, where there is one of it). Asks Redis nothing.
    pub fn new(name: &'static Name, instance: &str, bounds: Bounds, redis: Redis) -> Self {
        let keys = KEYS.map(|key| format!("{{mailbox:{}:{instance}}}:{key}", name.label));
        Self { name, redis, keys: Arc::new(keys), bounds, clock: None }
    }

    /// The same with a time of its own instead of the server's.
    #[must_use]
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    fn begin<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        for key in self.keys.iter() {
            call.key(key.as_str());
        }
        call
    }

    /// With the time as the first argument.
    fn begin_now<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = self.begin(script);
        match &self.clock {
            Some(clock) => call.arg(clock.steady_unix_ms()),
            None => call.arg(""),
        };
        call
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, MailboxError> {
        Ok(self.redis.run(call).await?)
    }

    async fn put_items(&self, items: Vec<Item>) -> Result<Vec<Put>, MailboxError> {
        MailboxError::check(&items)?;
        let mut call = self.begin_now(&PUT);
        call.arg(self.bounds.items_max).arg(self.bounds.bytes_max);
        for item in &items {
            call.arg(&*item.id).arg(item.delay_ms).arg(packed(item));
        }
        let letters: String = self.run(&call).await?;
        let puts: Vec<Put> = letters.bytes().filter_map(put_of).collect();
        if puts.len() != items.len() {
            return Err(MailboxError::Unreadable(letters));
        }
        count_refused(self.name, &puts);
        Ok(puts)
    }

    async fn take_items(&self, limit: usize, visibility_ms: u64) -> Result<Vec<Leased>, MailboxError> {
        MailboxError::check_count(limit)?;
        let mut call = self.begin_now(&TAKE);
        call.arg(limit).arg(visibility_ms).arg(self.bounds.deliveries_max).arg(self.bounds.dead_max);
        call.arg(STARVED_TAKES).arg(SILENT);
        let answer: Vec<Value> = self.run(&call).await?;
        let mut fields = Fields(answer.into_iter());
        let (token, died, expired) = (fields.number()?, fields.number()?, fields.number()?);
        count_losses(self.name, died, expired);
        let mut leased = Vec::new();
        while fields.has_more() {
            let id = fields.text()?.into();
            let (priority, payload) = unpacked(&fields.bytes()?)?;
            let deliveries = u32::try_from(fields.number()?.saturating_add(1)).unwrap_or(u32::MAX);
            let lease = Lease { id, token, bytes: payload.len() };
            leased.push(Leased { lease, priority, deliveries, payload });
        }
        Ok(leased)
    }

    async fn ack_leases(&self, leases: Vec<Lease>) -> Result<usize, MailboxError> {
        MailboxError::check_count(leases.len())?;
        if leases.is_empty() {
            return Ok(0);
        }
        let mut call = self.begin(&ACK);
        for lease in &leases {
            call.arg(member(lease));
        }
        self.run(&call).await
    }

    async fn nack_leases(
        &self,
        leases: Vec<Lease>,
        delay_ms: u64,
        reason: &str,
    ) -> Result<Vec<Nacked>, MailboxError> {
        MailboxError::check_count(leases.len())?;
        let mut call = self.begin_now(&NACK);
        call.arg(delay_ms).arg(self.bounds.deliveries_max).arg(self.bounds.dead_max).arg(reason);
        for lease in &leases {
            call.arg(member(lease));
        }
        let letters: String = self.run(&call).await?;
        let nacked: Vec<Nacked> = letters.bytes().filter_map(nacked_of).collect();
        let died = nacked.iter().filter(|nacked| **nacked == Nacked::Dead).count();
        count_losses(self.name, died as u64, 0);
        if nacked.len() == leases.len() { Ok(nacked) } else { Err(MailboxError::Unreadable(letters)) }
    }

    async fn bury_lease(&self, lease: Lease, reason: &str) -> Result<bool, MailboxError> {
        let mut call = self.begin_now(&BURY);
        call.arg(self.bounds.dead_max).arg(reason).arg(member(&lease));
        let held: bool = self.run(&call).await?;
        count_losses(self.name, u64::from(held), 0);
        Ok(held)
    }

    async fn extend_lease(&self, lease: Lease, visibility_ms: u64) -> Result<bool, MailboxError> {
        let mut call = self.begin_now(&EXTEND);
        call.arg(visibility_ms).arg(member(&lease));
        self.run(&call).await
    }

    async fn read_depth(&self) -> Result<Depth, MailboxError> {
        let (critical, normal, low, leased, dead, bytes) = self.run(&self.begin(&DEPTH)).await?;
        Ok(Depth { waiting: [critical, normal, low], leased, dead, bytes })
    }

    async fn read_dead(&self, limit: usize) -> Result<Vec<DeadLetter>, MailboxError> {
        MailboxError::check_count(limit)?;
        let mut call = self.begin(&DEAD);
        call.arg(limit);
        let answer: Vec<Value> = self.run(&call).await?;
        let (mut fields, mut letters) = (Fields(answer.into_iter()), Vec::new());
        while fields.has_more() {
            let (id, item, note) = (fields.text()?, fields.bytes()?, fields.text()?);
            letters.push(dead_letter(&id, &item, &note)?);
        }
        Ok(letters)
    }

    async fn requeue_ids(&self, ids: Vec<Arc<str>>) -> Result<usize, MailboxError> {
        MailboxError::check_count(ids.len())?;
        let mut call = self.begin(&REQUEUE);
        call.arg(self.bounds.items_max).arg(self.bounds.bytes_max);
        for id in &ids {
            call.arg(&**id);
        }
        self.run(&call).await
    }
}

impl Mailbox for RedisMailbox {
    fn put(&self, items: Vec<Item>) -> BoxFuture<'_, Result<Vec<Put>, MailboxError>> {
        self.put_items(items).boxed()
    }

    fn take(&self, limit: usize, visibility_ms: u64) -> BoxFuture<'_, Result<Vec<Leased>, MailboxError>> {
        self.take_items(limit, visibility_ms).boxed()
    }

    fn ack(&self, leases: Vec<Lease>) -> BoxFuture<'_, Result<usize, MailboxError>> {
        self.ack_leases(leases).boxed()
    }

    fn nack<'a>(
        &'a self,
        leases: Vec<Lease>,
        delay_ms: u64,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Nacked>, MailboxError>> {
        self.nack_leases(leases, delay_ms, reason).boxed()
    }

    fn bury<'a>(&'a self, lease: Lease, reason: &'a str) -> BoxFuture<'a, Result<bool, MailboxError>> {
        self.bury_lease(lease, reason).boxed()
    }

    fn extend(&self, lease: Lease, visibility_ms: u64) -> BoxFuture<'_, Result<bool, MailboxError>> {
        self.extend_lease(lease, visibility_ms).boxed()
    }

    fn depth(&self) -> BoxFuture<'_, Result<Depth, MailboxError>> {
        self.read_depth().boxed()
    }

    fn dead(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetter>, MailboxError>> {
        self.read_dead(limit).boxed()
    }

    fn requeue(&self, ids: Vec<Arc<str>>) -> BoxFuture<'_, Result<usize, MailboxError>> {
        self.requeue_ids(ids).boxed()
    }
}

/// An item as Redis keeps it, with its time to live where its expiry will be.
fn packed(item: &Item) -> Vec<u8> {
    let ttl_ms = item.ttl_ms.map_or(0, |ttl_ms| ttl_ms.clamp(1, TTL_MS_MAX));
    let mut bytes = format!("{}{ttl_ms:0EXPIRY_DIGITS$}", item.priority.index() + 1).into_bytes();
    bytes.extend_from_slice(&item.payload);
    bytes
}

fn unpacked(item: &Bytes) -> Result<(Priority, Bytes), MailboxError> {
    let lane = item.first().and_then(|digit| usize::from(*digit).checked_sub(usize::from(b'1')));
    let priority = lane.and_then(|lane| Priority::ALL.get(lane));
    match priority.filter(|_| item.len() > EXPIRY_DIGITS) {
        Some(priority) => Ok((*priority, item.slice(1 + EXPIRY_DIGITS..))),
        None => Err(MailboxError::Unreadable(format!("an item of {} bytes", item.len()))),
    }
}

fn dead_letter(id: &str, item: &Bytes, note: &str) -> Result<DeadLetter, MailboxError> {
    let (priority, payload) = unpacked(item)?;
    let (died_ms, rest) = note.split_at_checked(13).unwrap_or((note, ""));
    let (deliveries, reason) = rest.split_at_checked(10).unwrap_or((rest, ""));
    match (died_ms.parse(), deliveries.parse()) {
        (Ok(died_ms), Ok(deliveries)) => {
            let reason = reason.to_owned();
            Ok(DeadLetter { id: id.into(), priority, deliveries, died_ms, reason, payload })
        }
        _ => Err(MailboxError::Unreadable(note.to_owned())),
    }
}

/// A lease as the scripts know it.
fn member(lease: &Lease) -> String {
    format!("{}:{}:{}", lease.token, lease.bytes, lease.id)
}

/// An answer, field by field.
struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    fn has_more(&self) -> bool {
        self.0.len() > 0
    }

    fn bytes(&mut self) -> Result<Bytes, MailboxError> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => Ok(bytes.into()),
            other => Err(MailboxError::Unreadable(format!("{other:?} instead of bytes"))),
        }
    }

    fn text(&mut self) -> Result<String, MailboxError> {
        let bytes = self.bytes()?.to_vec();
        String::from_utf8(bytes).map_err(|error| MailboxError::Unreadable(error.to_string()))
    }

    fn number(&mut self) -> Result<u64, MailboxError> {
        let number = match self.0.next() {
            Some(Value::Int(number)) => u64::try_from(number).ok(),
            Some(Value::BulkString(bytes)) => {
                std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok())
            }
            _ => None,
        };
        number.ok_or_else(|| MailboxError::Unreadable("something else instead of a number".to_owned()))
    }
}

fn put_of(letter: u8) -> Option<Put> {
    match letter {
        b'A' => Some(Put::Accepted),
        b'F' => Some(Put::Full),
        b'D' => Some(Put::Duplicate),
        _ => None,
    }
}

fn nacked_of(letter: u8) -> Option<Nacked> {
    match letter {
        b'A' => Some(Nacked::Again),
        b'D' => Some(Nacked::Dead),
        b'N' => Some(Nacked::NotHeld),
        _ => None,
    }
}
