//! Integration tests, one binary: one link, one table of contents. A module a promise or a door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

/// Fixtures: the real binary as a process, clients that behave and clients that do not.
mod hub;

/// Real agents: nodes that appear, go late, come back, and lose nothing.
mod agents;
/// Alerts and what is laid down about them over HTTP: read, found, exported, changed by one at a time.
mod alerts;
/// Whatever a client sends: its own clear error or close code, counted, and nobody else is harmed.
mod bad_input;
/// A subsystem that fails is given a rest; what it refuses, queues or spills meanwhile, and how it comes back.
mod breakers;
/// The command line: what each command answers, and how it complains.
mod cli;
/// Hub nodes on one Redis: one topic, whichever node one is connected to, whatever breaks.
mod cluster;
/// Rules and alerts of several hub nodes: one evaluates what all take; when it is gone another goes on.
mod cluster_alerts;
/// Clients of several hub nodes: their sessions and queues are the same at each.
mod cluster_clients;
/// What hub nodes stand on goes: Redis, PostgreSQL, or the way to them; nothing acknowledged is lost, and all comes back.
mod cluster_faults;
/// Topics that hub nodes keep in one PostgreSQL: one topic in one epoch, whatever breaks between them.
mod cluster_kept;
/// Delivery over three hub nodes against a naive model, with nodes that are killed, stopped and cut off at random.
mod cluster_model;
/// What only one hub node may do: one does it, whichever is killed, stopped or drained, and whichever is asked.
mod cluster_owner;
/// People and machines of several hub nodes: whoever asks, at whichever node, gets the same answer.
mod cluster_people;
/// Hub nodes on a Redis Cluster: topics of all its servers, one that fails, slots that move.
mod cluster_sharded;
/// Shared state over hub nodes: a document comes out the same at each, and every write that was applied is told.
mod cluster_sync;
/// A hub that is told to stop says so, sends its clients away in good order, and goes.
mod drain;
/// What the hub acknowledged is not lost, whenever it is killed.
mod durability;
/// A hub on PostgreSQL: it finds everything again, and says so when its server is gone.
mod engine;
/// The HTTP API: every route, role and refusal, on a hub of real parts.
mod http;
/// Load tests: measured by a process of their own, one at a time, told, kept, and never left behind.
mod lab;
/// Delivery against a naive model: thousands of random histories, nothing lost or repeated that was not declared.
mod model;
/// The end-to-end check, demonstrations, figures.
mod operations;
/// Rules on live samples: what breaches becomes an alert that is committed and told, whatever crashes.
mod rules;
/// The load test, each scenario small: nothing wrong is found, and what goes wrong is.
mod scenarios;
/// Fault scenarios of the Reliability Lab, each with the promise that must hold under it.
mod sim;
/// One slow client never slows down another, what waits for it is bounded, and it loses the least it can.
mod slow_client;
/// Every actor comes back after a crash, and nobody else notices more than is declared.
mod supervision;
/// Webhooks: what other programs are told, signed, and again until they have it.
mod webhooks;
/// The native WebSocket protocol, as documented.
mod wire;

/// The rules of the house that no lint knows: layers, sizes, names, documents that hold.
mod tidy;
