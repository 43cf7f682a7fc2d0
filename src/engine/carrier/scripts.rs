//! A topic in Redis: its epoch and last offset, its newest messages, and a channel that says what is new.
//!
//! One script a step, so that each is atomic. All keys of a topic have its name as hash tag: they lie on one node of a
//! Redis Cluster. The epoch belongs to one life of the Redis server: one that was restored from its disk may have lost
//! offsets that it gave out, and must not give them out again.

use std::sync::LazyLock;

use bb8_redis::redis::{Script, pipe};

use super::entry::{self, Entry};
use super::{Placed, Shape, Tail};
use crate::engine::{EngineError, Redis};

/// A topic that nobody used for so long is forgotten, in milliseconds.
const TOPIC_TTL_MS: u64 = 3_600_000;

/// Finds the epoch, or begins one: in the head for the server that runs now.
const EPOCH: &str = r"
local head, log, newest = KEYS[1], KEYS[2], KEYS[3]
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local epoch = redis.call('HGET', head, 'epoch')
if not epoch or redis.call('HGET', head, 'run') ~= run then
  epoch = ARGV[1]
  redis.call('DEL', head, log, newest)
  redis.call('HSET', head, 'epoch', epoch, 'run', run, 'last', 0)
end
redis.call('PEXPIRE', head, ARGV[2])
";

/// Gives offsets, remembers, tells everybody.
static PUBLISH: LazyLock<Script> = LazyLock::new(|| {
    let rest = r"
local keep, count, batch = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local last = redis.call('HINCRBY', head, 'last', count)
local first = last - count + 1
if #ARGV == 6 then
  redis.call('XADD', log, 'MAXLEN', '~', keep, last .. '-0', 'n', count, 'b', batch)
  redis.call('PEXPIRE', log, ARGV[2])
else
  for i = 0, count - 1 do
    redis.call('HSET', newest, ARGV[7 + 2 * i], (first + i) .. ' ' .. ARGV[8 + 2 * i])
  end
  redis.call('PEXPIRE', newest, ARGV[2])
end
redis.call('PUBLISH', ARGV[3], epoch .. ' ' .. first .. ' ' .. batch)
return { epoch, first }
";
    Script::new(&format!("{EPOCH}{rest}"))
});

/// Where the topic stands, and its newest messages.
static TAIL: LazyLock<Script> = LazyLock::new(|| {
    let rest = r"
local last = tonumber(redis.call('HGET', head, 'last'))
local batches = {}
if ARGV[3] == 'log' then
  for _, item in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', ARGV[4])) do
    table.insert(batches, 1, { tonumber(string.match(item[1], '%d+')) - item[2][2] + 1, item[2][4] })
  end
else
  for i, value in ipairs(redis.call('HVALS', newest)) do
    local offset, batch = string.match(value, '^(%d+) (.*)$')
    table.insert(batches, { tonumber(offset), batch })
  end
end
return { epoch, last, batches }
";
    Script::new(&format!("{EPOCH}{rest}"))
});

/// Messages after an offset, where the epoch is still that.
static AFTER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {} end
local batches = {}
for _, item in ipairs(redis.call('XRANGE', KEYS[2], (ARGV[2] + 1) .. '-0', '+', 'COUNT', ARGV[3])) do
  table.insert(batches, { tonumber(string.match(item[1], '%d+')) - item[2][2] + 1, item[2][4] })
end
return batches
",
    )
});

/// A batch as Redis has it: offset of its first message, and what [`entry::write`] wrote.
type Batch = (u64, Vec<u8>);

fn keys(topic: &str) -> [String; 3] {
    ["head", "log", "newest"].map(|part| format!("infrawatch:{{{topic}}}:{part}"))
}

/// The channel of a topic.
pub(super) fn channel(topic: &str) -> String {
    format!("infrawatch:{{{topic}}}")
}

/// Gives a batch its place.
pub(super) async fn publish(
    redis: &Redis,
    topic: &str,
    shape: Shape,
    fresh_epoch: &str,
    entries: &[Entry],
) -> Result<Placed, EngineError> {
    let mut script = PUBLISH.prepare_invoke();
    keys(topic).iter().for_each(|key| _ = script.key(key));
    script.arg(fresh_epoch).arg(TOPIC_TTL_MS).arg(channel(topic));
    script.arg(shape.batches_max()).arg(entries.len()).arg(entry::write(entries));
    if shape == Shape::Latest {
        for one in entries {
            script.arg(one.key.as_deref().unwrap_or("")).arg(entry::write(std::slice::from_ref(one)));
        }
    }
    let (epoch, first): (String, u64) = redis.run(&script).await?;
    Ok(Placed { epoch: epoch.into(), first })
}

/// Where a topic stands and its newest messages, each with its offset, in order.
pub(super) async fn tail(
    redis: &Redis,
    topic: &str,
    shape: Shape,
    fresh_epoch: &str,
) -> Result<Tail, EngineError> {
    let mut script = TAIL.prepare_invoke();
    keys(topic).iter().for_each(|key| _ = script.key(key));
    script.arg(fresh_epoch).arg(TOPIC_TTL_MS).arg(shape.name()).arg(shape.batches_max());
    let (epoch, last, batches): (String, u64, Vec<Batch>) = redis.run(&script).await?;
    let mut entries = unpack(batches);
    entries.sort_by_key(|(offset, _)| *offset);
    Ok(Tail { epoch: epoch.into(), last, entries })
}

/// Messages of a log after `offset`; fewer than there were where the rest was trimmed or the epoch is another.
pub(super) async fn after(
    redis: &Redis,
    topic: &str,
    shape: Shape,
    epoch: &str,
    offset: u64,
) -> Result<Vec<(u64, Entry)>, EngineError> {
    let mut script = AFTER.prepare_invoke();
    keys(topic).iter().for_each(|key| _ = script.key(key));
    script.arg(epoch).arg(offset).arg(shape.batches_max());
    let batches: Vec<Batch> = redis.run(&script).await?;
    Ok(unpack(batches).into_iter().filter(|(at, _)| *at > offset).collect())
}

/// Forgets the newest value of a key.
pub(super) async fn forget_key(redis: &Redis, topic: &str, key: &str) -> Result<(), EngineError> {
    let [_head, _log, newest] = keys(topic);
    redis.ask(pipe().cmd("HDEL").arg(newest).arg(key).ignore()).await
}

/// What a push on a channel says: epoch, offset of the first message, messages.
pub(super) fn pushed(bytes: &[u8]) -> Option<(&str, u64, Vec<Entry>)> {
    let mut parts = bytes.splitn(3, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (epoch, first) = (text()?, text()?.parse().ok()?);
    Some((epoch, first, entry::read(parts.next()?)?))
}

fn unpack(batches: Vec<Batch>) -> Vec<(u64, Entry)> {
    let read = batches.into_iter().filter_map(|(first, bytes)| Some((first, entry::read(&bytes)?)));
    read.flat_map(|(first, entries)| (first..).zip(entries)).collect()
}
