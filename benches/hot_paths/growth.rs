//! What a case may cost of another: how the hub grows with its subscribers, and with what has no part in a message.

use std::collections::BTreeMap;

struct Bound {
    smaller: &'static str,
    larger: &'static str,
    /// Instructions of the larger one for one of the smaller, at most.
    times_max: f64,
}

const BOUNDS: &[Bound] = &[
    Bound { smaller: "hub/critical_to_100", larger: "hub/critical_to_400", times_max: 4.5 },
    Bound { smaller: "hub/critical_to_1000", larger: "hub/critical_to_4000", times_max: 4.5 },
    Bound {
        smaller: "hub/critical_to_100",
        larger: "hub/critical_to_100_beside_99000_idle_topics",
        times_max: 1.02,
    },
    Bound { smaller: "rule/batch_beside_1_rule", larger: "rule/batch_beside_10000_rules", times_max: 1.02 },
];

/// Prints what the larger cases cost; whether one costs too much.
pub(super) fn compare(instructions: &BTreeMap<String, u64>) -> bool {
    let mut is_over = false;
    for bound in BOUNDS {
        let count = |name: &str| instructions.get(name).map(|count| *count as f64);
        let (Some(smaller), Some(larger)) = (count(bound.smaller), count(bound.larger)) else {
            println!("{} or {} was not counted", bound.smaller, bound.larger);
            is_over = true;
            continue;
        };
        let times = larger / smaller;
        let verdict = if times > bound.times_max { ": more than allowed" } else { "" };
        println!(
            "{} costs {times:.3} times {} (at most {}){verdict}",
            bound.larger, bound.smaller, bound.times_max
        );
        is_over |= times > bound.times_max;
    }
    is_over
}
