//! One client of a run, whichever connection it has at the moment.

use std::collections::VecDeque;

use crate::clients::Link;
use crate::received::Received;

/// What a client is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Publisher,
    Subscriber,
    Agent,
}

/// What became of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// On its way to being ready for the first time.
    Coming,
    Here,
    /// Cut off on purpose, or on its way back.
    Away,
    /// It went when it was to.
    Left,
    /// Gone before it should.
    Lost,
    /// Never ready.
    Failed,
}

/// The first message that is due to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// The one after this offset of the topic.
    Offset(u64),
    /// The one with this number.
    Sequence(u32),
}

/// What an agent sent and what it waits for.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    pub(crate) node: String,
    /// Frames that were due, those included that it could not send.
    pub(crate) due: u32,
    pub(crate) acknowledged: u32,
    pub(crate) refused: u32,
    pub(crate) duplicated: u32,
    /// Number and planned time of frames without an answer.
    pub(crate) waiting: VecDeque<(u32, u64)>,
}

impl Pushed {
    /// Takes a frame off the waiting ones; when it was due.
    pub(crate) fn answered(&mut self, sequence: u32) -> Option<u64> {
        let place = self.waiting.iter().position(|(waiting, _)| *waiting == sequence)?;
        self.waiting.remove(place).map(|(_, due_ns)| due_ns)
    }
}

/// A client.
pub(crate) struct Slot {
    pub(crate) role: Role,
    pub(crate) client_id: String,
    pub(crate) link: Option<Link>,
    pub(crate) fate: Fate,
    pub(crate) opened_ns: u64,
    pub(crate) received: Received,
    pub(crate) from: Option<From>,
    /// Messages from this number on are not due: it leaves.
    pub(crate) until: Option<u32>,
    /// Since when it leaves.
    pub(crate) leaving_ns: u64,
    /// It stops reading once messages are published; what it gets does not count.
    pub(crate) is_slow: bool,
    /// Slow, and reading again: it has read on to the answer that it asked for.
    pub(crate) has_caught_up: bool,
    /// Offset of the last message it has.
    pub(crate) offset: u64,
    pub(crate) cuts: u32,
    pub(crate) cut_ns: u64,
    /// Attempts to come back since the last cut.
    pub(crate) attempts: u32,
    pub(crate) pushed: Pushed,
}

impl Slot {
    pub(crate) fn new(role: Role, client_id: String) -> Self {
        Self {
            role,
            client_id,
            link: None,
            fate: Fate::Coming,
            opened_ns: 0,
            received: Received::default(),
            from: None,
            until: None,
            leaving_ns: 0,
            is_slow: false,
            has_caught_up: false,
            offset: 0,
            cuts: 0,
            cut_ns: 0,
            attempts: 0,
            pushed: Pushed::default(),
        }
    }

    /// Here, and not about to leave.
    pub(crate) fn stays(&self) -> bool {
        self.fate == Fate::Here && self.until.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_answered_once() {
        let mut pushed = Pushed { waiting: [(1, 10), (2, 20)].into(), ..Pushed::default() };
        assert_eq!((pushed.answered(2), pushed.answered(2), pushed.answered(1)), (Some(20), None, Some(10)));
    }
}
