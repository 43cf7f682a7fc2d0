//! The panic hook: a panic inside an actor is told once, by its supervisor, with kind, instance, phase,
//! message and location. All other panics keep the default report.

use std::panic;
use std::sync::Once;

use super::current;

/// Installs the hook for the whole process. A second call changes nothing.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let default = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !current::capture(info) {
                default(info);
            }
        }));
    });
}
