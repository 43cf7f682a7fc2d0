//! Topics without a WebSocket: long polls and Server-Sent Events, with the messages and offsets of the socket.
//!
//! - `cursor`: where a reader stands in its topics, as text that the client keeps (pure)
//! - `following`: which topics a reader has, by name and by wildcard
//! - `reader`: reads topics on from there, and waits for more
//! - [`poll`], [`sse`]: the two routes; `asked`: what both are asked; `access`: what they may read
//!
//! Nothing is pushed: a reader asks its topics when its client has taken what it got before. So a client that
//! does not read costs its place and nothing else; one that falls behind history is told.

mod access;
mod asked;
mod cursor;
mod following;
pub mod poll;
mod reader;
pub mod sse;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::HttpSection;
use crate::http::problem::Problem;
use crate::protocol::codes::Code;
use crate::telemetry::Gauge;

/// Places for those who wait.
pub struct Places {
    polls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// A taken place, given back on drop.
struct Place {
    gauge: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gauge.down();
    }
}

impl Places {
    /// As many as the settings say.
    pub fn new(settings: &HttpSection) -> Self {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Self { polls: semaphore(settings.polls_max), streams: semaphore(settings.streams_max) }
    }

    fn poll(&self) -> Result<Place, Problem> {
        take(&self.polls, Gauge::PollsWaiting, "polls wait")
    }

    fn stream(&self) -> Result<Place, Problem> {
        take(&self.streams, Gauge::SseStreams, "event streams are open")
    }
}

fn take(places: &Arc<Semaphore>, gauge: Gauge, what: &str) -> Result<Place, Problem> {
    let permit = places.clone().try_acquire_owned();
    let permit = permit.map_err(|_full| {
        Problem::new(Code::Overloaded, format!("as many {what} as the hub allows")).retry_after_s(RETRY_S)
    })?;
    gauge.up();
    Ok(Place { gauge, _permit: permit })
}

/// Ready when the hub stops.
async fn stopping(draining: &mut watch::Receiver<bool>) {
    // An error means that the hub is gone altogether.
    drop(draining.wait_for(|draining| *draining).await);
}

/// When who finds no place should come again, in seconds.
const RETRY_S: u64 = 5;
