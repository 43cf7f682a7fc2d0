//! What goes to the members of a topic, in every format that one of them has: each made and joined once.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::outbox::{Entry, NO_TOPIC};
use super::parcel::Parcel;
use crate::protocol::encoding::Format;
use crate::protocol::frame::SharedFrame;
use crate::protocol::priority::Priority;
use crate::topic::Bundle;

/// What goes to all members of a topic.
pub(super) enum Outgoing {
    Bundle(Arc<Bundle>),
    Push(SharedFrame, Priority),
}

impl Outgoing {
    pub(super) fn priority(&self) -> Priority {
        match self {
            Self::Bundle(bundle) => bundle.priority,
            Self::Push(_, priority) => *priority,
        }
    }

    pub(super) fn messages(&self) -> usize {
        match self {
            Self::Bundle(bundle) => bundle.messages.len(),
            Self::Push(..) => 0,
        }
    }

    fn frame(&self) -> &SharedFrame {
        match self {
            Self::Bundle(bundle) => &bundle.frame,
            Self::Push(frame, _) => frame,
        }
    }

    fn parcel(&self, topic: u32, format: Format) -> Parcel {
        let (offset, bundle) = match self {
            Self::Bundle(bundle) => (bundle.first_offset(), Some(bundle.clone())),
            Self::Push(..) => (0, None),
        };
        let messages = u32::try_from(self.messages()).unwrap_or(u32::MAX);
        let (priority, frame) = (self.priority(), self.frame().get(format).clone());
        Parcel { entry: Entry { topic, priority, offset, messages, key: None, frame }, bundle }
    }
}

/// The same for sockets of any format.
pub(super) struct Forms<'a> {
    topic: u32,
    outgoing: &'a [Outgoing],
    made: [OnceCell<Form>; Format::COUNT],
}

/// The same for sockets of one format.
pub(super) struct Form {
    pub(super) parcels: Vec<Parcel>,
    /// Their frames in one piece.
    pub(super) joined: Bytes,
    /// Bytes that compression spares each socket.
    pub(super) saved_bytes: u64,
}

impl<'a> Forms<'a> {
    pub(super) fn new(topic: u32, outgoing: &'a [Outgoing]) -> Self {
        Self { topic, outgoing, made: Default::default() }
    }

    pub(super) fn of(&self, format: Format) -> &Form {
        self.made[format.index()].get_or_init(|| {
            let parcels: Vec<_> = self.outgoing.iter().map(|out| out.parcel(self.topic, format)).collect();
            let joined = join(&parcels);
            let plain = self.outgoing.iter().map(|out| out.frame().get(format.plain()).len());
            let saved_bytes = (plain.sum::<usize>() - joined.len()) as u64;
            Form { parcels, joined, saved_bytes }
        })
    }
}

/// An answer that belongs to no topic.
pub(super) fn reply(frame: &Bytes) -> Parcel {
    let (frame, priority) = (frame.clone(), Priority::Normal);
    Parcel {
        entry: Entry { topic: NO_TOPIC, priority, offset: 0, messages: 0, key: None, frame },
        bundle: None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::encoding::Encoding;
    use crate::websocket::{Opcode, frame};

    #[test]
    fn each_form_is_made_once_and_says_what_it_spares() {
        let text = format!(r#"{{"a":"{}"}}"#, "ab".repeat(300));
        let push =
            |priority| Outgoing::Push(SharedFrame::json(frame(Opcode::Text, text.as_bytes())), priority);
        let outgoing = [push(Priority::Normal), push(Priority::Critical)];
        let forms = Forms::new(7, &outgoing);
        for encoding in Encoding::ALL {
            let plain = forms.of(Format { encoding, deflate_bytes_min: None });
            let deflated = forms.of(Format { encoding, deflate_bytes_min: Some(0) });
            for form in [plain, deflated] {
                let whole: Vec<u8> = form.parcels.iter().flat_map(|p| p.entry.frame.to_vec()).collect();
                assert_eq!(form.joined, whole);
                assert!(
                    form.parcels.iter().map(|p| p.entry.priority).eq([Priority::Normal, Priority::Critical])
                );
            }
            assert_eq!(plain.saved_bytes, 0);
            assert_eq!(deflated.saved_bytes as usize, plain.joined.len() - deflated.joined.len());
            assert!(deflated.joined.len() < plain.joined.len() / 2);
        }
        assert_eq!(forms.of(Format::JSON).joined.as_ptr(), forms.of(Format::JSON).joined.as_ptr());
    }
}
