//! Integration tests, one binary: one link, one table of contents. A module a promise or a door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

/// Fixtures: the real binary as a process, clients that behave and clients that do not.
mod hub;

/// Whatever a client sends: its own clear error or close code, counted, and nobody else is harmed.
mod bad_input;

/// The rules of the house that no lint knows: layers, sizes, names, documents that hold.
mod tidy;
