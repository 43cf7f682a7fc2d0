//! Which actor runs on this thread, and what it last panicked about.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Arc;

use super::child::Core;

/// Longest reason that is kept of a panic message, in bytes.
const REASON_BYTES_MAX: usize = 512;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Core>>> = const { RefCell::new(None) };
    static CAPTURED: RefCell<Option<Captured>> = const { RefCell::new(None) };
    static UNWOUND_A_MESSAGE: Cell<bool> = const { Cell::new(false) };
}

/// What the panic hook sees; the payload that reaches the supervisor has no location.
struct Captured {
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
}

/// One panic of an actor.
pub(super) struct Crash {
    pub(super) reason: String,
    pub(super) location: Option<String>,
    pub(super) backtrace: Option<String>,
    /// A message of the actor's own inbox was dropped by the unwind: it was being handled.
    pub(super) in_handler: bool,
}

impl Crash {
    /// A failure that is no panic.
    pub(super) fn told(reason: &str) -> Self {
        Self { reason: shortened(reason), location: None, backtrace: None, in_handler: false }
    }
}

/// Runs `act` as the actor `core`: a panic in it is returned, named after the actor in the log.
///
/// Unwind safety: a crashed actor is dropped or rebuilt before anything looks at it again.
pub(super) fn guarded<R>(core: &Arc<Core>, act: impl FnOnce() -> R) -> Result<R, Crash> {
    let before = CURRENT.replace(Some(core.clone()));
    let result = catch_unwind(AssertUnwindSafe(act));
    CURRENT.set(before);
    let captured = CAPTURED.take();
    let in_handler = UNWOUND_A_MESSAGE.take();
    match result {
        Ok(value) => {
            if let Some(captured) = captured {
                log("actor caught a panic of its own", core, &captured);
            }
            Ok(value)
        }
        Err(payload) => {
            let reason = reason_of(&*payload);
            // A payload may panic when it is dropped; that is no news.
            catch_unwind(AssertUnwindSafe(|| drop(payload))).ok();
            let (location, backtrace) = captured.map_or((None, None), |c| (c.location, c.backtrace));
            Err(Crash { reason, location, backtrace, in_handler })
        }
    }
}

fn reason_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    shortened(text.unwrap_or("panic without a message"))
}

fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(REASON_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

/// The panic hook's part: true when an actor runs on this thread. Its supervisor then logs the panic once,
/// with the phase; only a second panic during the unwind, which aborts the process, is logged from here.
pub(super) fn capture(info: &PanicHookInfo<'_>) -> bool {
    let core = CURRENT.try_with(|current| current.try_borrow().ok()?.clone()).ok().flatten();
    let Some(core) = core else { return false };
    let backtrace = Backtrace::capture();
    let captured = Captured {
        message: shortened(info.payload_as_str().unwrap_or("panic without a message")),
        location: info.location().map(ToString::to_string),
        backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string()),
    };
    let earlier = CAPTURED.try_with(|slot| slot.try_borrow_mut().ok()?.take()).ok().flatten();
    match earlier {
        Some(earlier) => {
            log("actor panicked", &core, &earlier);
            log("actor panicked again", &core, &captured);
        }
        None => CAPTURED.try_with(|slot| slot.replace(Some(captured))).map_or((), drop),
    }
    true
}

fn log(what: &'static str, core: &Core, captured: &Captured) {
    tracing::error!(
        kind = core.kind().spec.kind,
        instance = &**core.instance(),
        reason = captured.message,
        location = captured.location,
        backtrace = captured.backtrace,
        "{what}"
    );
}

/// A message of `core` is dropped while its thread unwinds.
pub(super) fn note_unwound_message(core: &Arc<Core>) {
    let own = CURRENT
        .try_with(|current| {
            current.try_borrow().is_ok_and(|c| c.as_ref().is_some_and(|c| Arc::ptr_eq(c, core)))
        })
        .unwrap_or(false);
    if own {
        UNWOUND_A_MESSAGE.try_with(|flag| flag.set(true)).ok();
    }
}

/// The actor that runs on this thread.
pub(super) fn core() -> Option<Arc<Core>> {
    CURRENT.with_borrow(Clone::clone)
}
