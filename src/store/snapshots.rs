//! Topics in memory, from a drain to the next start.

use super::value::params;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
            let sql =
                "INSERT INTO topic_snapshots (name, epoch, last_offset, messages) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO UPDATE SET epoch = ?2, last_offset = ?3, messages = ?4";
            for topic in topics {
                let lines: Vec<Line> = topic.events.into_iter().map(line).collect();
                // Texts and numbers: they can be written.
                let messages = serde_json::to_vec(&lines).unwrap_or_default();
                let TopicHead { epoch, last_offset } = topic.head;
                database.session.execute(sql, params![topic.name, epoch, last_offset, messages])?;
            }
            Ok(())
        })
    }

    /// Hands the kept topics out, once: after a crash they begin anew.
    pub fn take_topics(&self) -> Reply<Vec<TopicRecord>> {
        self.write(0, |database| {
            let sql = "DELETE FROM topic_snapshots RETURNING name, epoch, last_offset, messages";
            database.session.query(sql, params![], |row| {
                let lines: Vec<Line> = serde_json::from_slice(row.get(3)?).unwrap_or_default();
                Ok(TopicRecord {
                    name: row.get(0)?,
                    head: TopicHead { epoch: row.get(1)?, last_offset: row.get(2)? },
                    events: lines.into_iter().map(event).collect(),
                })
            })
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
