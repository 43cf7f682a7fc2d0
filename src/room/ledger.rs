//! What Redis knows of who is in rooms, by all hub nodes: a hash a room, and the list of the rooms.
//!
//! Each member is believed for a time and refreshed by its node, so that what a killed node leaves behind is gone by
//! itself. The script that lets the first member in or the last one out says so, once: other programs are told by that
//! node.

use std::sync::{Arc, LazyLock};

use bb8_redis::redis::{Script, pipe};

use super::word::Entry;
use crate::engine::{EngineError, Redis};
use crate::ids::RoomName;

/// Rooms by until when somebody is in at most, unix milliseconds.
const ROOMS: &str = "infrawatch:rooms";

/// Rooms that are read in one round trip.
const ROOMS_PER_READ: usize = 64;

/// Members in one call of the script.
pub(super) const MEMBERS_PER_CALL: usize = 500;

static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("scripts/settle.lua")));

/// Forgets a room, unless it was occupied again.
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('ZREM', KEYS[1], ARGV[1]) end
         return 0",
    )
});

/// How long Redis believes what it is told, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Members that are not refreshed.
    pub(super) believed_ms: u64,
    /// Rooms that nobody touches.
    pub(super) kept_ms: u64,
}

/// What a node has to say of a room.
#[derive(Debug, Default)]
pub(super) struct Say {
    pub(super) put: Vec<(Arc<str>, Entry)>,
    pub(super) out: Vec<Arc<str>>,
    /// Other programs were told that somebody is in, as far as this node knows.
    pub(super) was_occupied: bool,
    /// By no other node somebody is in, as far as this node knows.
    pub(super) is_alone: bool,
    /// Members that nobody refreshes are looked for.
    pub(super) purge: bool,
}

/// What other programs are to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    Occupied,
    Vacated,
    Nothing,
}

/// Somebody who is in a room by a node.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) instance: Arc<str>,
    pub(super) client_id: Arc<str>,
    pub(super) entry: Entry,
    /// How much longer that is believed, in milliseconds.
    pub(super) left_ms: u64,
}

/// The part of Redis. Cheap to clone.
#[derive(Clone)]
pub(super) struct Ledger {
    redis: Redis,
    instance: Arc<str>,
}

impl Ledger {
    pub(super) fn new(redis: Redis, instance: Arc<str>) -> Self {
        Self { redis, instance }
    }

    /// Takes note of what a node says of a room; what other programs are to be told, and how many are in.
    pub(super) async fn settle(
        &self,
        room: &RoomName,
        say: &Say,
        times: Times,
    ) -> Result<(Tell, u64), EngineError> {
        let mut call = SETTLE.prepare_invoke();
        call.key(format!("infrawatch:{{room:{room}}}:members"))
            .key(format!("infrawatch:{{room:{room}}}:told"))
            .arg(&*self.instance)
            .arg(times.believed_ms)
            .arg(times.kept_ms)
            .arg(u8::from(say.was_occupied))
            .arg(u8::from(say.purge))
            .arg(say.put.len());
        for (client_id, entry) in &say.put {
            call.arg(&**client_id).arg(entry.text());
        }
        for client_id in &say.out {
            call.arg(&**client_id);
        }
        let (tell, members, now_ms) = self.redis.run::<(i8, u64, u64)>(&call).await?;
        if !say.put.is_empty() {
            let mut listed = pipe();
            let until_ms = now_ms + if say.is_alone { times.believed_ms } else { times.kept_ms };
            listed.cmd("ZADD").arg(ROOMS).arg(until_ms).arg(room.as_str()).ignore();
            self.redis.ask::<()>(&listed).await?;
        }
        let tell = match tell {
            1 => Tell::Occupied,
            -1 => Tell::Vacated,
            _ => Tell::Nothing,
        };
        Ok((tell, members))
    }

    /// At most `limit` rooms that no node has touched in time.
    pub(super) async fn lapsed(&self, limit: usize) -> Result<Vec<(RoomName, String)>, EngineError> {
        let ((seconds, _),) = self.redis.ask::<((u64, u64),)>(pipe().cmd("TIME")).await?;
        let mut asked = pipe();
        asked.cmd("ZRANGE").arg(ROOMS).arg("-inf").arg(seconds * 1_000).arg("BYSCORE");
        asked.arg("LIMIT").arg(0).arg(limit).arg("WITHSCORES");
        let (found,) = self.redis.ask::<(Vec<(String, String)>,)>(&asked).await?;
        let parse = |(room, until): (String, String)| Some((RoomName::parse(&room).ok()?, until));
        Ok(found.into_iter().filter_map(parse).collect())
    }

    /// Forgets a lapsed room in which nobody is.
    pub(super) async fn forget(&self, room: &RoomName, until: &str) -> Result<(), EngineError> {
        self.redis.run::<()>(FORGET.key(ROOMS).arg(room.as_str()).arg(until)).await
    }

    /// Everybody who is in a room by another node.
    pub(super) async fn read(&self) -> Result<Vec<(RoomName, Vec<Found>)>, EngineError> {
        let (rooms,) =
            self.redis.ask::<(Vec<String>,)>(pipe().cmd("ZRANGE").arg(ROOMS).arg(0).arg(-1)).await?;
        let rooms: Vec<RoomName> = rooms.iter().filter_map(|room| RoomName::parse(room).ok()).collect();
        let mut all = Vec::with_capacity(rooms.len());
        for some in rooms.chunks(ROOMS_PER_READ) {
            let mut asked = pipe();
            for room in some {
                asked.cmd("HGETALL").arg(format!("infrawatch:{{room:{room}}}:members"));
            }
            let ((seconds, micros),) = self.redis.ask::<((u64, u64),)>(pipe().cmd("TIME")).await?;
            let now_ms = seconds * 1_000 + micros / 1_000;
            let found = self.redis.ask::<Vec<Vec<(String, String)>>>(&asked).await?;
            let read = |(field, value): (String, String)| self.found(&field, &value, now_ms);
            let found = found.into_iter().map(|fields| fields.into_iter().filter_map(read).collect());
            all.extend(some.iter().cloned().zip(found));
        }
        Ok(all)
    }

    fn found(&self, field: &str, value: &str, now_ms: u64) -> Option<Found> {
        let (instance, client_id) = field.split_once('/')?;
        let (until_ms, entry) = value.split_once(' ')?;
        let left_ms = until_ms.parse::<u64>().ok()?.saturating_sub(now_ms);
        if left_ms == 0 || *instance == *self.instance {
            return None;
        }
        Some(Found {
            instance: instance.into(),
            client_id: client_id.into(),
            entry: Entry::parse(entry)?,
            left_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::EngineSection;

    const TIMES: Times = Times { believed_ms: 60_000, kept_ms: 60_000 };

    fn entry(text: &str) -> Entry {
        let shown = json!({ "subject": "s", "info": { "text": text }, "since": "t", "at_ms": 1 });
        Entry::parse(&shown.to_string()).unwrap()
    }

    fn comes(client_id: &str) -> Say {
        Say { put: vec![(client_id.into(), entry(client_id))], ..Say::default() }
    }

    fn goes(client_id: &str) -> Say {
        Say { out: vec![client_id.into()], was_occupied: true, ..Say::default() }
    }

    fn ledgers(server: &infrawatch_servers::Redis) -> [Ledger; 2] {
        let redis = Redis::new(&server.url(), &EngineSection::default()).unwrap();
        ["one", "two"].map(|instance| Ledger::new(redis.clone(), instance.into()))
    }

    #[tokio::test]
    async fn occupied_and_vacated_are_said_once_over_all_nodes() {
        let server = infrawatch_servers::Redis::start();
        let [one, two] = ledgers(&server);
        let room = RoomName::parse("ops").unwrap();
        let settle = async |ledger: &Ledger, say: Say| ledger.settle(&room, &say, TIMES).await.unwrap();
        assert_eq!(settle(&one, comes("a/b")).await, (Tell::Occupied, 1));
        assert_eq!(settle(&two, comes("a/b")).await, (Tell::Nothing, 2), "the same client by another node");
        assert_eq!(settle(&two, comes("c")).await, (Tell::Nothing, 3));
        // Without any node it is gone by itself.
        let (left_ms,) =
            one.redis.ask(pipe().cmd("PTTL").arg("infrawatch:{room:ops}:members")).await.unwrap();
        assert!((1..=60_000).contains(&left_ms), "{left_ms}");
        let found = one.read().await.unwrap();
        assert_eq!((found.len(), found[0].0.as_str(), found[0].1.len()), (1, "ops", 2), "{found:?}");
        let first = found[0].1.iter().find(|found| &*found.client_id == "a/b").unwrap();
        assert_eq!((&*first.instance, first.entry.text()), ("two", entry("a/b").text()));
        assert!(first.left_ms > 59_000);
        assert_eq!(settle(&one, goes("a/b")).await, (Tell::Nothing, 2));
        assert_eq!(settle(&two, goes("a/b")).await, (Tell::Nothing, 1));
        assert_eq!(settle(&two, goes("c")).await, (Tell::Vacated, 0));
        assert_eq!(settle(&one, goes("c")).await, (Tell::Nothing, 0));
        // Redis lost what it knew: nodes say what other programs were told.
        let again = Say { was_occupied: true, ..comes("c") };
        let elsewhere = RoomName::parse("other").unwrap();
        assert_eq!(one.settle(&elsewhere, &again, TIMES).await.unwrap(), (Tell::Nothing, 1));
        assert_eq!(two.settle(&elsewhere, &goes("c"), TIMES).await.unwrap(), (Tell::Nothing, 1));
        assert_eq!(one.settle(&elsewhere, &goes("c"), TIMES).await.unwrap(), (Tell::Vacated, 0));
    }

    #[tokio::test]
    async fn who_is_not_refreshed_is_out_and_the_room_with_it() {
        let server = infrawatch_servers::Redis::start();
        let [one, two] = ledgers(&server);
        let room = RoomName::parse("ops").unwrap();
        let short = Times { believed_ms: 0, ..TIMES };
        let say = Say { is_alone: true, ..comes("a") };
        assert_eq!(one.settle(&room, &say, short).await.unwrap(), (Tell::Occupied, 1));
        assert!(two.read().await.unwrap()[0].1.is_empty(), "believed by nobody");
        let lapsed = loop {
            // The list is looked at in seconds.
            let lapsed = two.lapsed(9).await.unwrap();
            if !lapsed.is_empty() {
                break lapsed;
            }
        };
        let purge = Say { purge: true, ..Say::default() };
        assert_eq!(two.settle(&room, &purge, TIMES).await.unwrap(), (Tell::Vacated, 0));
        assert_eq!(one.settle(&room, &purge, TIMES).await.unwrap(), (Tell::Nothing, 0));
        one.settle(&room, &comes("b"), TIMES).await.unwrap();
        two.forget(&room, &lapsed[0].1).await.unwrap();
        assert_eq!(two.read().await.unwrap().len(), 1, "it was occupied again");
        assert!(two.lapsed(9).await.unwrap().is_empty());
    }
}
