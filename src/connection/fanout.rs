//! From a worker's outlet to its sockets: what topics have delivered, once per socket and topic.

use std::collections::HashMap;

use super::outgoing::{Forms, Outgoing, join, reply};
use super::seat::Seat;
use super::shard::Shard;
use super::socket::Sent;
use super::tampering::tamper;
use crate::fault::Point;
use crate::protocol::codes::Close;
use crate::protocol::frame::SharedFrame;
use crate::telemetry::{Counter, Histogram};
use crate::topic::{Delivery, Member, Position};

/// How many clients back an answer looks for others to the same one.
const REPLIES_LOOK_BACK: usize = 8;

impl Shard {
    /// Hands on what topics have delivered. Messages of one topic that stand together become one write.
    pub fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut outgoing: HashMap<u32, Vec<Outgoing>> = HashMap::new();
        let mut replies: Vec<(Member, Vec<SharedFrame>)> = Vec::new();
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
                    match replies.iter_mut().rev().take(REPLIES_LOOK_BACK).find(|(to, _)| *to == member) {
                        Some((_, frames)) => frames.push(frame),
                        None => replies.push((member, vec![frame])),
                    }
                }
            }
        }
        self.fan_out(outgoing.into_iter().collect());
        for (member, frames) in replies {
            if let Some(seat) = self.seat(member) {
                let parcels: Vec<_> = frames.iter().map(|f| reply(f.get(seat.socket.format))).collect();
                self.after(&seat, seat.socket.send(&parcels, &join(&parcels)));
            }
        }
    }

    /// Writes what goes to each topic to its members, most urgent topic first.
    fn fan_out(&self, mut work: Vec<(u32, Vec<Outgoing>)>) {
        work.sort_by_key(|(_, outgoing)| outgoing.iter().map(Outgoing::priority).min());
        let (mut delivered, mut saved_bytes) = (0u64, 0u64);
        let faults = self.services.faults.as_deref().filter(|faults| faults.is_on(Point::Frames));
        for (topic, outgoing) in work {
            let messages = outgoing.iter().map(Outgoing::messages).sum::<usize>() as u64;
            let mut not_whole = Vec::new();
            let fed = {
                let mut roster = self.roster.borrow_mut();
                let Some(members) = roster.of(topic) else { continue };
                // Before what faults take off it.
                delivered += members.plain.len() as u64 * messages;
                let forms = Forms::new(topic, &outgoing);
                let seats = self.seats.borrow();
                for slot in &members.plain {
                    let Some(seat) = seats.get(*slot as usize) else { continue };
                    let form = forms.of(seat.socket.format);
                    saved_bytes += form.saved_bytes;
                    let sent = match faults {
                        None => seat.socket.send(&form.parcels, &form.joined),
                        Some(faults) => {
                            let tampered = tamper(seat, faults, topic, &form.parcels);
                            delivered = (delivered + tampered.twice).saturating_sub(tampered.dropped);
                            tampered.sent
                        }
                    };
                    if sent != Sent::Whole {
                        not_whole.push((seat.clone(), sent));
                    }
                }
                members.fed.iter().copied().collect::<Vec<u32>>()
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
        if saved_bytes > 0 {
            Counter::BytesSaved.add_for("deflate", saved_bytes);
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

    /// Tells a client what it lost since it was last told; what is critical and waits for that goes out now.
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
            let lagged = crate::protocol::server::control("lagged", now_ms, None, &payload);
            seat.socket.send_control(seat.socket.format.encode(&lagged));
        }
        seat.socket.hurry();
    }
}
