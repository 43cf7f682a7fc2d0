//! A topic with membership: who is in, who comes and goes.
//!
//! - [`membership`]: who is in, who is away for a moment, what of it is not told yet (pure)
//! - [`actor`]: one room; lets members in through its topic, so that nobody misses a message
//! - [`rooms`]: all rooms: the directory, and the parent of the room actors

pub mod actor;
pub mod membership;
mod owed;
pub mod rooms;

pub use actor::{Join, Part, RoomActor};
pub use membership::{Members, Membership, RoomMember, Seated};
pub use rooms::{RoomError, Rooms, RoomsActor};
