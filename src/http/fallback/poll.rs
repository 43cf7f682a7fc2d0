//! Long poll: answers when there is something, or after a time with nothing.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::value::RawValue;

use super::access::ReadError;
use super::asked::Asked;
use super::reader::{Reader, Round, TopicPlace};
use super::stopping;
use crate::http::guard::Caller;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::http::trace;
use crate::protocol::codes::Code;

/// How long a poll waits that says nothing else, and at most, in seconds.
const WAIT_S_DEFAULT: u64 = 25;
const WAIT_S_MAX: u64 = 60;

/// What a poll brought.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Polled {
    /// The frames that a socket would have got, each topic's in order.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Box<RawValue>>,
    /// Pass it as `since` of the next poll.
    pub cursor: String,
    /// Where the reader stands in each topic.
    pub topics: Vec<TopicPlace>,
}

/// Messages of topics after `since`; waits for some when there are none. Without `since` it starts now: the answer
/// comes at once with the cursor to go on from, and with the values of topics of newest values. A topic that a wildcard
/// names and that opens later is read from its first message on.
#[utoipa::path(get, path = "/api/v1/streaming/poll", tag = "streaming",
    params(
        ("topics" = String, Query, description = "Names of topics and wildcards as `metrics:*`, apart by commas; at most 64, which may name `connection.topics_max` topics in all"),
        ("since" = Option<String>, Query, description = "The cursor of the answer before"),
        ("wait_s" = Option<u64>, Query, maximum = 60, description = "How long to wait for messages; 25 when left out"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 500, description = "At most so many messages, but one of each topic that has some; 100 when left out"),
        ("token" = Option<String>, Query, description = "The token, where no header can be sent"),
    ),
    responses((status = 200, body = Polled, description = "Messages, or none after the wait"),
        super::super::openapi::Refused))]
pub async fn poll(
    state: web::Data<State>,
    caller: Caller,
    mut query: Query,
    asked: trace::Asked,
) -> Result<HttpResponse, Problem> {
    let wanted = Asked::read(&mut query);
    let wait_s = query.number("wait_s", 0..=WAIT_S_MAX, WAIT_S_DEFAULT);
    query.check()?;
    let mut reader = wanted.reader(&state, &caller.0, &asked.0).await?;
    if state.is_draining() {
        return Err(Problem::new(Code::Draining, "the hub is restarting; poll again"));
    }
    let mut round = reader.round().await?;
    let may_wait = !reader.begins && round.places.iter().all(|place| place.recovered) && wait_s > 0;
    if may_wait && round.messages.is_empty() {
        let _place = state.desk.places.poll()?;
        round = wait(&state, &mut reader, Duration::from_secs(wait_s)).await?;
    }
    let Round { messages, .. } = &round;
    let frames = messages.iter().filter_map(|message| {
        // What the topic sent is JSON.
        RawValue::from_string(message.frame_text().to_owned()).ok()
    });
    let polled = Polled {
        messages: frames.collect(),
        cursor: reader.cursor().to_string(),
        topics: reader.places(&round),
    };
    Ok(HttpResponse::Ok().json(polled))
}

/// Until there is something to tell, the time is over, or the hub stops.
async fn wait(state: &State, reader: &mut Reader, limit: Duration) -> Result<Round, ReadError> {
    let mut draining = state.draining.subscribe();
    let over = tokio::time::sleep(limit);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = reader.changed() => {
                let round = reader.round().await?;
                // A topic that has opened is told with its first message.
                if round.lost || !round.messages.is_empty() {
                    return Ok(round);
                }
            }
            () = &mut over => return Ok(Round::default()),
            () = stopping(&mut draining) => return Ok(Round::default()),
        }
    }
}
