//! Ready-made rules on what agents send of their hosts, to be taken as they are or changed. Pure.
//!
//! Four of them are the rules of a fresh hub: see [`seeds`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::definition::{ConditionDefinition, Definition, NoData, SeverityDefinition};

/// A ready-made rule.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct RuleTemplate {
    /// Never changes.
    pub id: &'static str,
    /// What people call it; also the name of its rule.
    pub name: &'static str,
    /// When it fires, and what for.
    pub description: &'static str,
    /// What one typically changes: JSON pointers into the definition.
    pub parameters: Vec<&'static str>,
    /// The rule.
    pub definition: Definition,
}

/// A rule of this template that fires after `for_seconds`; the message speaks of its series.
fn template(
    (id, name, description): (&'static str, &'static str, &'static str),
    parameters: &[&'static str],
    condition: ConditionDefinition,
    for_seconds: f64,
    severity: SeverityDefinition,
    message: &str,
) -> RuleTemplate {
    let texts = [("title", format!("{name} on {{{{ labels.node }}}}")), ("message", message.to_owned())];
    let definition = Definition {
        id: None,
        name: name.to_owned(),
        enabled: true,
        condition,
        for_duration_seconds: for_seconds,
        keep_firing_seconds: 0.0,
        severity,
        labels: BTreeMap::new(),
        annotations: texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
        group_by: vec!["node".to_owned()],
        runbook_url: None,
        no_data: NoData::Keep,
        no_data_seconds: None,
        escalation_policy_id: None,
        auto_resolve_seconds: None,
        flap: None,
    };
    RuleTemplate { id, name, description, parameters: parameters.to_vec(), definition }
}

fn one(severity: &str) -> SeverityDefinition {
    SeverityDefinition::One(severity.to_owned())
}

fn by_value(bounds: &[(&str, f64)]) -> SeverityDefinition {
    SeverityDefinition::ByValue(bounds.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
}

fn threshold(metric: &str, sign: &str, value: f64, recovery: Option<f64>) -> ConditionDefinition {
    ConditionDefinition {
        kind: "threshold".to_owned(),
        metric: Some(metric.to_owned()),
        comparison: Some(sign.to_owned()),
        value: Some(value),
        recovery_value: recovery,
        ..ConditionDefinition::default()
    }
}

fn expression(text: &str) -> ConditionDefinition {
    ConditionDefinition {
        kind: "expression".to_owned(),
        expression: Some(text.to_owned()),
        ..ConditionDefinition::default()
    }
}

fn absence(metric: &str, seconds: f64) -> ConditionDefinition {
    ConditionDefinition {
        kind: "absence".to_owned(),
        metric: Some(metric.to_owned()),
        absent_seconds: Some(seconds),
        ..ConditionDefinition::default()
    }
}

/// Everything that is ready-made, in the order in which it is shown.
pub fn templates() -> Vec<RuleTemplate> {
    let mut all = load();
    all.extend(body());
    all.extend(space());
    all.extend(life());
    all
}

/// What a machine has to do.
fn load() -> Vec<RuleTemplate> {
    let level = ["/value", "/recovery_value", "/for_duration_seconds", "/severity"];
    vec![
        template(
            ("cpu-high", "CPU is high", "The processors of a machine are busy for a minute."),
            &level,
            threshold("cpu_percent", ">", 90.0, Some(80.0)),
            60.0,
            by_value(&[("warning", 90.0), ("critical", 98.0)]),
            "{{ value }} % of the processors are busy.",
        ),
        template(
            (
                "cpu-anomaly",
                "CPU is unusual",
                "The processors are far busier than at this hour of the last days.",
            ),
            &["/sigma", "/samples_min", "/direction", "/for_duration_seconds"],
            ConditionDefinition {
                kind: "anomaly".to_owned(),
                metric: Some("cpu_percent".to_owned()),
                window_points: Some(300),
                samples_min: Some(120),
                sigma: Some(4.0),
                direction: Some("above".to_owned()),
                seasonal: Some(true),
                ..ConditionDefinition::default()
            },
            120.0,
            one("info"),
            "{{ value }} % of the processors are busy, which is unusual at this hour.",
        ),
        template(
            (
                "load-high",
                "Load is high",
                "More work waits than a machine with four cores can do; set it to twice the cores.",
            ),
            &["/expression", "/for_duration_seconds"],
            expression("load5 > 8 and load1 > 8"),
            300.0,
            one("warning"),
            "{{ value }} processes wait for a processor.",
        ),
        template(
            (
                "pressure",
                "CPU and memory are short",
                "Processors and memory of one machine are short at once.",
            ),
            &["/expression", "/for_duration_seconds"],
            expression("avg(cpu_percent, 5m) > 80 and avg(memory_percent, 5m) > 80"),
            60.0,
            one("error"),
            "Processors and memory are short at once.",
        ),
    ]
}

/// Its link, and how hot it is.
fn body() -> Vec<RuleTemplate> {
    let level = ["/value", "/recovery_value", "/for_duration_seconds", "/severity"];
    vec![
        template(
            (
                "network-busy",
                "Network is busy",
                "A machine receives 100 MB a second for five minutes; set it to what its link can do.",
            ),
            &["/expression", "/severity"],
            expression("avg(network_rx_bytes_per_s, 5m) > 100000000"),
            0.0,
            one("warning"),
            "{{ value }} bytes a second come in.",
        ),
        template(
            ("temperature-high", "It is too hot", "A sensor of a machine shows 85 degrees Celsius."),
            &level,
            threshold("temperature_celsius", ">=", 85.0, Some(75.0)),
            30.0,
            by_value(&[("warning", 85.0), ("critical", 95.0)]),
            "{{ value }} degrees Celsius {{ labels.sensor }}",
        ),
    ]
}

/// What a machine has room for.
fn space() -> Vec<RuleTemplate> {
    let level = ["/value", "/recovery_value", "/for_duration_seconds", "/severity"];
    vec![
        template(
            ("memory-high", "Memory is short", "A machine has hardly any memory left for a minute."),
            &level,
            threshold("memory_percent", ">", 90.0, Some(85.0)),
            60.0,
            by_value(&[("warning", 90.0), ("critical", 97.0)]),
            "{{ value }} % of the memory are used.",
        ),
        template(
            (
                "memory-grows",
                "Memory use grows",
                "The memory in use grew by a quarter within an hour, as it does with a leak.",
            ),
            &["/value", "/window_seconds"],
            ConditionDefinition {
                kind: "rate".to_owned(),
                metric: Some("memory_used_bytes".to_owned()),
                comparison: Some(">".to_owned()),
                value: Some(25.0),
                unit: Some("percent".to_owned()),
                window_seconds: Some(3_600.0),
                ..ConditionDefinition::default()
            },
            300.0,
            one("warning"),
            "The memory in use grew by {{ value }} %.",
        ),
        template(
            ("swap-used", "Swap is used", "A machine helps itself with swap, which is slow."),
            &level,
            threshold("swap_percent", ">", 50.0, Some(40.0)),
            300.0,
            one("warning"),
            "{{ value }} % of the swap are used.",
        ),
        template(
            ("disk-full", "Disk is full", "A file system has hardly any room left."),
            &["/value", "/recovery_value", "/matchers", "/severity"],
            threshold("disk_space_percent", ">", 90.0, Some(88.0)),
            60.0,
            by_value(&[("warning", 90.0), ("critical", 97.0)]),
            "{{ value }} % of {{ labels.mount }} are used.",
        ),
        template(
            (
                "disk-will-fill",
                "Disk will be full",
                "At the pace of the last hour a file system is full within four.",
            ),
            &["/expression", "/for_duration_seconds"],
            expression("predict_linear(disk_space_percent, 1h, 4h) > 100 and disk_space_percent > 60"),
            300.0,
            one("error"),
            "{{ labels.mount }} will be full within four hours.",
        ),
    ]
}

/// Whether a machine is there at all.
fn life() -> Vec<RuleTemplate> {
    vec![
        template(
            ("node-offline", "Node is offline", "Nothing was heard of a machine for half a minute."),
            &["/absent_seconds", "/matchers", "/severity"],
            absence("uptime_s", 30.0),
            0.0,
            one("critical"),
            "No sample came for half a minute.",
        ),
        template(
            ("node-restarted", "Node was restarted", "A machine started less than five minutes ago."),
            &["/value"],
            threshold("uptime_s", "<", 300.0, None),
            0.0,
            one("info"),
            "It started {{ value }} seconds ago.",
        ),
    ]
}

/// The rules of a fresh hub, with their ids: CPU, memory, disk, and nodes that are offline.
pub fn seeds() -> Vec<(String, Definition)> {
    let wanted = ["cpu-high", "memory-high", "disk-full", "node-offline"];
    let chosen = templates().into_iter().filter(|template| wanted.contains(&template.id));
    chosen
        .map(|RuleTemplate { id, definition, .. }| {
            (id.to_owned(), Definition { id: Some(id.to_owned()), ..definition })
        })
        .collect()
}
