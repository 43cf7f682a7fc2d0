//! The log of the topics that are kept in the store. The topic's actor assigns the offsets, or the store does where several
//! hub nodes write; the store keeps them unique and increasing.

use std::collections::HashMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::request::Reply;
use super::session::Session;
use super::value::{Bind, Row, params};
use super::{Store, StoreError, event_log};

/// Rows that one request deletes, or one listing looks at, at most.
const TRIM_ROWS_MAX: u64 = 5_000;
const SCAN_ROWS_MAX: usize = 10_000;

/// Topics that one statement asks for.
const HEADS_AT_ONCE: usize = 100;

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
        self.write(weight_bytes, move |database| event_log::append(&database.session, &topic, &epoch, &event))
    }

    /// Appends one message behind the newest of its topic, whoever wrote that: the offset of `event` is of no account.
    /// A topic without messages begins with `first_epoch`. The epoch and offset that it got, after the commit.
    pub fn append_next(&self, topic: &str, first_epoch: &str, event: Event) -> Reply<(String, u64)> {
        let (topic, first_epoch) = (topic.to_owned(), first_epoch.to_owned());
        let weight_bytes = topic.len() + event.payload.len() + 128;
        self.write(weight_bytes, move |database| {
            event_log::append_next(&database.session, &topic, &first_epoch, event)
        })
    }

    /// Where the topic stands, which begins with `first_epoch` if nobody knew it.
    pub fn open_topic(&self, topic: &str, first_epoch: &str) -> Reply<TopicHead> {
        let (topic, first_epoch) = (topic.to_owned(), first_epoch.to_owned());
        self.write(topic.len() + 64, move |database| {
            let sql = "INSERT INTO topics (name, epoch, last_offset) VALUES (?1, ?2, 0) ON CONFLICT (name) DO NOTHING";
            database.session.execute(sql, params![topic, first_epoch])?;
            let found = find_topic(&database.session, &topic)?;
            found.map(|(_, head)| head).ok_or_else(|| StoreError::Sql("a topic was not made".into()))
        })
    }

    /// Where these topics stand, those that there are.
    pub async fn topic_heads(&self, topics: Vec<String>) -> Result<Vec<(String, TopicHead)>, StoreError> {
        self.read(move |session| {
            let mut found = Vec::new();
            for some in topics.chunks(HEADS_AT_ONCE) {
                // One statement for any number: the last name again and again does no harm.
                let last = some.last();
                let names: Vec<_> = some.iter().chain(last.into_iter().cycle()).take(HEADS_AT_ONCE).collect();
                let binds: Vec<_> = names.iter().map(|name| name.bind()).collect();
                let places: Vec<_> = (1..=HEADS_AT_ONCE).map(|place| format!("?{place}")).collect();
                let sql = format!(
                    "SELECT name, epoch, last_offset FROM topics WHERE name IN ({})",
                    places.join(", ")
                );
                found.extend(session.query::<_, Vec<_>>(&sql, &binds, |row| {
                    Ok((row.get(0)?, TopicHead { epoch: row.get(1)?, last_offset: row.get(2)? }))
                })?);
            }
            Ok(found)
        })
        .await
    }

    /// Where the topic stands; `None` when nothing was ever appended.
    pub async fn topic_head(&self, topic: &str) -> Result<Option<TopicHead>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |session| Ok(find_topic(session, &topic)?.map(|(_, head)| head))).await
    }

    /// The newest `limit` messages of the topic's epoch (before `before_offset`, when given), oldest first.
    pub async fn tail_events(
        &self,
        topic: &str,
        limit: usize,
        before_offset: Option<u64>,
    ) -> Result<Vec<Event>, StoreError> {
        let topic = topic.to_owned();
        self.read(move |session| {
            let Some((id, head)) = find_topic(session, &topic)? else { return Ok(Vec::new()) };
            let sql = &format!(
                "SELECT {EVENT_COLUMNS} FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" < ?3
                 ORDER BY \"offset\" DESC LIMIT ?4"
            );
            let before = before_offset.unwrap_or(u64::MAX);
            let mut events: Vec<Event> =
                session.query(sql, params![id, head.epoch, before, limit], read_event)?;
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
        self.read(move |session| {
            let mut names = Vec::new();
            let sql = "SELECT name FROM topics WHERE name >= ?1 AND name < ?2
                       AND EXISTS (SELECT 1 FROM events WHERE events.topic_id = topics.id)";
            for prefix in prefixes {
                // The character behind every one that a name may have.
                let end = format!("{prefix}\u{7f}");
                names.extend(session.query::<String, Vec<_>>(sql, params![prefix, end], |row| row.get(0))?);
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
        self.read(move |session| {
            let Some((id, _)) = find_topic(session, &topic)? else { return Ok(Vec::new()) };
            let sql = &format!(
                "SELECT {EVENT_COLUMNS} FROM events WHERE topic_id = ?1 AND epoch = ?2 AND \"offset\" > ?3
                 ORDER BY \"offset\" LIMIT ?4"
            );
            session.query(sql, params![id, epoch, after_offset, limit], read_event)
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
        self.read(move |session| list(session, topic.as_deref(), before, limit, &may_read)).await
    }

    /// The messages of these topics, newest first.
    pub async fn list_topics(
        &self,
        topics: Vec<String>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<EventPage, StoreError> {
        self.read(move |session| {
            let mut items = Vec::new();
            for topic in &topics {
                items.extend(list_one(session, topic, before, limit + 1)?);
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
            let trimmed = self.write(0, move |database| trim(&database.session, &topic, keep)).await?;
            total += trimmed;
            if trimmed < TRIM_ROWS_MAX {
                return Ok(total);
            }
        }
    }
}

pub(super) fn find_topic(session: &Session, topic: &str) -> Result<Option<(i64, TopicHead)>, StoreError> {
    let sql = "SELECT id, epoch, last_offset FROM topics WHERE name = ?1";
    session.optional(sql, params![topic], |row| {
        Ok((row.get(0)?, TopicHead { epoch: row.get(1)?, last_offset: row.get(2)? }))
    })
}

fn read_event(row: Row<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        offset: row.get(0)?,
        id: row.get(1)?,
        ts_ms: row.get(2)?,
        key: row.get(3)?,
        priority: row.get(4)?,
        kind: row.get(5)?,
        payload: row.get(6)?,
    })
}

fn list(
    session: &Session,
    topic: Option<&str>,
    before: Option<u64>,
    limit: usize,
    may_read: &dyn Fn(&str) -> bool,
) -> Result<EventPage, StoreError> {
    let mut page = EventPage { items: Vec::new(), next: None };
    let topic_id = match topic {
        None => None,
        Some(name) => match find_topic(session, name)? {
            Some((id, _)) => Some(id),
            None => return Ok(page),
        },
    };
    // One index for each form: `?1 IS NULL OR topic_id = ?1` would use neither. CROSS: the topic of each message is looked
    // up, in the order of the messages.
    let one_topic = if topic_id.is_some() { "topic_id = ?1" } else { "CAST(?1 AS BIGINT) IS NULL" };
    let sql = format!(
        "SELECT {}, seq, topic_id, events.epoch, name FROM events CROSS JOIN topics
         WHERE topics.id = topic_id AND {one_topic} AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
        EVENT_COLUMNS.replace(" id,", " events.id,"),
    );
    let (mut next, mut scanned) = (before.unwrap_or(u64::MAX), 0);
    let mut readable: HashMap<i64, bool> = HashMap::new();
    // In steps: a reader that may read everything does not have what it does not want fetched.
    while scanned < SCAN_ROWS_MAX {
        let rows = (4 * limit + 1).min(SCAN_ROWS_MAX - scanned);
        let (mut found, mut full, mut last_seq) = (0, false, next);
        session.each_until(&sql, params![topic_id, next, rows], |row| {
            // Only when there is a further row is there a further page.
            if page.items.len() >= limit {
                full = true;
                return Ok(ControlFlow::Break(()));
            }
            found += 1;
            last_seq = row.get(7)?;
            let name: &str = row.get(10)?;
            if *readable.entry(row.get(8)?).or_insert_with(|| may_read(name)) {
                let (topic, epoch) = (name.to_owned(), row.get(9)?);
                page.items.push(ListedEvent { topic, epoch, event: read_event(row)? });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        (next, scanned) = (last_seq, scanned + found);
        if full || scanned == SCAN_ROWS_MAX {
            page.next = Some(next);
            break;
        }
        if found < rows {
            break;
        }
    }
    Ok(page)
}

/// The newest messages of one topic before a row, each with its row.
fn list_one(
    session: &Session,
    topic: &str,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, ListedEvent)>, StoreError> {
    let Some((id, _)) = find_topic(session, topic)? else { return Ok(Vec::new()) };
    let sql = format!(
        "SELECT {EVENT_COLUMNS}, seq, epoch FROM events WHERE topic_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
    );
    session.query(&sql, params![id, before.unwrap_or(u64::MAX), limit], |row| {
        let listed = ListedEvent { topic: topic.to_owned(), epoch: row.get(8)?, event: read_event(row)? };
        Ok((row.get(7)?, listed))
    })
}

fn trim(session: &Session, topic: &str, keep: u64) -> Result<u64, StoreError> {
    let Some((id, _)) = find_topic(session, topic)? else { return Ok(0) };
    let sql = "DELETE FROM events WHERE seq IN
               (SELECT seq FROM events WHERE topic_id = ?1 ORDER BY seq DESC LIMIT ?3 OFFSET ?2)";
    session.execute(sql, params![id, keep, TRIM_ROWS_MAX])
}
