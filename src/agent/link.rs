//! The link to the hub: which frame is sent when, and what becomes of it. No socket, no timer: time comes
//! in, texts to send go to [`Outbox`]. The only IO is the spool's.
//!
//! A live sample is sent at once, or, when that cannot be, spooled. Sent ones are remembered until the hub
//! acknowledged them as durable. When the connection breaks before that they are spooled too. So a sample
//! is acknowledged, in the spool, or (only when the spool is full) counted as dropped: see `custody`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tracing::{debug, info, warn};

use super::Inventory;
use super::custody::{Counts, Custody, Kept};
use super::frames::{Connected, Description, HubError, HubFrame, MetricsAck, metrics_frame};
use super::pace::Flow;
use super::reconnect::Ending;
use crate::spool::{Spool, SpoolError};

/// Frames sent and not acknowledged. Further live samples are spooled.
pub(super) const IN_FLIGHT_MAX: usize = 32;
/// The replay leaves half of the window to live samples.
pub(super) const REPLAY_IN_FLIGHT_MAX: usize = IN_FLIGHT_MAX / 2;
/// A hub that acknowledges nothing for so long is taken for dead.
pub(super) const ACK_TIMEOUT_MS: u64 = 30_000;
/// A hub that opened the socket and does not say `connected` for so long is taken for dead.
pub(super) const CONNECTED_TIMEOUT_MS: u64 = 10_000;
/// On top of the hub's ping interval.
pub(super) const SILENCE_GRACE_MS: u64 = 10_000;
/// Wait before a frame is sent again that the hub took but could not make durable.
pub(super) const NOT_DURABLE_RETRY_MS: u64 = 5_000;

/// No time that the hub names is taken for longer.
const HUB_TIME_MAX_MS: u64 = 10 * 60_000;

/// Texts on their way to the socket, in order. As bounded as what is in flight.
pub(super) type Outbox = VecDeque<String>;

/// What does not change while the agent runs.
pub(super) struct LinkSettings {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) interval_ms: u64,
    pub(super) replay_hz: u32,
}

/// One connection, from the opened socket to its end.
struct Connection {
    heard_ms: u64,
    opened_ms: u64,
    /// What the hub said of itself; nothing is sent before.
    hub: Option<Connected>,
    described: Option<Arc<Inventory>>,
    flow: Flow,
    reconnect_hint_ms: Option<u64>,
}

/// See the module.
pub(super) struct Link {
    settings: LinkSettings,
    custody: Custody,
    connection: Option<Connection>,
    next_replay_ms: u64,
    next_live_ms: u64,
}

impl Link {
    pub(super) fn new(settings: LinkSettings, spool: Spool) -> Self {
        let custody = Custody::new(spool);
        Self { settings, custody, connection: None, next_replay_ms: 0, next_live_ms: 0 }
    }

    /// The socket is open.
    pub(super) fn opened(&mut self, now_ms: u64) {
        self.connection = Some(Connection {
            heard_ms: now_ms,
            opened_ms: now_ms,
            hub: None,
            described: None,
            flow: Flow::default(),
            reconnect_hint_ms: None,
        });
    }

    /// The socket is gone. What was not acknowledged is in the spool afterwards.
    /// Gives the time the connection lived and the hub's hint when to come back, both in milliseconds.
    pub(super) fn ended(&mut self, now_ms: u64) -> (u64, Option<u64>) {
        self.custody.return_all();
        self.connection.take().map_or((0, None), |connection| {
            let lived_ms = if connection.hub.is_some() { now_ms - connection.opened_ms } else { 0 };
            (lived_ms, connection.reconnect_hint_ms)
        })
    }

    /// The payloads of a fresh sample: sent at once or spooled.
    pub(super) fn offer(
        &mut self,
        now_ms: u64,
        payloads: Vec<String>,
        inventory: &Arc<Inventory>,
        outbox: &mut Outbox,
    ) {
        self.next_live_ms = now_ms + self.settings.interval_ms;
        for payload in payloads {
            match self.may_send_live(now_ms) {
                true => self.send_live(now_ms, payload, inventory, outbox),
                false => self.custody.spool_unsent(&payload),
            }
        }
    }

    fn may_send_live(&self, now_ms: u64) -> bool {
        self.custody.in_flight() < IN_FLIGHT_MAX
            && self.connection.as_ref().is_some_and(|c| c.hub.is_some() && c.flow.next_ms() <= now_ms)
    }

    fn send_live(&mut self, now_ms: u64, payload: String, inventory: &Arc<Inventory>, outbox: &mut Outbox) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let news = connection.described.as_ref().is_none_or(|described| described != inventory);
        let description = news.then(|| Description {
            interval_ms: self.settings.interval_ms,
            labels: &self.settings.labels,
            inventory,
        });
        let text = metrics_frame(self.custody.next_frame(), &payload, description.as_ref());
        if self.send(now_ms, text, Kept::Here(payload), outbox)
            && let Some(connection) = &mut self.connection
        {
            connection.described = Some(inventory.clone());
        }
    }

    /// Sends spooled frames that are due.
    pub(super) fn replay(&mut self, now_ms: u64, outbox: &mut Outbox) {
        while self.next_replay_at(now_ms).is_some_and(|at_ms| at_ms <= now_ms) {
            let Some(record) = self.custody.take_spooled() else {
                return;
            };
            self.next_replay_ms = now_ms + 1_000_u64.div_ceil(u64::from(self.settings.replay_hz));
            let Ok(payload) = String::from_utf8(record.payload) else {
                self.custody.give_up(&Kept::Spooled(record.seq));
                continue;
            };
            let text = metrics_frame(self.custody.next_frame(), &payload, None);
            if self.send(now_ms, text, Kept::Spooled(record.seq), outbox) {
                self.custody.counts.replayed += 1;
            }
        }
    }

    /// When the next spooled frame may be sent; `None` while only an event can change that.
    fn next_replay_at(&self, now_ms: u64) -> Option<u64> {
        let connection = self.connection.as_ref().filter(|c| c.described.is_some())?;
        if !self.custody.spool().has_more() || self.custody.in_flight() >= REPLAY_IN_FLIGHT_MAX {
            return None;
        }
        connection.flow.next_beside_live_ms(now_ms.max(self.next_replay_ms), self.next_live_ms)
    }

    /// False when the frame is larger than the hub takes: it is given up.
    fn send(&mut self, now_ms: u64, text: String, kept: Kept, outbox: &mut Outbox) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let bytes_max = connection.hub.as_ref().map_or(0, |hub| hub.limits.frame_bytes);
        if text.len() > bytes_max {
            warn!(bytes = text.len(), bytes_max, "a frame is larger than the hub takes and is given up");
            self.custody.give_up(&kept);
            return false;
        }
        connection.flow.sent(now_ms);
        self.custody.sent(now_ms, kept);
        outbox.push_back(text);
        true
    }

    /// Any frame, also a ping, shows that the hub is there.
    pub(super) fn heard(&mut self, now_ms: u64) {
        if let Some(connection) = &mut self.connection {
            connection.heard_ms = now_ms;
        }
    }

    /// A text frame of the hub. What is not understood is passed over.
    pub(super) fn received(&mut self, now_ms: u64, text: &str) {
        let frame = match HubFrame::parse(text) {
            Ok(frame) => frame,
            Err(error) => return debug!(%error, "a frame of the hub is not understood"),
        };
        let Some(connection) = &mut self.connection else {
            return;
        };
        match frame {
            HubFrame::Connected(mut hub) => {
                hub.ping_interval_ms = hub.ping_interval_ms.min(HUB_TIME_MAX_MS);
                connection.hub = Some(hub);
            }
            HubFrame::Draining { reconnect_after_ms } => {
                connection.reconnect_hint_ms = Some(reconnect_after_ms);
            }
            HubFrame::Flow(order) => {
                info!(max_rate_hz = order.max_rate_hz, pause_ms = order.pause_ms, reason = %order.reason, "the hub limits the flow");
                connection.flow.order(now_ms, &order);
            }
            HubFrame::MetricsAck { frame: Some(frame), ack } => self.answered(now_ms, frame, &ack),
            HubFrame::Error { frame, error } => self.failed(now_ms, frame, &error),
            HubFrame::MetricsAck { frame: None, .. } | HubFrame::Other => {}
        }
    }

    fn answered(&mut self, now_ms: u64, frame: u64, ack: &MetricsAck) {
        if ack.rejected > 0 {
            self.custody.counts.samples_rejected += ack.rejected;
            warn!(rejected = ack.rejected, reasons = ?ack.reasons, "the hub rejected samples");
        }
        match ack.durable {
            true => self.custody.counts.acknowledged += u64::from(self.custody.settle(frame)),
            false => self.send_again(frame, now_ms + NOT_DURABLE_RETRY_MS),
        }
    }

    fn failed(&mut self, now_ms: u64, frame: Option<u64>, error: &HubError) {
        warn!(code = %error.code, message = %error.message, retryable = error.retryable, "the hub reports an error");
        match frame {
            Some(frame) if error.retryable => {
                let retry_after_ms = error.retry_after_ms.unwrap_or(NOT_DURABLE_RETRY_MS);
                self.send_again(frame, now_ms + retry_after_ms.min(HUB_TIME_MAX_MS));
            }
            // The same frame would fail again.
            Some(frame) => self.custody.counts.lost += u64::from(self.custody.settle(frame)),
            None => {}
        }
    }

    fn send_again(&mut self, frame: u64, not_before_ms: u64) {
        self.custody.return_to_spool(frame);
        self.next_replay_ms = self.next_replay_ms.max(not_before_ms);
    }

    /// Whether the connection must be given up, and why.
    pub(super) fn overdue(&self, now_ms: u64) -> Option<Ending> {
        let (at_ms, ending) = self.give_up_at()?;
        (now_ms >= at_ms).then_some(ending)
    }

    /// When [`Link::replay`] or [`Link::overdue`] has something to do, at the latest. `None` without a connection.
    pub(super) fn deadline_ms(&self, now_ms: u64) -> Option<u64> {
        let (give_up_at_ms, _) = self.give_up_at()?;
        Some(self.next_replay_at(now_ms).map_or(give_up_at_ms, |at_ms| at_ms.min(give_up_at_ms)))
    }

    fn give_up_at(&self) -> Option<(u64, Ending)> {
        let connection = self.connection.as_ref()?;
        let Some(hub) = &connection.hub else {
            return Some((connection.opened_ms + CONNECTED_TIMEOUT_MS, Ending::NoAnswer));
        };
        let silent_at_ms = connection.heard_ms + hub.ping_interval_ms + SILENCE_GRACE_MS;
        let unacknowledged_at_ms = self.custody.oldest_sent_ms().map(|sent_ms| sent_ms + ACK_TIMEOUT_MS);
        match unacknowledged_at_ms.filter(|at_ms| *at_ms < silent_at_ms) {
            Some(at_ms) => Some((at_ms, Ending::Unacknowledged)),
            None => Some((silent_at_ms, Ending::Silent)),
        }
    }

    /// Whether the hub said `connected` on this connection.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.hub.is_some())
    }

    pub(super) fn spool(&self) -> &Spool {
        self.custody.spool()
    }

    /// Puts what is not acknowledged into the spool and closes it.
    pub(super) fn close(self) -> Result<Counts, SpoolError> {
        self.custody.close()
    }
}
