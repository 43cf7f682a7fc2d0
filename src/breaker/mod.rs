//! Circuit breakers: a subsystem that fails is given a rest, and what would have gone to it meanwhile is refused,
//! queued or spilled as *the* table says.
//!
//! - [`table`]: the subsystems, and what happens while each is open
//! - [`state`]: closed, open, half-open (pure)
//! - [`window`]: calls and failures within a sliding window (pure)
//! - [`handle`]: the breakers of a hub, shared
//!
//! Whoever calls a subsystem asks first and tells how it went; nothing here knows what is called.

pub mod handle;
pub mod state;
pub mod table;
pub mod window;

pub use handle::{Breakers, Call, Change, Refused, View};
pub use state::State;
pub use table::{Subsystem, WhileOpen};
