//! Reads topics on from where somebody stands, and waits for more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::select_all;
use serde::Serialize;
use tokio::sync::watch;

use super::cursor::Cursor;
use crate::connection::Services;
use crate::ids::TopicName;
use crate::telemetry::{Cause, Counter};
use crate::topic::log::Stored;
use crate::topic::{Class, Page, Position, TopicError, TopicHandle};

/// Bytes of messages that one round brings, about: each topic has its share, and one message at least.
const ROUND_BYTES_MAX: usize = 256 * 1024;

/// Where the reader stands in one topic.
struct Followed {
    name: TopicName,
    class: Class,
    /// `None` before the first look: it starts now.
    at: Option<Position>,
    /// Whether this request has been told where it stands.
    is_told: bool,
    /// Something may be there that was not read.
    is_due: bool,
    /// Tells of something new; of the topic as it was at the last look.
    flushes: Option<watch::Receiver<u64>>,
}

/// What the client is told of a topic: first, and when its place was lost.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TopicPlace {
    /// Its name.
    pub topic: String,
    /// Its epoch.
    #[schema(value_type = String)]
    pub epoch: Arc<str>,
    /// The reader has everything up to this offset.
    pub offset: u64,
    /// Whether the messages go on without a gap where the reader stood before.
    pub recovered: bool,
}

/// What one look at all topics brought.
#[derive(Default)]
pub(super) struct Round {
    /// Messages of a topic in order, urgent topics first; and the position behind each.
    pub(super) messages: Vec<Stored>,
    /// The cursor behind each message.
    pub(super) cursors: Vec<Cursor>,
    /// Where the reader stands in topics that it must be told of.
    pub(super) places: Vec<TopicPlace>,
}

/// A reader of some topics.
pub(super) struct Reader {
    services: Arc<Services>,
    followed: Vec<Followed>,
    cursor: Cursor,
    limit: usize,
    cause: Cause,
}

impl Reader {
    pub(super) fn new(
        services: Arc<Services>,
        mut topics: Vec<TopicName>,
        cursor: &Cursor,
        limit: usize,
        cause: Cause,
    ) -> Self {
        topics.sort_by_key(|name| services.broker.kind(name).priority);
        // What is not followed any more is left out of further cursors.
        let mut kept = Cursor::default();
        let mut followed = Vec::with_capacity(topics.len());
        for name in topics {
            let at = cursor.position(&name).cloned();
            if let Some(at) = &at {
                kept.set(name.clone(), at.clone());
            }
            let class = services.broker.kind(&name).class;
            followed.push(Followed { name, class, at, is_told: false, is_due: true, flushes: None });
        }
        Self { services, followed, cursor: kept, limit, cause }
    }

    /// Where the reader stands.
    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Looks at every topic that may have something new.
    pub(super) async fn round(&mut self) -> Result<Round, TopicError> {
        let mut round = Round::default();
        let due: Vec<usize> = (0..self.followed.len()).filter(|at| self.followed[*at].is_due).collect();
        // Every cursor must have every topic: those that start now are placed before there is a message.
        for at in &due {
            self.place(*at, &mut round).await?;
        }
        let share = (self.limit / due.len().max(1)).max(1);
        let share_bytes = ROUND_BYTES_MAX / due.len().max(1);
        for at in due {
            self.look(at, share, share_bytes, &mut round).await?;
        }
        Counter::Delivered.add(round.messages.len() as u64);
        Ok(round)
    }

    /// The topic, opened again: one that was idle may have been forgotten and made anew meanwhile.
    fn open(&mut self, index: usize) -> Result<TopicHandle, TopicError> {
        let topic = self.services.broker.open(&self.followed[index].name)?;
        topic.interest().touched_ms.store(self.services.clock.unix_ms(), Ordering::Relaxed);
        // Before the look, so that what comes in between wakes up.
        self.followed[index].flushes = Some(topic.flushes());
        Ok(topic)
    }

    /// Finds where a reader begins who has no place: now, and with every value of a topic of newest values.
    async fn place(&mut self, index: usize, round: &mut Round) -> Result<(), TopicError> {
        if self.followed[index].at.is_none() {
            let topic = self.open(index)?;
            let Page { position, .. } = topic.read(None, 0, &self.cause).await?;
            self.stand(index, position, false, round);
        }
        Ok(())
    }

    /// The reader has no place in the topic, or lost it, and begins again.
    fn stand(&mut self, index: usize, position: Position, is_whole: bool, round: &mut Round) {
        let followed = &mut self.followed[index];
        let is_whole = is_whole || followed.class == Class::Latest;
        let offset = if is_whole { 0 } else { position.offset };
        let at = Position { epoch: position.epoch, offset };
        followed.at = Some(at.clone());
        followed.is_told = true;
        self.cursor.set(followed.name.clone(), at.clone());
        let topic = followed.name.to_string();
        round.places.push(TopicPlace { topic, epoch: at.epoch, offset: at.offset, recovered: false });
    }

    async fn look(
        &mut self,
        index: usize,
        share: usize,
        share_bytes: usize,
        round: &mut Round,
    ) -> Result<(), TopicError> {
        let topic = self.open(index)?;
        let mut page = topic.read(self.followed[index].at.clone(), share, &self.cause).await?;
        if !page.recovered {
            let followed = &self.followed[index];
            // Who was here when the epoch began gets all of it.
            let began =
                followed.is_told && followed.at.as_ref().is_some_and(|at| at.epoch != page.position.epoch);
            self.stand(index, page.position, began, round);
            page = topic.read(self.followed[index].at.clone(), share, &self.cause).await?;
        }
        let Page { mut messages, position, recovered, truncated } = page;
        let followed = &mut self.followed[index];
        if !recovered {
            // Lost again in between: the next round tells.
            followed.is_due = true;
            return Ok(());
        }
        let fits = within(&messages, share_bytes);
        followed.is_due = truncated || fits < messages.len();
        messages.truncate(fits);
        let reached = messages.last().filter(|_| followed.is_due).map_or(position.offset, |last| last.offset);
        let at = Position { epoch: position.epoch, offset: reached };
        for message in messages {
            let behind = Position { epoch: at.epoch.clone(), offset: message.offset };
            self.cursor.set(followed.name.clone(), behind);
            round.messages.push(message);
            round.cursors.push(self.cursor.clone());
        }
        self.cursor.set(followed.name.clone(), at.clone());
        if !followed.is_told {
            followed.is_told = true;
            let (topic, epoch) = (followed.name.to_string(), at.epoch.clone());
            round.places.push(TopicPlace { topic, epoch, offset: at.offset, recovered: true });
        }
        followed.at = Some(at);
        Ok(())
    }

    /// Where the reader stands in every topic.
    pub(super) fn places(&self, round: &Round) -> Vec<TopicPlace> {
        let place = |followed: &Followed| {
            let at = followed.at.clone()?;
            let told = round.places.iter().find(|told| told.topic == followed.name.as_str());
            let recovered = told.is_none_or(|told| told.recovered);
            Some(TopicPlace {
                topic: followed.name.to_string(),
                epoch: at.epoch,
                offset: at.offset,
                recovered,
            })
        };
        self.followed.iter().filter_map(place).collect()
    }

    /// Ready when some topic has something new, or had more than fit.
    pub(super) async fn changed(&mut self) {
        if self.followed.iter().any(|followed| followed.is_due) {
            return;
        }
        let flushes = self.followed.iter_mut().enumerate();
        let flushes = flushes.filter_map(|(index, followed)| Some((index, followed.flushes.as_mut()?)));
        let waits: Vec<_> = flushes
            .map(|(index, flushes)| {
                Box::pin(async move {
                    // An error means that the topic is gone for good; the next look opens it again.
                    drop(flushes.changed().await);
                    index
                })
            })
            .collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        let woken = select_all(waits).await.0;
        for (index, followed) in self.followed.iter_mut().enumerate() {
            let flushes = followed.flushes.as_ref();
            followed.is_due = index == woken || flushes.is_none_or(|f| f.has_changed().unwrap_or(true));
        }
    }

    /// Looks at every topic the next time.
    pub(super) fn look_again(&mut self) {
        for followed in &mut self.followed {
            followed.is_due = true;
        }
    }
}

/// How many of the messages fit into so many bytes; one at least.
fn within(messages: &[Stored], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Stored| {
        let first = bytes == 0;
        bytes += message.bytes();
        first || bytes <= bytes_max
    };
    messages.iter().take_while(fits).count()
}
