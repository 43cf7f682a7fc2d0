//! The table of scenarios in code is the one in the documents, and names what exists.

use std::fs;

use infrawatch::hub::table;
use infrawatch::lab::faults::SCENARIOS;
use infrawatch::lab::faults::parameters::Domain;
use infrawatch::lab::faults::table::{HUNG_KINDS, PANIC_KINDS, Row};
use infrawatch::telemetry::{Counter, Gauge};

fn parameters(row: &Row) -> String {
    let told = row.parameters.iter().map(|parameter| {
        let range = match parameter.domain {
            Domain::Number { default, min, max } => {
                format!("{min} to {max} {}, {default}", parameter.unit.unwrap_or_default())
            }
            Domain::Text { default, prefix: "" } => format!("`{default}`"),
            Domain::Text { default, prefix } => format!("`{prefix}...`, `{default}`"),
            Domain::Word { allowed } if allowed.len() > 4 => "a kind".to_owned(),
            Domain::Word { allowed } => allowed.join(" or "),
        };
        format!("`{}` ({range})", parameter.name)
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "none".to_owned() } else { told.join("; ") }
}

fn documented(row: &Row) -> String {
    let again = match row.again_after_s {
        0 => String::new(),
        seconds => format!("; again after {seconds} s"),
    };
    format!(
        "### `{}`: {}\n\n{}.\n\n- Parameters: {}\n- At most {} s{again}\n- Guard: {}\n- Metric: `{}`\n- **Promise:** {}\n",
        row.name,
        row.title,
        row.what,
        parameters(row),
        row.duration_s_max,
        row.guard,
        row.metric,
        row.promise
    )
}

#[test]
fn the_table_in_code_is_the_one_in_the_documents() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability-lab.md");
    let expected: Vec<String> = SCENARIOS.iter().map(documented).collect();
    let expected = expected.join("\n");
    let document = fs::read_to_string(path).unwrap();
    assert!(document.contains(&expected), "write into {path}:\n{expected}");
}

#[test]
fn metrics_and_kinds_of_the_table_exist() {
    let counters = Counter::ALL.iter().map(|metric| format!("infrawatch_{}_total", metric.row().0));
    let gauges = Gauge::ALL.iter().map(|metric| format!("infrawatch_{}", metric.row().0));
    let metrics: Vec<String> = counters.chain(gauges).collect();
    for row in SCENARIOS {
        let name = row.metric.split('{').next().unwrap();
        assert!(metrics.iter().any(|metric| metric == name), "{}: {name}", row.name);
    }
    let kinds: Vec<_> = table().into_iter().map(|row| row.kind).collect();
    for kind in HUNG_KINDS.iter().chain(PANIC_KINDS) {
        assert!(kinds.contains(kind), "{kind}");
    }
}
