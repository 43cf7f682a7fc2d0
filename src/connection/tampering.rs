//! Data frames that are dropped or sent twice on purpose, between a bundle and a socket.
//!
//! What was withheld is not counted as delivered, and the session remembers the first of it: a client that comes
//! back is told a place before the gap.

use super::parcel::Parcel;
use super::seat::Seat;
use super::socket::Sent;
use crate::fault::{Fate, Faults};
use crate::telemetry::Counter;
use crate::topic::Class;

/// What became of frames.
pub(super) struct Tampered {
    /// Of those that went out.
    pub(super) sent: Sent,
    /// Messages that did not go out.
    pub(super) dropped: u64,
    /// Messages that went out once more.
    pub(super) twice: u64,
}

/// Sends frames of one topic, each as it is, twice, or not at all. Only messages of log topics are touched: what
/// is missing or double is seen by their offsets.
pub(super) fn tamper(seat: &Seat, faults: &Faults, topic: u32, parcels: &[Parcel]) -> Tampered {
    let mut tampered = Tampered { sent: Sent::Whole, dropped: 0, twice: 0 };
    let name =
        seat.topics.borrow().iter().find(|(t, _)| t.id().number() == topic).map(|(t, _)| t.name().shared());
    let client = seat.identity.borrow().client_id.shared();
    for parcel in parcels {
        let is_log = parcel.bundle.as_ref().is_some_and(|bundle| bundle.class == Class::Log);
        let fate = match &name {
            Some(name) if is_log => faults.fate(&client, name),
            _ => Fate::Whole,
        };
        let messages = u64::from(parcel.entry.messages);
        let times = match fate {
            Fate::Whole => 1,
            Fate::Dropped => {
                tampered.dropped += messages;
                Counter::FaultsInjected.add_for("drop_frames", 1);
                Counter::Dropped.add_for("fault", messages);
                seat.withhold(topic, parcel.entry.offset);
                0
            }
            Fate::Twice => {
                tampered.twice += messages;
                Counter::FaultsInjected.add_for("duplicate_frames", 1);
                2
            }
        };
        for _ in 0..times {
            let sent = seat.socket.send(std::slice::from_ref(parcel), &parcel.entry.frame);
            if sent != Sent::Whole {
                tampered.sent = sent;
            }
        }
    }
    tampered
}

impl Seat {
    /// A message was withheld from the client.
    fn withhold(&self, topic: u32, offset: u64) {
        let mut withheld = self.withheld.borrow_mut();
        if withheld.iter().all(|(known, _)| *known != topic) {
            withheld.push((topic, offset));
        }
    }

    /// Offset of the first message of a topic that was withheld.
    pub(super) fn first_withheld(&self, topic: u32) -> Option<u64> {
        self.withheld.borrow().iter().find(|(known, _)| *known == topic).map(|(_, offset)| *offset)
    }

    /// The client says anew where it stands in a topic, or wants no more of it.
    pub(super) fn forget_withheld(&self, topic: u32) {
        self.withheld.borrow_mut().retain(|(known, _)| *known != topic);
    }
}
