//! A frame that many sockets get.

use std::sync::Arc;

use super::outbox::{Entry, Full, Outbox};
use crate::protocol::encoding::Format;
use crate::topic::{Bundle, Class};

/// A frame on its way into sockets.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The frame, in the encoding of these sockets.
    pub entry: Entry,
    /// What it was made of, where that can be sent piece by piece.
    pub bundle: Option<Arc<Bundle>>,
}

impl Parcel {
    /// Into an outbox. Newest values go in one by one when the client is behind, so that newer ones replace them.
    pub(super) fn queue(&self, outbox: &mut Outbox, format: Format) -> Result<(), Full> {
        let bundle =
            self.bundle.as_ref().filter(|bundle| bundle.class == Class::Latest && outbox.conflates());
        let Some(bundle) = bundle else { return outbox.push(self.entry.clone()) };
        bundle.messages.iter().try_for_each(|message| {
            outbox.push(Entry {
                offset: message.offset,
                messages: 1,
                key: Some(message.key.clone().unwrap_or_else(|| Arc::from(""))),
                frame: message.frame.get(format).clone(),
                ..self.entry.clone()
            })
        })
    }
}
