//! The files of the hub that read what clients send, compiled alone, without the hub: a fuzzer is then built in a
//! minute, and instruments nothing else. All but this
//! file are links to the hub's own.
#![allow(dead_code, unused_imports, reason = "not all of these files is fuzzed")]

pub mod ids;
pub mod websocket;

/// What of the hub's module needs nothing else of it.
pub mod protocol {
    pub mod client;
    pub mod codes;
    pub mod fuzzed;
    pub mod msgpack;
    pub mod priority;
    pub mod topic_request;

    /// As there.
    pub const VERSION: u32 = 1;
}

/// What expressions need of the hub's module.
pub mod alert {
    pub mod fingerprint;
    mod matchers;

    pub use matchers::{Matcher, Operator};
}

/// Expressions.
pub mod rule {
    pub mod expression;
    pub mod fuzzed;
    pub mod reason;
}
