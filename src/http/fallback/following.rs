//! Which topics a reader follows: those that it names, and those that its wildcards name.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use super::access::{ReadError, may_read};
use super::cursor::Cursor;
use super::reader::Reader;
use crate::auth::{Claims, TopicPattern};
use crate::broker::Openings;
use crate::connection::Services;
use crate::connection::session::Personal;
use crate::ids::TopicName;
use crate::telemetry::Cause;
use crate::topic::{Class, Position, TopicHandle};

/// What is to be read.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) names: Vec<TopicName>,
    pub(super) wildcards: Vec<TopicPattern>,
}

/// How a reader came to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By its name; it stays open while it is read.
    Named,
    /// A wildcard names it. When nobody uses it any more it is forgotten, here too.
    Found,
    /// The same, and it opened after the reader's place: all of it is new.
    Opened,
}

/// Where the reader stands in one topic.
pub(super) struct Followed {
    pub(super) name: TopicName,
    pub(super) class: Class,
    /// `None` before the first look: it starts now, or where the topic opened.
    pub(super) at: Option<Position>,
    /// How the reader came to it.
    pub(super) way: Way,
    /// Others had filled the round before its turn.
    pub(super) is_skipped: bool,
    /// It is closed, and nothing of it is left.
    pub(super) is_gone: bool,
    /// Whether this request has been told where it stands.
    pub(super) is_told: bool,
    /// Something may be there that was not read.
    pub(super) is_due: bool,
    /// Tells of something new; of the topic as it was at the last look.
    pub(super) flushes: Option<watch::Receiver<u64>>,
}

impl Reader {
    pub(super) fn new(
        services: Arc<Services>,
        claims: Arc<Claims>,
        wanted: Wanted,
        since: &Cursor,
        limit: usize,
        cause: Cause,
    ) -> Result<Self, ReadError> {
        let Wanted { names, wildcards } = wanted;
        // What is not followed any more is left out of further cursors.
        let cursor = Cursor::following(&wildcards);
        let broker = services.broker.clone();
        let names_max = services.settings.topics_max + 1;
        let begins = !wildcards.iter().all(|wildcard| since.follows(wildcard));
        let mut reader =
            Self { services, claims, followed: Vec::new(), cursor, openings: None, begins, limit, cause };
        for name in names {
            reader.follow(name, since, Way::Named)?;
        }
        if !wildcards.is_empty() {
            let (open, openings) = broker.watch(wildcards.clone(), names_max);
            reader.openings = Some(openings);
            let covers = |wildcard: &&TopicPattern, name: &TopicName| wildcard.covers(name.as_str());
            for name in open {
                let is_later = wildcards.iter().filter(|w| covers(w, &name)).any(|w| since.follows(w));
                reader.follow(name, since, if is_later { Way::Opened } else { Way::Found })?;
            }
            // Of closed topics something may be unread. What they had in memory is gone: they begin anew when they open.
            for name in since.topics().filter(|name| wildcards.iter().any(|w| covers(&w, name))) {
                if broker.outlives_memory(name) {
                    reader.follow(name.clone(), since, Way::Found)?;
                }
            }
        }
        reader.sort();
        Ok(reader)
    }

    /// One topic more, once.
    fn follow(&mut self, name: TopicName, since: &Cursor, way: Way) -> Result<(), ReadError> {
        if self.followed.iter().any(|followed| followed.name == name) {
            return Ok(());
        }
        let topics_max = self.services.settings.topics_max;
        if self.followed.len() >= topics_max {
            return Err(ReadError::TooManyTopics { topics_max });
        }
        let at = since.position(&name).cloned();
        if let Some(at) = &at {
            self.cursor.set(name.clone(), at.clone());
        }
        let class = self.services.broker.kind(&name).class;
        self.followed.push(Followed {
            name,
            class,
            at,
            way,
            is_skipped: false,
            is_gone: false,
            is_told: false,
            is_due: true,
            flushes: None,
        });
        Ok(())
    }

    /// Urgent topics first; those that were named as they were named, then the others by name.
    fn sort(&mut self) {
        self.followed.sort_by(|a, b| {
            let priority = |followed: &Followed| self.services.broker.kind(&followed.name).priority;
            let found = |followed: &Followed| (followed.way != Way::Named).then(|| followed.name.clone());
            priority(a).cmp(&priority(b)).then_with(|| found(a).cmp(&found(b)))
        });
    }

    /// Topics that opened meanwhile.
    pub(super) fn follow_opened(&mut self) -> Result<(), ReadError> {
        let opened = self.openings.as_deref().map(Openings::take).unwrap_or_default();
        if opened.is_empty() {
            return Ok(());
        }
        for name in opened {
            self.follow(name, &Cursor::default(), Way::Opened)?;
        }
        self.sort();
        Ok(())
    }

    /// The topic, opened again: one that was idle may have been forgotten and made anew meanwhile. `None` when nobody
    /// else has use for it either.
    pub(super) fn open(&mut self, index: usize) -> Result<Option<TopicHandle>, ReadError> {
        let broker = &self.services.broker;
        let followed = &mut self.followed[index];
        let name = &followed.name;
        // A personal one may have become somebody else's.
        if Personal::of(name.as_str()).is_some() && !may_read(&self.services, &self.claims, name.as_str()) {
            return Err(ReadError::Forbidden { topic: name.to_string() });
        }
        let topic = match followed.way {
            Way::Named => broker.open(name)?,
            Way::Found | Way::Opened => match broker.find(name) {
                Some(topic) => topic,
                None if broker.outlives_memory(name) => broker.open(name)?,
                None => {
                    followed.is_gone = true;
                    self.cursor.forget(name);
                    return Ok(None);
                }
            },
        };
        if followed.way == Way::Named {
            topic.interest().touched_ms.store(self.services.clock.unix_ms(), Ordering::Relaxed);
        }
        // Before the look, so that what comes in between wakes up.
        followed.flushes = Some(topic.flushes());
        Ok(Some(topic))
    }
}
