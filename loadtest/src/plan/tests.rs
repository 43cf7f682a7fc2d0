//! Plans as they are read and checked: what is taken, and how each mistake is told.

use super::*;

#[test]
fn a_plan_of_two_lines_gets_its_defaults() {
    let plan = Plan::parse("scenario: paced\nrate_hz: 20\n").unwrap();
    let expected = Plan { rate_hz: 20.0, ..Plan::of(Scenario::Paced) }.complete().unwrap();
    assert_eq!(plan, expected);
    assert_eq!((plan.name.as_str(), plan.connections, plan.run_s()), ("paced", 25, 4.0));
    assert_eq!(plan.phases[0].kind, PhaseKind::RampUp);
}

#[test]
fn a_full_plan_comes_back_from_json_as_it_was() {
    let text = r"
name: evening run
scenario: paced
target: 127.0.0.1:5050
connections: 25
topic: testing-load:run
phases:
  - {name: ramp_up,  kind: ramp_up,  duration_s: 1}
  - {name: steady,   kind: steady,   duration_s: 3}
  - {name: spike,    kind: spike,    duration_s: 2, factor: 4}
  - {name: recovery, kind: recovery, duration_s: 2}
thresholds: {p99_ms: 50, error_rate: 0.01, connection_success: 0.99, throughput_min: 1000}
";
    let plan = Plan::parse(text).unwrap();
    assert_eq!(plan.phases.iter().map(Phase::load).collect::<Vec<_>>(), [0.0, 1.0, 4.0, 1.0]);
    assert_eq!(plan.target, Some("127.0.0.1:5050".parse().unwrap()));
    assert_eq!(Plan::parse(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    for scenario in Scenario::ALL {
        let plan = Plan::of(scenario).complete().unwrap();
        assert_eq!(Plan::parse(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let table = [
        ("{}", "missing field `scenario`"),
        (
            "scenario: paced\nconnection: 3",
            "line 2 column 1: unknown field `connection`, expected one of name, scenario",
        ),
        ("scenario: pace", "fanout"),
        ("scenario: paced\nconnections: 0", "`connections` must lie between 1 and 20000, not 0"),
        ("scenario: paced\nrate_hz: .nan", "`rate_hz` must lie between 0.1 and 10000, not NaN"),
        ("scenario: paced\npayload_bytes: 3", "`payload_bytes` must lie between 27 and 60000, not 3"),
        ("scenario: paced\ntopic: 'a b'", "`topic` must be"),
        ("scenario: paced\ntarget: 192.0.2.1:80", "loopback"),
        ("scenario: paced\nduration_s: 0", "`duration_s` must lie between 0.1"),
        ("scenario: paced\nphases: [{name: a, kind: ramp_up, duration_s: 1}]", "one that is not ramp_up"),
        (
            "scenario: paced\nphases: [{name: a, kind: steady, duration_s: 1, factor: 2}]",
            "`phases[0].factor` belongs to a spike",
        ),
        (
            "scenario: paced\nphases: [{name: a, kind: steady, duration_s: 1}, {name: b, kind: ramp_up, duration_s: 1}]",
            "`phases[1].kind`: only the first",
        ),
        ("scenario: paced\nphases: [{name: a, kind: calm, duration_s: 1}]", "ramp_up"),
        ("scenario: paced\nthresholds: {p95_ms: 1}", "unknown field `p95_ms`"),
        (
            "scenario: paced\nthresholds: {error_rate: 2}",
            "`thresholds.error_rate` must lie between 0 and 1, not 2",
        ),
        ("scenario: slow_reader\nconnections: 1", "at least 2"),
        ("scenario: paced\nconnections: 20000\nrate_hz: 1000", "deliveries a second"),
        ("scenario: [", "line"),
    ];
    for (text, expected) in table {
        let message = Plan::parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn every_plan_that_is_shipped_is_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/plans");
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let plan = Plan::parse(&std::fs::read_to_string(&path).unwrap());
        scenarios.push(plan.unwrap_or_else(|e| panic!("{}: {e}", path.display())).scenario);
    }
    let missing: Vec<_> = Scenario::ALL.iter().filter(|scenario| !scenarios.contains(scenario)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn some_are_slow_and_some_are_not() {
    let plan = Plan { slow_share: 0.0, connections: 2, ..Plan::of(Scenario::SlowReader) };
    assert_eq!(plan.slow_readers(), 1);
    assert_eq!(Plan { slow_share: 0.9, ..plan.clone() }.slow_readers(), 1);
    assert_eq!(Plan { scenario: Scenario::Paced, ..plan }.slow_readers(), 0);
}
