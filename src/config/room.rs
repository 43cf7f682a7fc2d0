//! Who is in a room, and how that is told.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Who is in a room, and how that is told.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoomSection {
    /// Longest `info` of a member, in bytes of JSON.
    pub info_bytes_max: usize,
    /// Members in one answer; further ones are only counted.
    pub members_shown_max: usize,
    /// Above so many members, who comes and goes is told together.
    pub diff_above_members: usize,
    /// Time between two of such diffs.
    pub diff_interval_ms: u64,
    /// How long a client whose connection was lost stays a member, so that a reconnect is no coming and going.
    pub grace_ms: u64,
    /// With several hub nodes: how long members of a node that is not heard are believed to be in.
    pub presence_ttl_ms: u64,
}

impl Default for RoomSection {
    fn default() -> Self {
        Self {
            info_bytes_max: 512,
            members_shown_max: 200,
            diff_above_members: 200,
            diff_interval_ms: 1_000,
            grace_ms: 2_000,
            presence_ttl_ms: 60_000,
        }
    }
}

impl RoomSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("room.info_bytes_max", self.info_bytes_max, 2, 16 * 1024)?;
        in_range("room.members_shown_max", self.members_shown_max, 1, 10_000)?;
        in_range("room.diff_above_members", self.diff_above_members, 0, 1_000_000)?;
        in_range("room.diff_interval_ms", self.diff_interval_ms, 50, 60_000)?;
        in_range("room.grace_ms", self.grace_ms, 0, 300_000)?;
        in_range("room.presence_ttl_ms", self.presence_ttl_ms, 2_000, 600_000)
    }
}
