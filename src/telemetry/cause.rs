//! The correlation id: which request made something happen, from the door to the log line.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Longest correlation id that is taken from outside, in bytes.
pub const CORRELATION_ID_BYTES_MAX: usize = 128;

/// Cheap to clone; travels in every actor message. Empty for what the hub does on its own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cause(Option<Arc<str>>);

impl Cause {
    /// Nobody asked: a timer, a start.
    pub const fn own() -> Self {
        Self(None)
    }

    /// A fresh id.
    pub fn fresh() -> Self {
        Self(Some(Uuid::now_v7().to_string().into()))
    }

    /// Takes the caller's id when it is printable ASCII of at most [`CORRELATION_ID_BYTES_MAX`] bytes.
    pub fn from_outside(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= CORRELATION_ID_BYTES_MAX;
        (fits && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(Some(text.into())))
    }

    /// The id, if there is one.
    pub fn id(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The id to keep, if there is one.
    pub fn shared(&self) -> Option<Arc<str>> {
        self.0.clone()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().unwrap_or("-"))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_printable_ids_are_taken() {
        assert_eq!(Cause::from_outside("req-1").unwrap().id(), Some("req-1"));
        for bad in ["", "a b", "a\nb", &"x".repeat(129)] {
            assert!(Cause::from_outside(bad).is_none(), "{bad:?}");
        }
        assert_ne!(Cause::fresh(), Cause::fresh());
    }
}
