//! Appending to the log of a topic: its head moves and the message is kept, under the lock of the topic's row.

use super::events::find_topic;
use super::session::Session;
use super::value::{Row, params};
use super::{Event, StoreError};

/// Moves the head to offset ?3 of epoch ?2, if that is the next. The row is locked until the commit: nobody else gives out
/// the same offset.
const MOVE_TO: &str = "INSERT INTO topics (name, epoch, last_offset) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET epoch = ?2, last_offset = ?3
    WHERE topics.epoch <> ?2 OR topics.last_offset = ?3 - 1 RETURNING id, epoch, last_offset";

/// Moves the head to the next offset, whatever it is.
const MOVE_ON: &str = "INSERT INTO topics (name, epoch, last_offset) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET last_offset = topics.last_offset + 1 RETURNING id, epoch, last_offset";

/// Keeps a message at the offset that it has.
pub(super) fn append(session: &Session, topic: &str, epoch: &str, event: &Event) -> Result<(), StoreError> {
    if move_and_keep(session, MOVE_TO, topic, epoch, event)?.is_some() {
        return Ok(());
    }
    match find_topic(session, topic)? {
        Some((id, head)) if event.offset <= head.last_offset => expect_same(session, id, epoch, event),
        head => {
            let (next, offset) = (head.map_or(1, |(_, head)| head.last_offset + 1), event.offset);
            Err(StoreError::Conflict(format!("the next offset of the topic is {next}, not {offset}")))
        }
    }
}

/// Keeps a message behind the newest; the epoch and offset that it got.
pub(super) fn append_next(
    session: &Session,
    topic: &str,
    first_epoch: &str,
    event: Event,
) -> Result<(String, u64), StoreError> {
    let first = Event { offset: 1, ..event };
    let moved = move_and_keep(session, MOVE_ON, topic, first_epoch, &first)?;
    moved.ok_or_else(|| StoreError::Sql("the head of a topic did not move".into()))
}

/// Moves the head as `sql` says and keeps the message where it then is: epoch and offset. `None`: the head did not move.
fn move_and_keep(
    session: &Session,
    sql: &str,
    topic: &str,
    epoch: &str,
    event: &Event,
) -> Result<Option<(String, u64)>, StoreError> {
    let Event { offset, id, ts_ms, key, priority, kind, payload } = event;
    if let Session::Postgres(server) = session {
        server.lock_topics();
        // In one round trip: what is kept most often.
        let sql = format!(
            "WITH head AS ({sql}) INSERT INTO events
                 (topic_id, epoch, \"offset\", id, ts_ms, \"key\", priority, kind, payload)
             SELECT id, epoch, last_offset, ?4, CAST(?5 AS BIGINT), ?6, ?7, ?8, CAST(?9 AS BYTEA) FROM head
             RETURNING epoch, \"offset\""
        );
        let values = params![topic, epoch, offset, id, ts_ms, key, priority, kind, payload[..]];
        return session.optional(&sql, values, |row| Ok((row.get(0)?, row.get(1)?)));
    }
    let read = |row: Row<'_>| Ok((row.get::<i64>(0)?, row.get(1)?, row.get(2)?));
    let Some((topic_id, epoch, offset)) = session.optional(sql, params![topic, epoch, offset], read)? else {
        return Ok(None);
    };
    let sql = "INSERT INTO events (topic_id, epoch, \"offset\", id, ts_ms, \"key\", priority, kind, payload)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let at: (String, u64) = (epoch, offset);
    session.execute(sql, params![topic_id, at.0, at.1, id, ts_ms, key, priority, kind, payload[..]])?;
    Ok(Some(at))
}

/// At or below the head only the very same message may come again.
fn expect_same(session: &Session, topic_id: i64, epoch: &str, event: &Event) -> Result<(), StoreError> {
    let sql = "SELECT id FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" = ?3";
    let there = session.optional(sql, params![topic_id, epoch, event.offset], |row| row.get::<String>(0))?;
    if there.as_ref() == Some(&event.id) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("offset {} of the topic is taken", event.offset)))
}
