//! The supervision tree with real actors, real panics and a paused clock.

mod faults;
mod footprint;
mod giving_up;
mod inboxes;
mod naming;
mod probe;
mod recovery;
mod stopping;
mod threads;
