//! What came from a client.

/// A message that came from the client and waits for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A text message.
    Text(Box<str>),
    /// A binary message.
    Binary(Box<[u8]>),
}

impl Inbound {
    /// Bytes that it is counted with: a message without any takes a place in the queue all the same.
    pub(super) fn bytes(&self) -> usize {
        let payload_bytes = match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        };
        size_of::<Self>() + payload_bytes
    }
}
