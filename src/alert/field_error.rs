//! What is wrong with a definition that was given.

use serde::Serialize;

/// What is wrong with a field. Every bad field is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Which one, as a JSON pointer: `/matchers/0`.
    pub pointer: String,
    /// What was found, and what is allowed.
    pub message: String,
}

impl FieldError {
    /// Something about the field at a pointer.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}
