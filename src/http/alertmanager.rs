//! The API of Alertmanager, version 2, as Prometheus and `amtool` speak it: [`alerts`], [`silences`] (which are suppression
//! windows) and [`status`]. Its shapes are Alertmanager's, and so are its refusals: JSON texts.

pub mod alerts;
pub mod silences;
pub mod status;

use actix_web::{HttpResponse, ResponseError};

use super::problem::Problem;
use super::query::Query;
use crate::alert::{Labels, MATCHERS_MAX, Matcher};

/// Everything that is notified goes one way.
const RECEIVER: &str = "infrawatch";

/// Conditions on labels, all of which must hold.
struct Filter(Vec<Matcher>);

impl Filter {
    /// Those of the query, each a parameter of its own.
    fn read(query: &mut Query) -> Self {
        let texts: Vec<String> = query.all("filter").map(str::to_owned).collect();
        if texts.len() > MATCHERS_MAX {
            query.refuse("filter", format!("may be at most {MATCHERS_MAX} matchers"));
        }
        let mut matchers = Vec::new();
        for text in texts.iter().take(MATCHERS_MAX) {
            match Matcher::parse(text) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => query.refuse("filter", error.to_string()),
            }
        }
        Self(matchers)
    }

    fn lets_through(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches_labels(labels))
    }
}

/// An answer, or a refusal in Alertmanager's form.
fn answered(outcome: Result<HttpResponse, Problem>) -> HttpResponse {
    outcome.unwrap_or_else(|problem| HttpResponse::build(problem.status_code()).json(problem.to_string()))
}
