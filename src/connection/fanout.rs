//! From a worker's outlet to its sockets: what topics have delivered, once per socket and topic.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::outbox::{Entry, NO_TOPIC};
use super::seat::Seat;
use super::shard::Shard;
use super::socket::{Parcel, Sent};
use crate::protocol::codes::Close;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::telemetry::{Counter, Histogram};
use crate::topic::{Bundle, Delivery, Member, Position};

/// How many clients back an answer looks for others to the same one.
const REPLIES_LOOK_BACK: usize = 8;

/// What goes to all members of a topic.
pub(super) enum Outgoing {
    Bundle(Arc<Bundle>),
    Push(SharedFrame, Priority),
}

impl Outgoing {
    fn priority(&self) -> Priority {
        match self {
            Self::Bundle(bundle) => bundle.priority,
            Self::Push(_, priority) => *priority,
        }
    }

    fn messages(&self) -> usize {
        match self {
            Self::Bundle(bundle) => bundle.messages.len(),
            Self::Push(..) => 0,
        }
    }

    fn parcel(&self, topic: u32) -> Parcel {
        let priority = self.priority();
        let (frame, offset, bundle) = match self {
            Self::Bundle(bundle) => (&bundle.frame, bundle.first_offset(), Some(bundle.clone())),
            Self::Push(frame, _) => (frame, 0, None),
        };
        let messages = u32::try_from(self.messages()).unwrap_or(u32::MAX);
        let entry = Entry { topic, priority, offset, messages, key: None, frame: frame.as_json().clone() };
        Parcel { entry, bundle }
    }
}

impl Shard {
    /// Hands on what topics have delivered. Messages of one topic that stand together become one write.
    pub fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut outgoing: HashMap<u32, Vec<Outgoing>> = HashMap::new();
        let mut replies: Vec<(Member, Vec<Parcel>)> = Vec::new();
        for delivery in deliveries.drain(..) {
            match delivery {
                Delivery::Bundle(bundle) => {
                    outgoing.entry(bundle.topic.number()).or_default().push(Outgoing::Bundle(bundle));
                }
                Delivery::Push { topic, frame, priority } => {
                    outgoing.entry(topic.number()).or_default().push(Outgoing::Push(frame, priority));
                }
                Delivery::Subscribed(joined) => {
                    // Earlier messages of the topic are not for the newcomer.
                    let topic = joined.topic.number();
                    if let Some(earlier) = outgoing.remove(&topic) {
                        self.fan_out(vec![(topic, earlier)]);
                    }
                    self.subscribed(*joined);
                }
                Delivery::SubscribeFailed { member, request, error } => {
                    self.subscribe_failed(member, request, &error);
                }
                Delivery::Reply { member, frame } => {
                    let parcel = reply(&frame);
                    match replies.iter_mut().rev().take(REPLIES_LOOK_BACK).find(|(to, _)| *to == member) {
                        Some((_, parcels)) => parcels.push(parcel),
                        None => replies.push((member, vec![parcel])),
                    }
                }
            }
        }
        self.fan_out(outgoing.into_iter().collect());
        for (member, parcels) in replies {
            if let Some(seat) = self.seat(member) {
                self.after(&seat, seat.socket.send(&parcels, &join(&parcels)));
            }
        }
    }

    /// Writes what goes to each topic to its members, most urgent topic first.
    fn fan_out(&self, mut work: Vec<(u32, Vec<Outgoing>)>) {
        work.sort_by_key(|(_, outgoing)| outgoing.iter().map(Outgoing::priority).min());
        let mut delivered = 0u64;
        for (topic, outgoing) in work {
            let messages = outgoing.iter().map(Outgoing::messages).sum::<usize>() as u64;
            let mut not_whole = Vec::new();
            let fed = {
                let mut roster = self.roster.borrow_mut();
                let Some(members) = roster.of(topic) else { continue };
                let parcels: Vec<_> = outgoing.iter().map(|out| out.parcel(topic)).collect();
                let joined = join(&parcels);
                let seats = self.seats.borrow();
                for slot in &members.plain {
                    let Some(seat) = seats.get(*slot as usize) else { continue };
                    let sent = seat.socket.send(&parcels, &joined);
                    if sent != Sent::Whole {
                        not_whole.push((seat.clone(), sent));
                    }
                }
                delivered += members.plain.len() as u64 * messages;
                members.fed.clone()
            };
            self.note_latency(&outgoing);
            not_whole.into_iter().for_each(|(seat, sent)| self.after(&seat, sent));
            if let Some(Outgoing::Bundle(last)) = outgoing.iter().rfind(|out| out.messages() > 0)
                && let Some(members) = self.roster.borrow_mut().of(topic)
            {
                members.at = Some(Position { epoch: last.epoch.clone(), offset: last.last_offset() });
            }
            for seat in fed.into_iter().filter_map(|slot| self.seat_in(slot as usize)) {
                self.feed(&seat, topic, &outgoing);
            }
        }
        if delivered > 0 {
            Counter::Delivered.add(delivered);
        }
    }

    /// What follows when a frame did not simply go out.
    pub(super) fn after(&self, seat: &Seat, sent: Sent) {
        match sent {
            Sent::Whole => {}
            Sent::Lost => self.tell_lag(seat),
            Sent::Full => self.end(seat, Close::Slow),
            Sent::Over => self.hand_over(seat),
        }
    }

    /// How long the bundles took from the hub's acceptance to the sockets of this worker.
    fn note_latency(&self, outgoing: &[Outgoing]) {
        let now_us = self.services.clock.monotonic_us();
        for out in outgoing {
            if let Outgoing::Bundle(bundle) = out
                && let Some(accepted_us) = bundle.accepted_us()
            {
                let took_us = now_us.saturating_sub(accepted_us);
                self.services.latency.record(bundle.priority, took_us, now_us / 1_000);
                Histogram::DeliverySeconds.record_s(took_us as f64 / 1e6);
            }
        }
    }

    /// Tells a client what it lost since it was last told.
    pub(super) fn tell_lag(&self, seat: &Seat) {
        for lag in seat.socket.take_lags() {
            Counter::Dropped.add_for("low", lag.dropped);
            Counter::Conflated.add_for("outbox", lag.conflated);
            let topics = seat.topics.borrow();
            let Some((topic, _)) = topics.iter().find(|(topic, _)| topic.id().number() == lag.topic) else {
                continue;
            };
            let payload = serde_json::json!({
                "topic": topic.name(), "dropped": lag.dropped, "conflated": lag.conflated,
            });
            let now_ms = self.services.clock.unix_ms();
            seat.socket.send_control(crate::protocol::server::control("lagged", now_ms, None, &payload));
        }
    }
}

fn reply(frame: &SharedFrame) -> Parcel {
    let entry = Entry {
        topic: NO_TOPIC,
        priority: Priority::Normal,
        offset: 0,
        messages: 0,
        key: None,
        frame: frame.as_json().clone(),
    };
    Parcel { entry, bundle: None }
}

/// The frames of parcels in one piece.
pub(super) fn join(parcels: &[Parcel]) -> Bytes {
    match parcels {
        [only] => only.entry.frame.clone(),
        parcels => {
            let mut joined = BytesMut::with_capacity(parcels.iter().map(|p| p.entry.frame.len()).sum());
            for parcel in parcels {
                joined.extend_from_slice(&parcel.entry.frame);
            }
            joined.freeze()
        }
    }
}
