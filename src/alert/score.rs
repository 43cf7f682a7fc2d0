//! How urgent an alert is, as one number to sort by.

use super::severity::Severity;

/// What a service counts when nobody says otherwise.
pub const WEIGHT_DEFAULT: f64 = 1.0;

/// The most that a service counts.
pub const WEIGHT_MAX: f64 = 2.0;

/// After so long an alert does not become more urgent: a day.
const DURATION_MINUTES_MAX: f64 = 1_440.0;

/// From so many nodes on an alert does not become more urgent.
const NODES_MAX: f64 = 64.0;

/// The most that duration and breadth add.
const PART_MAX: f64 = 15.0;

/// How urgent, from 0 to 100:
///
/// ```text
/// (severity + duration + breadth) × weight, rounded, at most 100
///   severity  info 10, warning 30, error 50, critical 70
///   duration  15 × log2(1 + minutes) / log2(1 + 1440), at most 15
///   breadth   15 × log2(nodes) / log2(64), at most 15
///   weight    of the service, 0 to 2; 1 when nobody says otherwise
/// ```
///
/// `duration_ms`: since it started. `nodes`: how many have an open alert of the same rule, this one included.
pub fn score(severity: Severity, duration_ms: u64, nodes: usize, weight: f64) -> u8 {
    let base = match severity {
        Severity::Info => 10.0,
        Severity::Warning => 30.0,
        Severity::Error => 50.0,
        Severity::Critical => 70.0,
    };
    let minutes = (duration_ms as f64 / 60_000.0).min(DURATION_MINUTES_MAX);
    let duration = PART_MAX * (1.0 + minutes).log2() / (1.0 + DURATION_MINUTES_MAX).log2();
    let breadth = PART_MAX * (nodes.max(1) as f64).min(NODES_MAX).log2() / NODES_MAX.log2();
    let weight = if weight.is_finite() { weight.clamp(0.0, WEIGHT_MAX) } else { WEIGHT_DEFAULT };
    ((base + duration + breadth) * weight).round().clamp(0.0, 100.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_formula() {
        const DAY_MS: u64 = 86_400_000;
        let rows = [
            (Severity::Info, 0, 1, 1.0, 10),
            (Severity::Warning, 60_000, 1, 1.0, 31),
            (Severity::Error, 0, 8, 1.0, 58),
            (Severity::Critical, DAY_MS, 64, 1.0, 100),
            (Severity::Critical, 10 * DAY_MS, 9_000, 2.0, 100),
            (Severity::Warning, 0, 1, 2.0, 60),
            (Severity::Critical, 0, 1, 0.0, 0),
            (Severity::Info, 0, 0, f64::NAN, 10),
            (Severity::Info, 0, 9_000, 1.0, 25),
        ];
        for (severity, duration_ms, nodes, weight, expected) in rows {
            assert_eq!(
                score(severity, duration_ms, nodes, weight),
                expected,
                "{severity} {duration_ms} {nodes}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_stays_in_its_range_and_never_falls_with_time_or_breadth(
            ms in any::<u32>(), more_ms in any::<u32>(), nodes in 0_usize..200, more in 0_usize..200, weight in 0.0..3.0
        ) {
            for severity in Severity::ALL {
                let less = score(severity, ms.into(), nodes, weight);
                let later = u64::from(ms) + u64::from(more_ms);
                prop_assert!(less <= 100);
                prop_assert!(less <= score(severity, later, nodes + more, weight));
            }
        }
    }
}
