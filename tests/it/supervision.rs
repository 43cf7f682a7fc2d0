//! Every actor of the hub comes back after a crash, and nobody else notices more than is declared.

mod commits;
mod documents;
mod drawing;
mod escalation;
mod rows;

use infrawatch::hub::HubOptions;
use infrawatch::store::Place;
use infrawatch_servers::{Postgres, Redis};

/// What a hub needs so that it has a row at all: one alone has no way to others, and owns everything.
struct Servers {
    redis: Option<Redis>,
    postgres: Option<Postgres>,
}

impl Servers {
    fn of(kind: &str) -> Self {
        let redis = ["engine", "ownership"].contains(&kind).then(Redis::start);
        Self { redis, postgres: (kind == "ownership").then(Postgres::start) }
    }

    fn tell(&self, options: &mut HubOptions) {
        options.redis_url = self.redis.as_ref().map(Redis::url);
        options.store = self.postgres.as_ref().map(|server| Place::postgres(&server.url()).unwrap());
    }
}
