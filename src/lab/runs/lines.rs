//! What the engine says on its stdout: a line of JSON about twice a second, and one with the result at the end.

use infrawatch_loadtest::result::Progress;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::figures::{Detail, Figures};
use super::run::Status;

/// A line.
#[derive(Debug)]
pub enum Line {
    /// How it goes.
    Progress(Box<Progress>, Box<RawValue>),
    /// How it went.
    Result(Box<Outcome>),
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Outcome {
    /// Completed, failed or cancelled.
    pub status: Status,
    /// Why not completed.
    #[serde(default)]
    pub failure: Option<String>,
    // Known from the start; named so that they are not taken for further figures.
    #[serde(default, rename = "name")]
    _name: serde::de::IgnoredAny,
    #[serde(default, rename = "scenario")]
    _scenario: serde::de::IgnoredAny,
    /// What was measured.
    #[serde(flatten)]
    pub figures: Figures,
    /// By phase and by bucket.
    #[serde(flatten)]
    pub detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
enum Told {
    Progress(Box<Progress>),
    Result(Box<Outcome>),
}

impl Line {
    /// Reads a line; `None` when it is none of the two.
    pub fn read(text: &str) -> Option<Self> {
        match serde_json::from_str(text).ok()? {
            Told::Progress(progress) => {
                let raw = RawValue::from_string(text.trim().to_owned()).ok()?;
                Some(Self::Progress(progress, raw))
            }
            // A result of a run that goes on is none.
            Told::Result(outcome) if outcome.status == Status::Running => None,
            Told::Result(outcome) => Some(Self::Result(outcome)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_is_read_with_everything_that_it_tells() {
        let text = json!({ "type": "result", "name": "a", "scenario": "paced", "status": "failed",
            "success_rate": 96.0, "connections": { "planned": 25, "connected": 25, "failed": 0, "lost": 1 },
            "latency": { "p50_ms": 1.5 }, "phases": [{ "name": "steady" }], "failure": "1 was lost",
            "histogram": [{ "le_ms": 0.5, "count": 12 }], "slow_readers": { "clients": 1 } });
        let Some(Line::Result(outcome)) = Line::read(&text.to_string()) else { panic!("{text}") };
        assert_eq!((outcome.status, outcome.failure.as_deref()), (Status::Failed, Some("1 was lost")));
        assert_eq!((outcome.figures.success_rate, outcome.figures.connections.lost), (Some(96.0), 1));
        assert_eq!((outcome.figures.latency.p50_ms, outcome.figures.latency.p99_ms), (Some(1.5), None));
        assert_eq!((outcome.detail.phases.len(), outcome.detail.histogram[0].count), (1, 12));
        let further: Vec<_> = outcome.detail.further.keys().collect();
        assert_eq!(further, ["slow_readers"]);
    }

    #[test]
    fn what_is_no_line_is_none() {
        for text in [
            "",
            "thread 'main' panicked",
            "{}",
            r#"{"type":"hello"}"#,
            r#"{"type":"result"}"#,
            r#"{"type":"result","status":"running"}"#,
            r#"{"type":"progress","connected":"all"}"#,
        ] {
            assert!(Line::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_line_of_progress_is_handed_on_as_it_is() {
        let text =
            r#"{"type":"progress","elapsed_s":1.5,"connected":7,"delivered":9,"lost":1,"phase":"steady"}"#;
        let Some(Line::Progress(progress, raw)) = Line::read(text) else { panic!("{text}") };
        assert_eq!(raw.get(), text);
        assert_eq!((progress.phase.as_str(), progress.connected, progress.lost), ("steady", 7, 1));
    }
}
