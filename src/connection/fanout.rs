//! From a worker's outlet to its sockets: what topics have delivered, once per socket and topic.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};

use super::outbox::NO_TOPIC;
use super::shard::Shard;
use crate::protocol::priority::Priority;
use crate::protocol::server::SubscribedTopic;
use crate::telemetry::Counter;
use crate::topic::{Delivery, Member};

/// How many clients back an answer looks for others to the same one.
const REPLIES_LOOK_BACK: usize = 8;

impl Shard {
    /// Hands on what topics have delivered. Messages of one topic that stand together become one write.
    pub fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let mut bundles: HashMap<u32, Vec<(Bytes, Priority)>> = HashMap::new();
        let mut replies: Vec<(Member, Vec<(Bytes, Priority)>)> = Vec::new();
        // Their permits are given back when the frames are with the sockets.
        let mut held = Vec::with_capacity(deliveries.len());
        for delivery in deliveries.drain(..) {
            match delivery {
                Delivery::Bundle(bundle) => {
                    let frame = bundle.frame.as_json().clone();
                    bundles.entry(bundle.topic.number()).or_default().push((frame, bundle.priority));
                    held.push(bundle);
                }
                Delivery::Push { topic, frame, priority } => {
                    bundles.entry(topic.number()).or_default().push((frame.as_json().clone(), priority));
                }
                Delivery::Subscribed {
                    member,
                    request,
                    topic,
                    name,
                    position,
                    recovered,
                    missed,
                    history,
                    attachment,
                } => {
                    // Earlier messages of the topic are not for the newcomer.
                    if let Some(frames) = bundles.remove(&topic.number()) {
                        self.fan_out(vec![(topic.number(), frames)]);
                    }
                    let told = SubscribedTopic {
                        topic: name.to_string(),
                        epoch: position.epoch,
                        offset: position.offset,
                        recovered,
                        recovered_count: if recovered { missed.len() as u64 } else { 0 },
                    };
                    let missed = missed.iter().map(|m| (m.frame.as_json().clone(), m.priority)).collect();
                    self.subscribed(member, request, topic.number(), told, missed, &history, attachment);
                }
                Delivery::SubscribeFailed { member, request, error } => {
                    self.subscribe_failed(member, request, &error);
                }
                Delivery::Reply { member, frame } => {
                    match replies.iter_mut().rev().take(REPLIES_LOOK_BACK).find(|(to, _)| *to == member) {
                        Some((_, frames)) => frames.push((frame.as_json().clone(), Priority::Normal)),
                        None => replies.push((member, vec![(frame.as_json().clone(), Priority::Normal)])),
                    }
                }
            }
        }
        self.fan_out(bundles.into_iter().collect());
        for (member, frames) in replies {
            if let Some(seat) = self.seat(member) {
                seat.socket.send(NO_TOPIC, &frames, &join(&frames));
            }
        }
    }

    /// Writes the messages of each topic to its members, most urgent topic first.
    fn fan_out(&self, mut bundles: Vec<(u32, Vec<(Bytes, Priority)>)>) {
        bundles.sort_by_key(|(_, frames)| frames.iter().map(|(_, priority)| *priority).min());
        let mut delivered = 0u64;
        for (topic, frames) in bundles {
            let joined = join(&frames);
            let members = self.members.borrow();
            let Some(slots) = members.get(&topic) else { continue };
            let seats = self.seats.borrow();
            for slot in slots {
                let Some(seat) = seats.get(*slot as usize) else { continue };
                if seat.holds.borrow().is_empty() {
                    seat.socket.send(topic, &frames, &joined);
                } else {
                    seat.send_or_hold(topic, &frames, &joined);
                }
            }
            delivered += slots.len() as u64 * frames.len() as u64;
        }
        if delivered > 0 {
            Counter::Delivered.add(delivered);
        }
    }
}

fn join(frames: &[(Bytes, Priority)]) -> Bytes {
    match frames {
        [(only, _)] => only.clone(),
        frames => {
            let mut joined = BytesMut::with_capacity(frames.iter().map(|(frame, _)| frame.len()).sum());
            for (frame, _) in frames {
                joined.extend_from_slice(frame);
            }
            joined.freeze()
        }
    }
}
