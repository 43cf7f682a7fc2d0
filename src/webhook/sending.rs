//! One request to a receiver. Blocks; runs on a thread of its own.
//!
//! Redirects are not followed: what is signed for one address is for nobody else. The body of the answer is not read.

use std::time::Duration;

use bytes::Bytes;
use ureq::Agent;
use ureq::http::header::RETRY_AFTER;

use super::signature;
use super::verdict::Answer;

/// How long a request may take, in milliseconds.
pub const TIMEOUT_MS: u64 = 10_000;

const USER_AGENT: &str = concat!("infrawatch/", env!("CARGO_PKG_VERSION"));

/// What sends the requests of one webhook; it keeps connections open.
pub(super) fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_millis(TIMEOUT_MS)))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent(USER_AGENT);
    config.build().new_agent()
}

/// Sends one event.
pub(super) fn send(agent: &Agent, url: &str, id: &str, signature: &str, body: &Bytes) -> Answer {
    let request = agent
        .post(url)
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", id)
        .header(signature::HEADER, signature);
    match request.send(&body[..]) {
        Ok(response) => {
            let retry_after = response.headers().get(RETRY_AFTER);
            let retry_after_s = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Answer::Status(response.status().as_u16(), retry_after_s)
        }
        Err(error) => Answer::None(error.to_string()),
    }
}
