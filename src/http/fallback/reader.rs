//! Reads topics on from where somebody stands, and waits for more.

use std::sync::Arc;

use futures_util::future::select_all;
use serde::Serialize;

use super::access::ReadError;
use super::cursor::Cursor;
use super::following::{Followed, Way};
use crate::auth::Claims;
use crate::broker::Openings;
use crate::connection::Services;
use crate::telemetry::{Cause, Counter};
use crate::topic::log::Stored;
use crate::topic::{Class, Page, Position};

/// Bytes that one round brings, about: each topic has its share and one message at least, and who has no turn then
/// is the first the next time.
const ROUND_BYTES_MAX: usize = 256 * 1024;

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
    /// One of these is where it goes on after it lost its place.
    pub(super) lost: bool,
}

/// A reader of some topics.
pub(super) struct Reader {
    pub(super) services: Arc<Services>,
    pub(super) claims: Arc<Claims>,
    pub(super) followed: Vec<Followed>,
    pub(super) cursor: Cursor,
    /// It has wildcards that its place does not know: it needs a cursor before anything comes.
    pub(super) begins: bool,
    /// Topics that wildcards name and that were not there before.
    pub(super) openings: Option<Arc<Openings>>,
    pub(super) limit: usize,
    pub(super) cause: Cause,
}

impl Reader {
    /// Where the reader stands.
    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Looks at every topic that may have something new.
    pub(super) async fn round(&mut self) -> Result<Round, ReadError> {
        self.follow_opened()?;
        let mut round = Round::default();
        let mut due: Vec<usize> = (0..self.followed.len()).filter(|at| self.followed[*at].is_due).collect();
        due.sort_by_key(|at| !self.followed[*at].is_skipped);
        // Every cursor must have every topic: those that start now are placed before there is a message.
        for at in &due {
            self.place(*at, &mut round).await?;
        }
        let share = (self.limit / due.len().max(1)).max(1);
        let share_bytes = ROUND_BYTES_MAX / due.len().max(1);
        // Each message is told with the cursor behind it.
        let cursor_bytes = self.cursor.to_string().len();
        let mut bytes = 0;
        for at in due {
            self.followed[at].is_skipped = bytes >= ROUND_BYTES_MAX;
            if !self.followed[at].is_skipped {
                let before = round.messages.len();
                self.look(at, share, share_bytes, cursor_bytes, &mut round).await?;
                let new = round.messages.iter().skip(before);
                bytes += new.map(|message| message.bytes() + cursor_bytes).sum::<usize>();
            }
        }
        self.followed.retain(|followed| !followed.is_gone);
        Counter::Delivered.add(round.messages.len() as u64);
        Ok(round)
    }

    /// Finds where a reader begins who has no place: now, and with every value of a topic of newest values; with
    /// everything of a topic that opened later.
    async fn place(&mut self, index: usize, round: &mut Round) -> Result<(), ReadError> {
        if self.followed[index].at.is_some() {
            return Ok(());
        }
        let Some(topic) = self.open(index)? else { return Ok(()) };
        let Page { position, .. } = topic.read(None, 0, &self.cause).await?;
        let offset = match self.followed[index].way {
            Way::Opened => topic.interest().started().min(position.offset),
            Way::Named | Way::Found => position.offset,
        };
        self.stand(index, Position { offset, ..position }, round);
        Ok(())
    }

    /// The reader has no place in the topic, or lost it, and begins at this one.
    fn stand(&mut self, index: usize, position: Position, round: &mut Round) {
        let followed = &mut self.followed[index];
        let offset = if followed.class == Class::Latest { 0 } else { position.offset };
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
        cursor_bytes: usize,
        round: &mut Round,
    ) -> Result<(), ReadError> {
        if self.followed[index].is_gone {
            return Ok(());
        }
        let Some(topic) = self.open(index)? else { return Ok(()) };
        let mut page = topic.read(self.followed[index].at.clone(), share, &self.cause).await?;
        if !page.recovered {
            let followed = &self.followed[index];
            // Who was here when the epoch began gets all of it.
            let began =
                followed.is_told && followed.at.as_ref().is_some_and(|at| at.epoch != page.position.epoch);
            let offset = if began { 0 } else { page.position.offset };
            self.stand(index, Position { offset, ..page.position }, round);
            round.lost = true;
            page = topic.read(self.followed[index].at.clone(), share, &self.cause).await?;
        }
        let Page { mut messages, position, recovered, truncated } = page;
        let followed = &mut self.followed[index];
        if !recovered {
            // Lost again in between: the next round tells.
            followed.is_due = true;
            return Ok(());
        }
        let fits = within(&messages, share_bytes, cursor_bytes);
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

    /// Ready when some topic has something new, or had more than fit; when a topic has opened.
    pub(super) async fn changed(&mut self) {
        match self.openings.clone() {
            None => self.flushed().await,
            Some(openings) => tokio::select! {
                biased;
                () = self.flushed() => {}
                () = openings.came() => {}
            },
        }
    }

    async fn flushed(&mut self) {
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

/// How many of the messages, each with so much beside it, fit into so many bytes; one at least.
fn within(messages: &[Stored], bytes_max: usize, beside_bytes: usize) -> usize {
    let mut bytes = 0;
    let fits = |message: &&Stored| {
        let first = bytes == 0;
        bytes += message.bytes() + beside_bytes;
        first || bytes <= bytes_max
    };
    messages.iter().take_while(fits).count()
}
