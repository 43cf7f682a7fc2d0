use serde_json::json;

use super::*;

fn opening() -> Lifecycle {
    Lifecycle::new(StoredRun::begin("evening".into(), "paced", 25, "ann", 10))
}

fn running() -> Lifecycle {
    let mut life = opening();
    assert!(life.opened(20));
    life
}

fn progress(delivered: u64) -> String {
    json!({ "type": "progress", "phase": "steady", "elapsed_s": 1.5, "connected": 20, "delivered": delivered })
        .to_string()
}

fn result(status: &str) -> String {
    json!({ "type": "result", "status": status, "success_rate": 100.0,
        "connections": { "planned": 25, "connected": 25, "failed": 0, "lost": 0 } })
    .to_string()
}

fn exit(how: &str, complaint: &str) -> Exit {
    Exit { how: how.into(), complaint: complaint.into() }
}

fn end(life: &Lifecycle) -> (Status, Option<&str>, Option<f64>, u64) {
    assert!(life.is_over() && life.run().ended_at.is_some());
    let run = life.run();
    (run.status, run.failure.as_deref(), run.figures.success_rate, run.figures.connections.connected)
}

#[test]
fn a_run_ends_as_its_engine_says() {
    for (status, expected) in [("completed", Status::Completed), ("failed", Status::Failed)] {
        let mut life = running();
        assert!(life.line(&progress(5), 30).is_some());
        assert!(life.line(&result(status), 40).is_none() && !life.is_over());
        life.exited(&exit("exit status: 1", "noise"), 50);
        assert_eq!(end(&life), (expected, None, Some(100.0), 25));
    }
}

#[test]
fn progress_is_told_twice_a_second_at_most() {
    let told_of = |lines: &[u64]| {
        let mut life = running();
        lines.iter().filter(|now_ms| life.line(&progress(1), **now_ms).is_some()).copied().collect::<Vec<_>>()
    };
    let every_50_ms: Vec<u64> = (0..200).map(|n| 1_000 + n * 50).collect();
    assert_eq!(told_of(&every_50_ms).len(), 21, "in 10 s, the first one included");
    let twice_a_second = [1_000, 1_480, 2_010, 2_490, 3_000, 3_450, 4_020];
    assert_eq!(
        told_of(&twice_a_second),
        twice_a_second,
        "an engine that is not quite in time is told in full"
    );
}

#[test]
fn without_a_result_a_run_failed_with_what_is_known() {
    let mut life = running();
    life.line(&progress(7), 30);
    life.line("thread 'main' panicked", 40);
    life.exited(&exit("signal: 9 (SIGKILL)", "no more files"), 50);
    let why = "the load test ended without a result (signal: 9 (SIGKILL)), after 1 lines that cannot be read: \
               no more files";
    assert_eq!(end(&life), (Status::Failed, Some(why), None, 20));
    assert_eq!(life.run().figures.connections.planned, 25);
}

#[test]
fn a_run_that_is_stopped_is_cancelled_whatever_its_engine_says() {
    for said in [None, Some(result("cancelled")), Some(result("completed"))] {
        let mut life = running();
        assert_eq!(life.stop(Stop::Asked), Some(Order::Terminate));
        assert_eq!(life.stop(Stop::Asked), None, "it is told once");
        said.iter().for_each(|said| drop(life.line(said, 40)));
        life.exited(&exit("signal: 15 (SIGTERM)", ""), 50);
        let (status, failure, success_rate, connected) = end(&life);
        assert_eq!((status, failure, success_rate), (Status::Cancelled, None, None));
        assert_eq!(connected, if said.is_some() { 25 } else { 0 });
        assert_eq!(life.stop(Stop::Asked), None);
    }
}

#[test]
fn a_run_that_is_stopped_before_its_engine_starts_starts_none() {
    let mut life = opening();
    assert_eq!(life.stop(Stop::Asked), None);
    assert!(!life.opened(20));
    assert_eq!(end(&life).0, Status::Cancelled);
}

#[test]
fn a_drain_and_a_run_that_is_late_end_the_engine_at_once() {
    for (stop, status, why) in [
        (Stop::Drained, Status::Cancelled, "the hub was stopped"),
        (Stop::Late, Status::Failed, "it took much longer than planned and was ended"),
    ] {
        let mut life = running();
        assert_eq!(life.stop(stop), Some(Order::Kill));
        life.exited(&exit("signal: 9 (SIGKILL)", ""), 50);
        assert_eq!(end(&life), (status, Some(why), None, 0));
    }
    let mut life = running();
    life.stop(Stop::Asked);
    assert_eq!(life.stop(Stop::Late), Some(Order::Kill), "it was told to end and does not");
    life.exited(&exit("signal: 9 (SIGKILL)", ""), 50);
    assert_eq!(end(&life).0, Status::Cancelled, "the first reason counts");
}

#[test]
fn an_engine_that_cannot_be_started_fails_the_run() {
    let mut life = running();
    life.not_started("no such file".into(), 30);
    assert_eq!(end(&life), (Status::Failed, Some("no such file"), None, 0));
}

#[test]
fn a_crash_fails_the_run_unless_it_was_over() {
    let life = Lifecycle::abandoned(opening().run().clone(), "the lab crashed", 90);
    assert_eq!(end(&life), (Status::Failed, Some("the lab crashed"), None, 0));
    let mut life = running();
    life.line(&result("completed"), 40);
    life.exited(&exit("exit status: 0", ""), 50);
    let again = Lifecycle::abandoned(life.run().clone(), "the lab crashed", 90);
    assert_eq!((again.run(), again.is_over()), (life.run(), true));
}
