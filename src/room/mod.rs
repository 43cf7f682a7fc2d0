//! A topic with membership: who is in, who comes and goes.
//!
//! - [`membership`]: who is in, who is away for a moment, what of it is not told yet (pure); `place` is one of them
//! - [`actor`]: one room; lets members in through its topic, so that nobody misses a message
//! - [`rooms`]: all rooms: the directory, and the parent of the room actors
//! - `presence`: the way to other hub nodes; `sharing` is the directory as they share it, `ledger` what Redis keeps of
//!   it, `word` what nodes tell each other (pure), `peers` how long each is believed (pure)

pub mod actor;
mod ledger;
pub mod membership;
mod owed;
mod peers;
mod place;
mod presence;
pub mod rooms;
mod sharing;
mod word;

pub use actor::{Join, Part, RoomActor};
pub use membership::{Members, Membership, RoomMember, Seated};
pub use rooms::{RoomError, Rooms, RoomsActor};
