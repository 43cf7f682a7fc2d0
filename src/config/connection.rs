//! How one client is treated: sizes, heartbeat, deadlines, rates.

use serde::{Deserialize, Serialize};

use super::{ConfigError, in_range};

/// Sockets, outboxes, heartbeat.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionSection {
    /// Longest data frame from a client; longer closes with 1009.
    pub frame_bytes_max: usize,
    /// What may wait for one client; more closes with 4008.
    pub outbox_bytes_max: usize,
    /// Compress frames for clients that offer permessage-deflate.
    pub deflate: bool,
    /// Shortest payload that is compressed.
    pub deflate_bytes_min: u32,
    /// Pings, pongs, closes waiting for one client; more closes with 4008.
    pub control_bytes_max: usize,
    /// What may wait from one client before its socket is no longer read.
    pub inbound_bytes_max: usize,
    /// Time between pings.
    pub ping_interval_ms: u64,
    /// How long a pong may take before 4010.
    pub pong_grace_ms: u64,
    /// How long a frame may wait for the socket before 4008.
    pub write_deadline_ms: u64,
    /// How long the other side may take to answer a close frame.
    pub close_grace_ms: u64,
    /// How long before its end a token is called expiring.
    pub token_warning_ms: u64,
    /// Bad frames in a row before 4400.
    pub bad_frames_max: u32,
    /// Topics one connection may have.
    pub topics_max: usize,
    /// Rooms one connection may be in.
    pub rooms_max: usize,
    /// Connections the hub takes.
    pub connections_max: usize,
    /// Sessions remembered after their connection is gone.
    pub sessions_max: usize,
    /// How long such a session is remembered.
    pub session_ttl_ms: u64,
    /// New connections of one address a second; 0 is unlimited.
    pub connects_per_s: u32,
    /// Data frames of one connection a second; 0 is unlimited.
    pub frames_per_s: u32,
}

impl Default for ConnectionSection {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 * 1024,
            outbox_bytes_max: 1024 * 1024,
            deflate: true,
            deflate_bytes_min: 256,
            control_bytes_max: 64 * 1024,
            inbound_bytes_max: 256 * 1024,
            ping_interval_ms: 25_000,
            pong_grace_ms: 8_000,
            write_deadline_ms: 10_000,
            close_grace_ms: 2_000,
            token_warning_ms: 60_000,
            bad_frames_max: 100,
            topics_max: 256,
            rooms_max: 64,
            connections_max: 100_000,
            sessions_max: 200_000,
            session_ttl_ms: 300_000,
            connects_per_s: 200,
            frames_per_s: 2_000,
        }
    }
}

impl ConnectionSection {
    /// Checks ranges.
    pub fn check(&self) -> Result<(), ConfigError> {
        in_range("connection.frame_bytes_max", self.frame_bytes_max, 1024, 64 << 20)?;
        in_range("connection.outbox_bytes_max", self.outbox_bytes_max, 16 * 1024, 1 << 30)?;
        in_range("connection.deflate_bytes_min", self.deflate_bytes_min, 0, 1 << 20)?;
        in_range("connection.control_bytes_max", self.control_bytes_max, 1024, 1 << 20)?;
        in_range("connection.inbound_bytes_max", self.inbound_bytes_max, 1024, 64 << 20)?;
        in_range("connection.ping_interval_ms", self.ping_interval_ms, 100, 3_600_000)?;
        in_range("connection.pong_grace_ms", self.pong_grace_ms, 50, self.ping_interval_ms)?;
        in_range("connection.write_deadline_ms", self.write_deadline_ms, 100, 3_600_000)?;
        in_range("connection.close_grace_ms", self.close_grace_ms, 10, 60_000)?;
        in_range("connection.bad_frames_max", self.bad_frames_max, 1, 1_000_000)?;
        in_range("connection.topics_max", self.topics_max, 1, 100_000)?;
        in_range("connection.rooms_max", self.rooms_max, 1, 10_000)?;
        in_range("connection.connections_max", self.connections_max, 1, 10_000_000)?;
        in_range("connection.session_ttl_ms", self.session_ttl_ms, 0, 86_400_000)
    }
}
