//! A crash is told once, with the name of the actor; other panics keep the default report.

use std::io::{self, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{pause, sleep};
use tracing_subscriber::fmt;

use super::probe::{Do, Lower, add, table, tell};
use crate::supervision::panic_hook;
use crate::supervision::universe::Universe;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> Vec<serde_json::Value> {
        let bytes = std::mem::take(&mut *self.0.lock());
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Counts the panics that reach the default report with this message.
fn watch_default_report(message: &'static str) -> Arc<AtomicU32> {
    let reported = Arc::new(AtomicU32::new(0));
    let (count, default) = (reported.clone(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() == Some(message) {
            count.fetch_add(1, Relaxed);
        } else {
            default(info);
        }
    }));
    reported
}

#[actix::test]
async fn a_crash_is_logged_once_with_kind_instance_phase_message_and_place() {
    let reported = watch_default_report("panic outside of any actor");
    panic_hook::install();
    pause();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let universe = Universe::new(table());
    let inbox = universe.tree.start("web-1", Lower::new("web-1", &Arc::default()), None);
    for (what, phase, reason) in
        [(Do::Panic, "handler", "panic in handler"), (Do::PanicInTimer, "timer", "panic in timer")]
    {
        tell(&inbox, what);
        sleep(Duration::from_millis(2)).await;
        let logged = lines.take();
        assert_eq!(logged.len(), 1, "{logged:?}");
        let line = &logged[0];
        assert_eq!(line["level"], "ERROR");
        assert_eq!((&line["kind"], &line["instance"]), (&"lower".into(), &"web-1".into()));
        assert_eq!((&line["phase"], &line["reason"]), (&phase.into(), &reason.into()));
        assert_eq!(line["outcome"], "restarts");
        let location = line["location"].as_str().unwrap();
        assert!(location.contains("supervision/tests/probe.rs:"), "{location}");
        universe.settle().await;
    }
    add(&inbox, 1).await;
    assert!(panic::catch_unwind(|| panic!("panic outside of any actor")).is_err());
    assert_eq!(reported.load(Relaxed), 1);
    add(&inbox, 1).await;
    assert_eq!(lines.take(), Vec::<serde_json::Value>::new());
    universe.finish().await;
}
