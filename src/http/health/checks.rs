//! What is checked, and from when on it is degraded or unhealthy. Judging is pure.

use super::{Finding, Probe, Status};
use crate::breaker::{Change, State as Position, View};
use crate::clock::rfc3339;
use crate::engine::Way;
use crate::http::state::State;
use crate::ownership::{Leasing, Unit};
use crate::supervision::{KindSnapshot, KindState};
use crate::telemetry::system::{self, Disk, Memory};

/// Name of the check that readiness depends on.
pub const STORE: &str = "store";

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Free space below which the disk is degraded: a share of it, or so many bytes.
const DISK_DEGRADED_PERCENT: f64 = 10.0;
const DISK_DEGRADED_BYTES: u64 = GIB;
/// Free space below which the disk is unhealthy.
const DISK_UNHEALTHY_PERCENT: f64 = 2.0;
const DISK_UNHEALTHY_BYTES: u64 = 100 * MIB;

/// Share of the machine's memory that is available below which memory is degraded, and unhealthy.
const MEMORY_DEGRADED_PERCENT: f64 = 10.0;
const MEMORY_UNHEALTHY_PERCENT: f64 = 3.0;
/// Share of the machine's memory that the hub holds above which memory is degraded.
const RESIDENT_DEGRADED_PERCENT: f64 = 75.0;

/// Share of the bound of all mailboxes of a kind above which they are degraded.
const MAILBOX_DEGRADED_PERCENT: f64 = 50.0;

/// Lag of an event loop above which it is degraded, and unhealthy.
const LAG_DEGRADED_MS: u64 = 100;
const LAG_UNHEALTHY_MS: u64 = 2_000;

/// The hub's checks. `refused_before` is how many messages mailboxes had refused at the check before.
pub fn probes(state: &State, refused_before: u64) -> Vec<Probe<'_>> {
    let rows = state.services.tree.snapshot();
    let mut probes: Vec<Probe<'_>> = vec![
        (STORE, Box::pin(store(state))),
        ("disk_space", Box::pin(disk_space(state))),
        ("memory", Box::pin(async { judge_memory(system::memory()) })),
        ("mailboxes", Box::pin(async move { judge_mailboxes(&rows, refused_before) })),
        ("event_loop", Box::pin(async { event_loop(state) })),
        ("breakers", Box::pin(async { judge_breakers(&state.services.breakers.views()) })),
    ];
    if let Some(carrier) = &state.services.carrier {
        probes.push(("engine", Box::pin(async { judge_engine(carrier.way()) })));
    }
    if let Some(leasing) = &state.leasing {
        probes.push(("ownership", Box::pin(async { judge_ownership(leasing) })));
    }
    probes
}

fn judge_engine(way: Way) -> Finding {
    let since = rfc3339(way.since_ms);
    if way.is_up {
        return finding(Status::Healthy, format!("a probe went through Redis and back; so since {since}"));
    }
    finding(Status::Degraded, format!("Redis is gone since {since}: topics in memory are this node's own"))
}

fn judge_ownership(leasing: &Leasing) -> Finding {
    let ownership = leasing.ownership();
    let owner = |unit| match (ownership.held(unit), ownership.owner(unit)) {
        (Some(_), _) => "this node".to_owned(),
        (None, Some(owner)) => format!("node {}", owner.node),
        (None, None) => "nobody".to_owned(),
    };
    let owners = Unit::ALL.map(|unit| format!("{} owns {}", owner(unit), unit.as_str())).join(", ");
    if leasing.is_failing() {
        return finding(
            Status::Degraded,
            format!("the database does not say who owns what; last known: {owners}"),
        );
    }
    let is_owned = |unit| ownership.held(unit).is_some() || ownership.owner(unit).is_some();
    let status = if Unit::ALL.into_iter().all(is_owned) { Status::Healthy } else { Status::Degraded };
    finding(status, format!("{owners}; {} nodes live", ownership.live().len()))
}

async fn store(state: &State) -> Finding {
    match state.store.probe(state.services.clock.unix_ms()).await {
        Ok(()) => {
            let waiting = state.store.stats().queue_requests;
            finding(Status::Healthy, format!("a commit reached the disk; {waiting} requests wait"))
        }
        // What is live goes on without it.
        Err(error) if state.store.is_apart() => finding(Status::Degraded, error.to_string()),
        Err(error) => finding(Status::Unhealthy, error.to_string()),
    }
}

async fn disk_space(state: &State) -> Finding {
    let directory = state.data_dir.clone();
    // A network disk that hangs must not hang the event loop.
    match tokio::task::spawn_blocking(move || system::disk(&directory)).await {
        Ok(Ok(disk)) => judge_disk(disk),
        Ok(Err(error)) => finding(Status::Unhealthy, format!("the data directory does not answer: {error}")),
        Err(error) => finding(Status::Unhealthy, format!("the check failed: {error}")),
    }
}

fn event_loop(state: &State) -> Finding {
    judge_lag(state.desk.lag.worst(state.services.clock.monotonic_ms()))
}

fn judge_disk(disk: Disk) -> Finding {
    let percent = share(disk.free_bytes, disk.total_bytes);
    let status = if percent < DISK_UNHEALTHY_PERCENT || disk.free_bytes < DISK_UNHEALTHY_BYTES {
        Status::Unhealthy
    } else if percent < DISK_DEGRADED_PERCENT || disk.free_bytes < DISK_DEGRADED_BYTES {
        Status::Degraded
    } else {
        Status::Healthy
    };
    finding(
        status,
        format!("{:.1} GiB free, {percent:.1} % of the disk", disk.free_bytes as f64 / GIB as f64),
    )
}

fn judge_memory(memory: Option<Memory>) -> Finding {
    let Some(memory) = memory else {
        return finding(Status::Degraded, "the system does not tell".to_owned());
    };
    let available = share(memory.available_bytes, memory.total_bytes);
    let resident = share(memory.resident_bytes, memory.total_bytes);
    let status = if available < MEMORY_UNHEALTHY_PERCENT {
        Status::Unhealthy
    } else if available < MEMORY_DEGRADED_PERCENT || resident > RESIDENT_DEGRADED_PERCENT {
        Status::Degraded
    } else {
        Status::Healthy
    };
    let held = memory.resident_bytes / MIB;
    finding(
        status,
        format!("the hub holds {held} MiB; {available:.1} % of the machine's memory is available"),
    )
}

fn judge_mailboxes(rows: &[KindSnapshot], refused_before: u64) -> Finding {
    let failed: Vec<&str> =
        rows.iter().filter(|row| row.state == KindState::Failed).map(|row| row.kind).collect();
    if !failed.is_empty() {
        return finding(Status::Unhealthy, format!("given up: {}", failed.join(", ")));
    }
    let fullest = rows
        .iter()
        .map(|row| (row.kind, share(row.mailbox_depth as u64, (row.queue_bound * row.instances) as u64)))
        .filter(|(_, percent)| percent.is_finite())
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    let refused = rows.iter().map(|row| row.refused).sum::<u64>().saturating_sub(refused_before);
    let waiting: usize = rows.iter().map(|row| row.mailbox_depth).sum();
    if refused > 0 {
        return finding(Status::Degraded, format!("{refused} messages refused since the last check"));
    }
    match fullest {
        Some((kind, percent)) if percent > MAILBOX_DEGRADED_PERCENT => {
            finding(Status::Degraded, format!("the mailboxes of {kind} are {percent:.0} % full"))
        }
        _ => finding(Status::Healthy, format!("{waiting} messages wait")),
    }
}

fn judge_lag(worst: Option<(std::sync::Arc<str>, u64)>) -> Finding {
    let Some((event_loop, lag_ms)) = worst else {
        return finding(Status::Healthy, "not measured yet".to_owned());
    };
    let status = match lag_ms {
        LAG_UNHEALTHY_MS.. => Status::Unhealthy,
        LAG_DEGRADED_MS.. => Status::Degraded,
        _ => Status::Healthy,
    };
    finding(status, format!("{event_loop} is the latest, by {lag_ms} ms"))
}

fn judge_breakers(views: &[View]) -> Finding {
    let troubled = views.iter().filter(|view| view.change.state != Position::Closed);
    let told: Vec<String> = troubled
        .map(|view| {
            let Change { subsystem, state, reason, .. } = &view.change;
            format!("{} is {}: {reason}", subsystem.name(), state.as_str().replace('_', " "))
        })
        .collect();
    match told.is_empty() {
        true => finding(Status::Healthy, format!("all {} are closed", views.len())),
        false => finding(Status::Degraded, told.join("; ")),
    }
}

fn finding(status: Status, detail: String) -> Finding {
    Finding { status, detail }
}

/// In percent; not a number when there is no whole.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::{Placement, RestartPolicy, WhenFull};

    #[test]
    fn a_disk_is_judged_by_share_and_by_bytes() {
        let cases = [
            (50 * GIB, 100 * GIB, Status::Healthy),
            (9 * GIB, 100 * GIB, Status::Degraded),
            (GIB - 1, 4 * GIB, Status::Degraded),
            (GIB, 100 * GIB, Status::Unhealthy),
            (99 * MIB, 200 * MIB, Status::Unhealthy),
            (0, 0, Status::Unhealthy),
        ];
        for (free_bytes, total_bytes, status) in cases {
            assert_eq!(
                judge_disk(Disk { free_bytes, total_bytes }).status,
                status,
                "{free_bytes} of {total_bytes}"
            );
        }
    }

    #[test]
    fn memory_is_judged_by_what_is_left_and_by_what_the_hub_holds() {
        let cases = [
            (5, 60, Status::Healthy),
            (5, 9, Status::Degraded),
            (76, 20, Status::Degraded),
            (5, 2, Status::Unhealthy),
        ];
        for (resident, available, status) in cases {
            let memory = Memory {
                resident_bytes: resident * GIB,
                available_bytes: available * GIB,
                total_bytes: 100 * GIB,
            };
            assert_eq!(judge_memory(Some(memory)).status, status, "{memory:?}");
        }
        assert_eq!(judge_memory(None).status, Status::Degraded);
    }

    fn row(kind: &'static str, mailbox_depth: usize, refused: u64, state: KindState) -> KindSnapshot {
        KindSnapshot {
            kind,
            parent: None,
            group: "g",
            policy: RestartPolicy::Permanent,
            intensity_max: 5,
            intensity_window_ms: 1_000,
            backoff_min_ms: 1,
            backoff_max_ms: 2,
            placement: Placement::Caller,
            queue_bound: 100,
            when_full: WhenFull::Refuse,
            instances: 2,
            restarts: 0,
            mailbox_depth,
            state,
            last_failure: None,
            given_up: 0,
            refused,
        }
    }

    #[test]
    fn mailboxes_are_judged_by_failures_refusals_and_depth() {
        use KindState::{Failed, Idle, Running};
        let mut idle = row("agent", 0, 0, Idle);
        idle.instances = 0;
        let cases = [
            (vec![row("a", 100, 0, Running), idle], 0, Status::Healthy, "100 messages wait"),
            (vec![row("a", 1, 0, Running), row("b", 101, 0, Running)], 0, Status::Degraded, "mailboxes of b"),
            (vec![row("a", 0, 7, Running)], 7, Status::Healthy, "0 messages wait"),
            (vec![row("a", 0, 7, Running)], 4, Status::Degraded, "3 messages refused"),
            (vec![row("a", 0, 7, Running), row("b", 0, 0, Failed)], 0, Status::Unhealthy, "given up: b"),
        ];
        for (rows, refused_before, status, words) in cases {
            let found = judge_mailboxes(&rows, refused_before);
            assert!(
                found.status == status && found.detail.contains(words),
                "{found:?}, not {status:?} {words}"
            );
        }
    }

    #[test]
    fn an_event_loop_is_judged_by_its_lag() {
        for (lag_ms, status) in
            [(0, Status::Healthy), (99, Status::Healthy), (100, Status::Degraded), (2_000, Status::Unhealthy)]
        {
            assert_eq!(judge_lag(Some(("worker-0".into(), lag_ms))).status, status, "{lag_ms} ms");
        }
        assert_eq!(judge_lag(None).status, Status::Healthy);
    }
}
