//! One frame of the hub's, shared by all sockets it goes to.

use bytes::Bytes;

/// A whole frame, encoded once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedFrame {
    json: Bytes,
}

impl SharedFrame {
    /// A JSON text frame.
    pub fn json(frame: Bytes) -> Self {
        Self { json: frame }
    }

    /// The JSON text frame.
    pub fn as_json(&self) -> &Bytes {
        &self.json
    }
}
