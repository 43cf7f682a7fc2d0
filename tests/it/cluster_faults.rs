//! What hub nodes stand on goes: Redis, PostgreSQL, or the way to them.

mod fence;
mod journal;
mod outage;
mod overload;
mod redis;
mod scenarios;
