use serde_json::json;

use crate::rule::definition::SeverityDefinition;
use crate::rule::files::{FILE_BYTES_MAX, Parsed, RULES_MAX, id, parse};

const OWN: &str = r#"
# Ours.
rules:
  - name: CPU is high
    kind: threshold
    metric: cpu.utilization
    comparison: ">"
    value: 90
    for_duration_seconds: 60
    severity: {warning: 90, critical: 98}
    annotations:
      title: "{{ labels.node }} is busy"
  - name: Both
    id: both
    kind: expression
    expression: cpu_percent > 80 and memory_percent > 75
"#;

const NODE: &str = r#"
groups:
  - name: hosts
    interval: 30s
    labels: {team: base}
    rules:
      - alert: HostOutOfMemory
        expr: node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 < 10
        for: 2m
        keep_firing_for: 5m
        labels:
          severity: page
        annotations:
          summary: Host out of memory (instance {{ $labels.instance }})
          description: "Memory is filling up\n  VALUE = {{ $value | humanize }}"
          runbook_url: https://runbooks.example.org/memory
      - alert: DiskWillFill
        expr: |
          node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs", mountpoint="/"} / node_filesystem_size_bytes{fstype!~"tmpfs|ramfs", mountpoint="/"} < 0.2
            and
          predict_linear(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs", mountpoint="/"}[6h], 24*60*60) < 0
        for: 1h
        labels: {severity: Warn}
      - alert: DiskWillFill
        expr: predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600) < 0
        labels: {severity: critical}
      - alert: DiskWillFill
        expr: predict_linear(node_filesystem_avail_bytes[1h], 3600) < 0
        labels: {severity: critical}
      - alert: NetworkErrors
        expr: rate(node_network_receive_errs_total[2m]) / rate(node_network_receive_packets_total[2m]) > 0.01
        labels: {severity: odd}
      - alert: Gone
        expr: absent(up{job="node", instance!=""})
        for: 90
      - alert: ByCpu
        expr: 100 - (avg by(instance) (rate(node_cpu_seconds_total{mode="idle"}[2m])) * 100) > 80
      - record: instance:cpu:rate
        expr: rate(node_cpu_seconds_total[5m])
      - alert: Matched
        expr: a > 1 and on(instance) b > 1
      - alert: Earlier
        expr: a offset 5m > 1
      - alert: Always
        expr: vector(1) > 0
      - alert: NoTime
        expr: a > 1
        for: soon
"#;

fn ids(parsed: &Parsed) -> Vec<&str> {
    parsed.rules.iter().map(|(id, _)| id.as_str()).collect()
}

#[test]
fn our_own_rules_are_read() {
    let parsed = parse("rules/web.yaml", OWN);
    assert_eq!((&parsed.errors[..], &parsed.skipped[..]), (&[][..], &[][..]));
    assert_eq!(ids(&parsed), ["web.cpu-is-high", "both"]);
    let (_, first) = &parsed.rules[0];
    assert_eq!(first.id.as_deref(), Some("web.cpu-is-high"));
    assert_eq!(first.condition.value, Some(90.0));
    for empty in ["", "\n# nothing\n", "rules: []", "groups: []"] {
        assert_eq!(parse("a.yaml", empty), Parsed::default(), "{empty:?}");
    }
}

#[test]
fn rules_of_prometheus_are_imported_or_named() {
    let parsed = parse("node.yml", NODE);
    assert_eq!(parsed.errors, []);
    assert_eq!(
        ids(&parsed),
        [
            "node.hostoutofmemory",
            "node.diskwillfill",
            "node.diskwillfill-critical",
            "node.diskwillfill-critical-2",
            "node.networkerrors",
            "node.gone"
        ]
    );
    let memory = serde_json::to_value(&parsed.rules[0].1).unwrap();
    assert_eq!(
        memory,
        json!({"id": "node.hostoutofmemory", "name": "HostOutOfMemory", "enabled": true, "kind": "expression",
            "expression": "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 < 10",
            "for_duration_seconds": 120.0, "keep_firing_seconds": 300.0, "severity": "critical",
            "labels": {"team": "base"}, "no_data": "ok", "runbook_url": "https://runbooks.example.org/memory",
            "annotations": {"title": "Host out of memory (instance {{ labels.instance }})",
                "message": "Memory is filling up\n  VALUE = {{ value }}"}})
    );
    let severity = |index: usize| match &parsed.rules[index].1.severity {
        SeverityDefinition::One(severity) => severity.clone(),
        SeverityDefinition::ByValue(_) => String::new(),
    };
    assert_eq!(
        (severity(1), severity(4), severity(5)),
        ("warning".into(), "warning".into(), "warning".into())
    );
    let gone = &parsed.rules[5].1;
    assert_eq!((gone.condition.kind.as_str(), gone.for_duration_seconds), ("absence", 90.0));
    assert_eq!(gone.condition.matchers, ["job=\"node\"", "instance!=\"\""]);
    let skipped: Vec<(&str, &str)> =
        parsed.skipped.iter().map(|one| (one.name.as_str(), one.reason.as_str())).collect();
    for ((name, reason), (expected_name, expected)) in skipped.iter().zip([
        ("ByCpu", "at character 12: expected a closing parenthesis"),
        ("instance:cpu:rate", "recording rules have no counterpart"),
        ("Matched", "at character 11: expected one of the functions avg"),
        ("Earlier", "at character 3: expected and, or, an operator or the end"),
        ("Always", "at character 1: expected one of the functions"),
        ("NoTime", "for must be a duration such as 5m, not \"soon\""),
    ]) {
        assert_eq!(*name, expected_name);
        assert!(reason.starts_with(expected), "{name}: {reason}");
    }
    assert_eq!(skipped.len(), 6);
    let by_cpu = &parsed.skipped[0];
    assert_eq!((by_cpu.file.as_str(), by_cpu.group.as_str()), ("node.yml", "hosts"));
    let line = NODE.lines().position(|line| line.contains("alert: ByCpu")).unwrap() as u64 + 1;
    assert_eq!(by_cpu.line, Some(line));
}

#[test]
fn severities_of_prometheus() {
    for (word, expected) in
        [("PAGE", "critical"), ("major", "error"), ("Minor", "warning"), ("none", "info"), ("x", "warning")]
    {
        let text = format!(
            "groups: [{{name: g, rules: [{{alert: A, expr: a > 1, labels: {{severity: {word}}}}}]}}]"
        );
        let parsed = parse("f.yaml", &text);
        assert_eq!(parsed.rules[0].1.severity, SeverityDefinition::One(expected.to_owned()), "{word}");
    }
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_field() {
    let text = "rules:\n- name: A\n  kind: threshold\n  metric: m\n  comparison: \"~\"\n- name: B\n  kind: what\n- nme: C\n";
    let parsed = parse("dir/bad.yaml", text);
    assert_eq!(parsed.rules, []);
    let told: Vec<_> = parsed
        .errors
        .iter()
        .map(|error| (error.line, error.rule.as_deref().unwrap_or_default(), error.pointer.as_str()))
        .collect();
    assert_eq!(
        told,
        [(Some(2), "A", "/comparison"), (Some(2), "A", "/value"), (Some(6), "B", "/kind"), (Some(8), "", ""),]
    );
    assert!(parsed.errors.iter().all(|error| error.file == "dir/bad.yaml"));
    for (text, line) in [
        ("rules:\n  - [", Some(2)),
        ("rulez: []", Some(1)),
        ("groups:\n- rules: []", Some(2)),
        ("- a", Some(1)),
    ] {
        let errors = parse("x.yaml", text).errors;
        assert_eq!(errors.len(), 1, "{text}");
        assert!(errors[0].line >= line && errors[0].line.is_some(), "{text}: {errors:?}");
    }
    let same = "rules:\n- {name: A, kind: absence, metric: m, absent_seconds: 5}\n- {name: a, kind: absence, metric: m, absent_seconds: 5}";
    let parsed = parse("x.yaml", same);
    assert_eq!((parsed.rules.len(), parsed.errors[0].pointer.as_str()), (1, "/name"));
}

#[test]
fn files_are_bounded() {
    assert_eq!(parse("x.yaml", &"#".repeat(FILE_BYTES_MAX + 1)).errors.len(), 1);
    let many = format!("rules: [{}]", "{},".repeat(RULES_MAX + 1));
    assert_eq!(parse("x.yaml", &many).errors[0].message, "may have 1000 rules, not 1001");
    let deep = format!("rules: {}", "[".repeat(50_000));
    assert_eq!(parse("x.yaml", &deep).errors.len(), 1);
}

#[test]
fn ids_are_stable_and_apart() {
    assert_eq!(id("a/b/Web rules.yaml", "CPU  is_high-2"), "web-rules.cpu-is_high-2");
    assert_ne!(id("w.yaml", "Größe"), id("w.yaml", "Gräße"));
    assert!(id(&"x".repeat(300), &"y".repeat(200)).len() <= 128);
}
