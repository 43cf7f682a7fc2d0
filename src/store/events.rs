//! The log of the topics that are kept in the store. The topic's actor assigns the offsets; the store
//! keeps them unique and increasing.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::connection::{to_sql, unsigned};
use super::request::Reply;
use super::{Store, StoreError};

/// Rows that one request deletes, or one listing looks at, at most.
const TRIM_ROWS_MAX: u64 = 5_000;
const SCAN_ROWS_MAX: usize = 10_000;

/// Where a topic stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicHead {
    /// The epoch that offsets count in.
    pub epoch: String,
    /// The offset given out last.
    pub last_offset: u64,
}

/// One message of a topic's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Position within the epoch.
    pub offset: u64,
    /// Identity of the message, UUIDv7.
    pub id: String,
    /// When it was published, Unix milliseconds.
    pub ts_ms: u64,
    /// Key of the message, if it has one.
    pub key: Option<String>,
    /// `critical`, `normal` or `low`.
    pub priority: String,
    /// What it is: the `type` that a publisher gave, or `message`.
    pub kind: String,
    /// What was published, as it was encoded.
    pub payload: Bytes,
}

/// One row of a listing over several topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    /// Name of the topic.
    pub topic: String,
    /// Epoch of the offset.
    pub epoch: String,
    /// The message.
    pub event: Event,
}

/// A page of a listing, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The messages.
    pub items: Vec<ListedEvent>,
    /// Where the next page begins: pass it as `before`. `None`: this was the last page.
    pub next: Option<u64>,
}

const EVENT_COLUMNS: &str = "\"offset\", id, ts_ms, \"key\", priority, kind, payload";

impl Store {
    /// Appends one message to a topic's log and moves the topic's head. Ready after the commit.
    ///
    /// A message that is there already (same offset and id) is fine; another one at that offset, or an
    /// offset that is not the next, is a [`StoreError::Conflict`]. A new `epoch` starts the topic afresh.
    pub fn append_event(&self, topic: &str, epoch: &str, event: Event) -> Reply<()> {
        let (topic, epoch) = (topic.to_owned(), epoch.to_owned());
        let weight_bytes = topic.len() + event.payload.len() + 128;
        self.write(weight_bytes, move |database| append(&database.connection, &topic, &epoch, &event))
    }

    /// Where the topic stands; `None` when nothing was ever appended.
    pub async fn topic_head(&self, topic: &str) -> Result<Option<TopicHead>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |connection| Ok(find_topic(connection, &topic)?.map(|(_, head)| head))).await
    }

    /// The newest `limit` messages of the topic's epoch (before `before_offset`, when given), oldest first.
    pub async fn tail_events(
        &self,
        topic: &str,
        limit: usize,
        before_offset: Option<u64>,
    ) -> Result<Vec<Event>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |connection| {
            let Some((id, head)) = find_topic(connection, &topic)? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {EVENT_COLUMNS} FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" < ?3
                 ORDER BY \"offset\" DESC LIMIT ?4"
            ))?;
            let before = to_sql(before_offset.unwrap_or(u64::MAX));
            let rows = statement.query_map(params![id, head.epoch, before, limit as i64], read_event)?;
            let mut events = rows.collect::<Result<Vec<_>, _>>()?;
            events.reverse();
            Ok(events)
        })
        .await
    }

    /// Names of the topics that have messages and whose name begins with one of `prefixes`.
    pub async fn topics_with_events(
        &self,
        prefixes: &'static [&'static str],
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut names = Vec::new();
            let mut statement = connection.prepare_cached(
                "SELECT name FROM topics WHERE name >= ?1 AND name < ?2
                 AND EXISTS (SELECT 1 FROM events WHERE events.topic_id = topics.id)",
            )?;
            for prefix in prefixes {
                // The character behind every one that a name may have.
                let end = format!("{prefix}\u{7f}");
                let rows = statement.query_map(params![prefix, end], |row| row.get::<_, String>(0))?;
                for name in rows {
                    names.push(name?);
                }
            }
            Ok(names)
        })
        .await
    }

    /// Messages of `epoch` after `after_offset`, oldest first: what a recovering subscriber missed.
    pub async fn events_after(
        &self,
        topic: &str,
        epoch: &str,
        after_offset: u64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let (topic, epoch) = (topic.to_owned(), epoch.to_owned());
        self.read(move |connection| {
            let Some((id, _)) = find_topic(connection, &topic)? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {EVENT_COLUMNS} FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" > ?3
                 ORDER BY \"offset\" LIMIT ?4"
            ))?;
            let rows =
                statement.query_map(params![id, epoch, to_sql(after_offset), limit as i64], read_event)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Messages across topics, newest first: of `topic` only when it is given, and only of topics that
    /// `may_read` lets through. A page may be short, even empty, and still have a next one.
    pub async fn list_events<F>(
        &self,
        topic: Option<&str>,
        before: Option<u64>,
        limit: usize,
        may_read: F,
    ) -> Result<EventPage, StoreError>
    where
        F: Fn(&str) -> bool + Send + 'static,
    {
        let topic = topic.map(str::to_owned);
        self.read(move |connection| list(connection, topic.as_deref(), before, limit, &may_read)).await
    }

    /// The messages of these topics, newest first.
    pub async fn list_topics(
        &self,
        topics: Vec<String>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.read(move |connection| {
            let mut items = Vec::new();
            for topic in &topics {
                items.extend(list_one(connection, topic, before, limit + 1)?);
            }
            items.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
            let next =
                items.get(limit.saturating_sub(1)).filter(|_| items.len() > limit).map(|(seq, _)| *seq);
            items.truncate(limit);
            Ok(EventPage { items: items.into_iter().map(|(_, item)| item).collect(), next })
        })
        .await
    }

    /// Deletes all but the newest `keep` messages of a topic, in bounded steps; returns how many went.
    pub async fn trim_topic(&self, topic: &str, keep: u64) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let topic = topic.to_owned();
            let trimmed = self.write(0, move |database| trim(&database.connection, &topic, keep)).await?;
            total += trimmed;
            if trimmed < TRIM_ROWS_MAX {
                return Ok(total);
            }
        }
    }
}

fn append(connection: &Connection, topic: &str, epoch: &str, event: &Event) -> Result<(), StoreError> {
    let topic_id = match find_topic(connection, topic)? {
        None => {
            connection
                .prepare_cached("INSERT INTO topics (name, epoch, last_offset) VALUES (?1, ?2, ?3)")?
                .execute(params![topic, epoch, to_sql(event.offset)])?;
            connection.last_insert_rowid()
        }
        Some((id, head)) if head.epoch == epoch && event.offset <= head.last_offset => {
            return expect_same(connection, id, epoch, event);
        }
        Some((_, head)) if head.epoch == epoch && event.offset > head.last_offset + 1 => {
            let next = head.last_offset + 1;
            return Err(StoreError::Conflict(format!(
                "the next offset of the topic is {next}, not {}",
                event.offset
            )));
        }
        Some((id, _)) => {
            connection
                .prepare_cached("UPDATE topics SET epoch = ?2, last_offset = ?3 WHERE id = ?1")?
                .execute(params![id, epoch, to_sql(event.offset)])?;
            id
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO events (topic_id, epoch, \"offset\", id, ts_ms, \"key\", priority, kind, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            topic_id,
            epoch,
            to_sql(event.offset),
            event.id,
            to_sql(event.ts_ms),
            event.key,
            event.priority,
            event.kind,
            &event.payload[..],
        ])?;
    Ok(())
}

/// At or below the head only the very same message may come again.
fn expect_same(connection: &Connection, topic_id: i64, epoch: &str, event: &Event) -> Result<(), StoreError> {
    let there = connection
        .prepare_cached("SELECT id FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" = ?3")?
        .query_row(params![topic_id, epoch, to_sql(event.offset)], |row| row.get::<_, String>(0))
        .optional()?;
    if there.as_ref() == Some(&event.id) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!("offset {} of the topic is taken", event.offset)))
}

fn find_topic(connection: &Connection, topic: &str) -> Result<Option<(i64, TopicHead)>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT id, epoch, last_offset FROM topics WHERE name = ?1")?
        .query_row([topic], |row| {
            Ok((row.get(0)?, TopicHead { epoch: row.get(1)?, last_offset: unsigned(row, 2)? }))
        })
        .optional()?)
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        offset: unsigned(row, 0)?,
        id: row.get(1)?,
        ts_ms: unsigned(row, 2)?,
        key: row.get(3)?,
        priority: row.get(4)?,
        kind: row.get(5)?,
        payload: Bytes::from(row.get::<_, Vec<u8>>(6)?),
    })
}

fn list(
    connection: &Connection,
    topic: Option<&str>,
    before: Option<u64>,
    limit: usize,
    may_read: &dyn Fn(&str) -> bool,
) -> Result<EventPage, StoreError> {
    let mut page = EventPage { items: Vec::new(), next: None };
    let topic_id = match topic {
        None => None,
        Some(name) => match find_topic(connection, name)? {
            Some((id, _)) => Some(id),
            None => return Ok(page),
        },
    };
    let mut names: HashMap<i64, Option<String>> = HashMap::new();
    // One index for each form: `?1 IS NULL OR topic_id = ?1` would use neither.
    let one_topic = if topic_id.is_some() { "topic_id = ?1" } else { "?1 IS NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS}, seq, topic_id, epoch FROM events WHERE {one_topic} AND seq < ?2
         ORDER BY seq DESC LIMIT ?3"
    ))?;
    let bounds = params![topic_id, to_sql(before.unwrap_or(u64::MAX)), SCAN_ROWS_MAX as i64];
    let mut rows = statement.query(bounds)?;
    let (mut scanned, mut last_seq) = (0, 0);
    while let Some(row) = rows.next()? {
        // Only when there is a further row is there a further page.
        if page.items.len() >= limit {
            page.next = Some(last_seq);
            break;
        }
        last_seq = unsigned(row, 7)?;
        let id: i64 = row.get(8)?;
        if let std::collections::hash_map::Entry::Vacant(vacant) = names.entry(id) {
            let name: String = connection
                .prepare_cached("SELECT name FROM topics WHERE id = ?1")?
                .query_row([id], |row| row.get(0))?;
            vacant.insert(may_read(&name).then_some(name));
        }
        if let Some(Some(topic)) = names.get(&id) {
            page.items.push(ListedEvent {
                topic: topic.clone(),
                epoch: row.get(9)?,
                event: read_event(row)?,
            });
        }
        scanned += 1;
    }
    if scanned == SCAN_ROWS_MAX && page.next.is_none() {
        page.next = Some(last_seq);
    }
    drop(rows);
    Ok(page)
}

/// The newest messages of one topic before a row, each with its row.
fn list_one(
    connection: &Connection,
    topic: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, ListedEvent)>, StoreError> {
    let Some((id, _)) = find_topic(connection, topic)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {EVENT_COLUMNS}, seq, epoch FROM events WHERE topic_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![id, to_sql(before.unwrap_or(u64::MAX)), limit as i64], |row| {
        let listed = ListedEvent { topic: topic.to_owned(), epoch: row.get(8)?, event: read_event(row)? };
        Ok((unsigned(row, 7)?, listed))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn trim(connection: &Connection, topic: &str, keep: u64) -> Result<u64, StoreError> {
    let Some((id, _)) = find_topic(connection, topic)? else { return Ok(0) };
    let deleted = connection
        .prepare_cached(
            "DELETE FROM events WHERE seq IN
             (SELECT seq FROM events WHERE topic_id = ?1 ORDER BY seq DESC LIMIT ?3 OFFSET ?2)",
        )?
        .execute(params![id, to_sql(keep), to_sql(TRIM_ROWS_MAX)])?;
    Ok(deleted as u64)
}
