//! Topics in memory, from a drain to the next start.

use bytes::Bytes;
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::connection::{to_sql, unsigned};
use super::request::Reply;
use super::{Event, Store, TopicHead};

/// A topic that was in memory: where it stood, and its messages, oldest first.
#[derive(Debug, Clone)]
pub struct TopicRecord {
    /// Its name.
    pub name: String,
    /// Epoch and offset.
    pub head: TopicHead,
    /// What it remembered.
    pub events: Vec<Event>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    offset: u64,
    id: String,
    ts_ms: u64,
    key: Option<String>,
    priority: String,
    kind: String,
    payload: String,
}

impl Store {
    /// Keeps topics over a restart.
    pub fn put_topics(&self, topics: Vec<TopicRecord>) -> Reply<()> {
        let bytes =
            topics.iter().flat_map(|topic| &topic.events).map(|event| event.payload.len() + 256).sum();
        self.write(bytes, move |database| {
            let mut statement = database.connection.prepare_cached(
                "INSERT OR REPLACE INTO topic_snapshots (name, epoch, last_offset, messages) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for topic in topics {
                let lines: Vec<Line> = topic.events.into_iter().map(line).collect();
                // Texts and numbers: they can be written.
                let messages = serde_json::to_vec(&lines).unwrap_or_default();
                let TopicHead { epoch, last_offset } = topic.head;
                statement.execute(params![topic.name, epoch, to_sql(last_offset), messages])?;
            }
            Ok(())
        })
    }

    /// Hands the kept topics out, once: after a crash they begin anew.
    pub fn take_topics(&self) -> Reply<Vec<TopicRecord>> {
        self.write(0, |database| {
            let topics = {
                let mut statement = database
                    .connection
                    .prepare_cached("SELECT name, epoch, last_offset, messages FROM topic_snapshots")?;
                let rows = statement.query_map([], |row| {
                    let lines: Vec<Line> =
                        serde_json::from_slice(&row.get::<_, Vec<u8>>(3)?).unwrap_or_default();
                    Ok(TopicRecord {
                        name: row.get(0)?,
                        head: TopicHead { epoch: row.get(1)?, last_offset: unsigned(row, 2)? },
                        events: lines.into_iter().map(event).collect(),
                    })
                })?;
                rows.collect::<Result<Vec<_>, _>>()?
            };
            database.connection.execute("DELETE FROM topic_snapshots", [])?;
            Ok(topics)
        })
    }
}

fn line(event: Event) -> Line {
    let Event { offset, id, ts_ms, key, priority, kind, payload } = event;
    let payload = String::from_utf8(payload.into()).unwrap_or_else(|_| "null".to_owned());
    Line { offset, id, ts_ms, key, priority, kind, payload }
}

fn event(line: Line) -> Event {
    let Line { offset, id, ts_ms, key, priority, kind, payload } = line;
    Event { offset, id, ts_ms, key, priority, kind, payload: Bytes::from(payload) }
}
