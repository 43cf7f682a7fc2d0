//! What must hold, and whether it did. Pure.

use crate::plan::Thresholds;
use crate::result::{RunResult, ThresholdResult};

/// Holds a result against a plan's thresholds. Two always apply: without a word about them, nothing may go wrong and
/// everybody must connect and stay.
pub(crate) fn evaluate(thresholds: &Thresholds, result: &RunResult) -> Vec<ThresholdResult> {
    let messages = &result.messages;
    let wrong = messages.lost + messages.duplicated + messages.reordered + messages.refused;
    // What agents lack beside subscribers (`mixed`) is as wrong.
    let frames =
        result.ingest.filter(|_| result.scenario == crate::plan::Scenario::Mixed).unwrap_or_default();
    let wrong = wrong + frames.frames - frames.acknowledged;
    let error_rate = share(wrong, messages.expected + messages.refused + frames.frames);
    let connections = &result.connections;
    let stayed = connections.connected.saturating_sub(connections.lost);
    let connection_success = share(stayed, connections.planned);
    let row = |name: &str, limit: Option<f64>, measured: f64, held: fn(f64, f64) -> bool| {
        limit.map(|limit| ThresholdResult {
            name: name.to_owned(),
            limit,
            measured,
            held: held(measured, limit),
        })
    };
    let at_most = |measured: f64, limit: f64| measured <= limit;
    let at_least = |measured: f64, limit: f64| measured >= limit;
    let rows = [
        row("p99_ms", thresholds.p99_ms, result.latency.p99_ms.unwrap_or_default(), at_most),
        row("error_rate", Some(thresholds.error_rate.unwrap_or(0.0)), error_rate, at_most),
        row(
            "connection_success",
            Some(thresholds.connection_success.unwrap_or(1.0)),
            connection_success,
            at_least,
        ),
        row("throughput_min", thresholds.throughput_min, result.deliveries_per_s, at_least),
    ];
    rows.into_iter().flatten().collect()
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What was missed, in words.
pub(crate) fn missed(thresholds: &[ThresholdResult]) -> Option<String> {
    let missed: Vec<String> = thresholds
        .iter()
        .filter(|threshold| !threshold.held)
        .map(|threshold| {
            let ThresholdResult { name, limit, measured, .. } = threshold;
            let (bound, limit, measured) = (bound(name), shown(*limit), shown(*measured));
            format!("{name} is {measured}, {bound} {limit} is wanted")
        })
        .collect();
    (!missed.is_empty()).then(|| missed.join(", "))
}

/// Which side of its limit a threshold is on.
pub(crate) fn bound(name: &str) -> &'static str {
    if matches!(name, "p99_ms" | "error_rate") { "at most" } else { "at least" }
}

/// A number with as many digits as it has to say; a dash for one that nobody measured.
pub(crate) fn shown(value: impl Into<Option<f64>>) -> String {
    let Some(value) = value.into() else { return "-".to_owned() };
    let digits = if value == 0.0 || value.abs() >= 1_000.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else if value.abs() >= 1.0 {
        2
    } else if value.abs() >= 0.1 {
        3
    } else {
        5
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Connections, Messages};

    fn held(thresholds: &Thresholds, result: &RunResult) -> Vec<(String, bool)> {
        evaluate(thresholds, result).into_iter().map(|row| (row.name, row.held)).collect()
    }

    #[test]
    fn nothing_may_go_wrong_unless_the_plan_says_so() {
        let good = RunResult::example();
        assert!(missed(&evaluate(&Thresholds::default(), &good)).is_none());
        for messages in [
            Messages { lost: 1, ..good.messages },
            Messages { duplicated: 1, ..good.messages },
            Messages { reordered: 1, ..good.messages },
            Messages { refused: 1, ..good.messages },
        ] {
            let bad = RunResult { messages, ..good.clone() };
            let why = missed(&evaluate(&Thresholds::default(), &bad)).unwrap();
            assert!(why.starts_with("error_rate is 0.001, at most 0 is wanted"), "{why}");
            let tolerant = Thresholds { error_rate: Some(0.01), ..Thresholds::default() };
            assert!(missed(&evaluate(&tolerant, &bad)).is_none());
        }
        let connections = Connections { lost: 1, ..good.connections };
        let bad = RunResult { connections, ..good };
        assert_eq!(held(&Thresholds::default(), &bad)[1], ("connection_success".to_owned(), false));
    }

    #[test]
    fn each_threshold_holds_on_its_side() {
        let result = RunResult::example();
        let table = [
            (Thresholds { p99_ms: Some(4.0), ..Thresholds::default() }, true),
            (Thresholds { p99_ms: Some(3.9), ..Thresholds::default() }, false),
            (Thresholds { throughput_min: Some(250.0), ..Thresholds::default() }, true),
            (Thresholds { throughput_min: Some(251.0), ..Thresholds::default() }, false),
        ];
        for (thresholds, expected) in table {
            let all = held(&thresholds, &result).iter().all(|(_, held)| *held);
            assert_eq!(all, expected, "{thresholds:?}");
        }
    }

    #[test]
    fn numbers_are_shown_with_what_they_have_to_say() {
        let shown: Vec<String> = [0.0, 0.000_12, 0.25, 3.0, 1.821, 61.23, 12_345.6].map(shown).into();
        assert_eq!(super::shown(None), "-");
        assert_eq!(shown, ["0", "0.00012", "0.25", "3", "1.82", "61.2", "12346"]);
    }
}
