//! Integration tests, one binary: one link, one table of contents. A module a promise or a door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

/// The HTTP API: every route, role and refusal, on a hub of real parts.
mod http;

/// The rules of the house that no lint knows: layers, sizes, names, documents that hold.
mod tidy;
