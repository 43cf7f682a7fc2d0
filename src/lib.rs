//! InfraWatch: a realtime monitoring hub in one binary.
//!
//! The flow, which is also the order to read in:
//!
//! ```text
//! agents ──ws──▶ connection ─▶ ingest ─▶ node ─▶ broker ─▶ topic ─▶ connection ──ws──▶ browsers
//! store, auth, supervision, telemetry, protocol and config lie under all of them
//! ```
//!
//! A module imports only what stands below it here (a test checks it):
//!
//! ```text
//! cli                             the program: sub-commands, settings from flags, environment and file
//! hub                             composition root: the supervision tree, wiring, drain order
//! http                            routes, upgrade, the embedded console
//! lab                             what is done to a hub on purpose: load tests, fault scenarios
//! connection                      one client: socket, outbox, session
//! room · sync · ingest · node · agent  who is where · shared state · samples in · one machine · the program on it
//! rule                            which samples breach what somebody asked for, and for how long
//! alert                           an alert's life, and what holds it back
//! broker · topic                  which topic · order, history, fan-out
//! webhook                         other programs are told what happens
//! mailbox                         what waits for a worker, by urgency
//! ownership                       which hub node does what only one may do
//! store · auth · engine           durable state · who may · what hub nodes share
//! breaker                         what rests when it fails, and what happens meanwhile
//! supervision · telemetry · protocol · config
//! websocket · ids · clock · fault · spool  RFC 6455 and 7692 without IO · checked names · time as an input · what is to go wrong on purpose · what waits on disk
//! ```

pub mod agent;
pub mod alert;
pub mod auth;
pub mod breaker;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod engine;
pub mod fault;
pub mod http;
pub mod hub;
pub mod ids;
pub mod ingest;
pub mod lab;
pub mod mailbox;
pub mod node;
pub mod ownership;
pub mod protocol;
pub mod room;
pub mod rule;
pub mod spool;
pub mod store;
pub mod supervision;
pub mod sync;
pub mod telemetry;
pub mod topic;
pub mod webhook;
pub mod websocket;
