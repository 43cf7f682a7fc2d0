//! *The* table of what can go wrong: error codes of frames and HTTP problems, and WebSocket close codes.
//!
//! Every error enum of a domain maps to a [`Code`]; HTTP and WebSocket each read the row from here.

use serde::Serialize;

/// One row of the table.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Row {
    /// The name on the wire (`error.payload.code`, `problem.code`).
    pub name: &'static str,
    /// Status of the HTTP answer.
    pub http_status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Short title of the HTTP problem.
    pub title: &'static str,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $retryable:literal, $title:literal;)*) => {
        /// An error code. The row behind it says name, HTTP status and whether to retry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant),* }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The row of this code.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row { name: $name, http_status: $status, retryable: $retryable, title: $title }),*
                }
            }
        }
    };
}

codes! {
    /// The text is not JSON.
    InvalidJson = "invalid_json", 400, false, "Not valid JSON";
    /// The bytes are not MessagePack, or not what JSON can say.
    InvalidMsgpack = "invalid_msgpack", 400, false, "Not valid MessagePack";
    /// The frame type is not one of the protocol.
    UnknownType = "unknown_type", 400, false, "Unknown frame type";
    /// A field that the type needs is not there.
    MissingField = "missing_field", 400, false, "Missing field";
    /// A field is there but its value is not allowed.
    InvalidField = "invalid_field", 400, false, "Invalid field";
    /// A name breaks the rules of its kind.
    InvalidName = "invalid_name", 400, false, "Invalid name";
    /// A text frame on a binary sub-protocol, or a binary one on a text sub-protocol.
    UnsupportedEncoding = "unsupported_encoding", 400, false, "Unsupported encoding";
    /// No token, or one that cannot be trusted.
    Unauthorized = "unauthorized", 401, false, "Authentication required";
    /// The token was good once.
    TokenExpired = "token_expired", 401, false, "Token expired";
    /// The token was taken back.
    TokenRevoked = "token_revoked", 401, false, "Token revoked";
    /// User name and password do not match.
    BadCredentials = "bad_credentials", 401, false, "Wrong user name or password";
    /// The role or the token does not allow it.
    Forbidden = "forbidden", 403, false, "Not allowed";
    /// The hub was started without its Reliability Lab.
    LabDisabled = "lab_disabled", 403, false, "The Reliability Lab is off";
    /// The page's origin is not on the allow-list.
    OriginRefused = "origin_refused", 403, false, "Origin not allowed";
    /// What the path names does not exist.
    NotFound = "not_found", 404, false, "Not found";
    /// The path exists, not for this method.
    MethodNotAllowed = "method_not_allowed", 405, false, "Method not allowed";
    /// The state changed in between, or the name is taken.
    Conflict = "conflict", 409, false, "Conflict";
    /// One load test at a time, and there is one.
    RunInProgress = "run_in_progress", 409, false, "A run is under way";
    /// The body is larger than allowed.
    TooLarge = "too_large", 413, false, "Too large";
    /// This path speaks WebSocket only.
    UpgradeRequired = "upgrade_required", 426, false, "WebSocket upgrade required";
    /// The client is not in the room it speaks to.
    NotInRoom = "not_in_room", 409, false, "Not a member of the room";
    /// A queue of a client or person that has no session.
    NoSession = "no_session", 404, false, "No session";
    /// One connection wants more topics than it may have.
    TooManyTopics = "too_many_topics", 429, false, "Too many topics";
    /// One connection wants more rooms than it may have.
    TooManyRooms = "too_many_rooms", 429, false, "Too many rooms";
    /// A rate limit of the client.
    RateLimited = "rate_limited", 429, true, "Too many requests";
    /// A queue of the hub is full.
    Overloaded = "overloaded", 503, true, "Overloaded";
    /// A subsystem failed too often and is given a rest, or an operator switched it off.
    BreakerOpen = "breaker_open", 503, true, "Degraded";
    /// The hub is stopping.
    Draining = "draining", 503, true, "The hub is restarting";
    /// Another hub node owns what the request concerns, or nobody does at the moment.
    NoOwner = "no_owner", 503, true, "Another hub node owns it";
    /// Durable state cannot be reached.
    StoreUnavailable = "store_unavailable", 503, true, "The store cannot be reached";
    /// What handled the request failed; the request may or may not have taken effect.
    Internal = "internal", 500, true, "Internal error";
}

macro_rules! closes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $reconnect:literal;)*) => {
        /// Why the hub closes a socket.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Close { $($(#[$doc])* $variant),* }

        impl Close {
            /// All, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The number in the close frame.
            pub const fn code(self) -> u16 {
                match self { $(Self::$variant => $code),* }
            }

            /// The reason in the close frame, and the label of the metric.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Whether the client should come back by itself.
            pub const fn reconnect(self) -> bool {
                match self { $(Self::$variant => $reconnect),* }
            }
        }
    };
}

closes! {
    /// The client closed, or an operator disconnected it.
    Normal = 1000, "normal", true;
    /// The hub goes away.
    GoingAway = 1001, "going away", true;
    /// A broken WebSocket frame.
    Protocol = 1002, "protocol error", true;
    /// Text that is not UTF-8.
    InvalidText = 1007, "invalid text", true;
    /// A frame over the limit.
    TooLarge = 1009, "too large", true;
    /// The hub restarts.
    Restart = 1012, "restart", true;
    /// A newer connection has the client id.
    Replaced = 4001, "replaced", false;
    /// The token no longer allows this connection.
    Forbidden = 4003, "forbidden", false;
    /// The outbox is full, or a frame could not be written in time.
    Slow = 4008, "slow", true;
    /// The token ran out and was not refreshed.
    TokenExpired = 4009, "token expired", true;
    /// No pong within the limit.
    NoPong = 4010, "no pong", true;
    /// Too many requests.
    TooManyRequests = 4029, "too many requests", true;
    /// Bad frames in a row.
    BadFrames = 4400, "protocol error", false;
    /// A failure of the hub's own.
    Internal = 4500, "internal error", true;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let names: HashSet<_> = Code::ALL.iter().map(|c| c.row().name).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|c| (400..600).contains(&c.row().http_status)));
        let numbers: HashSet<_> = Close::ALL.iter().map(|c| c.code()).collect();
        assert_eq!(numbers.len(), Close::ALL.len());
    }

    #[test]
    fn what_can_be_retried_is_the_hubs_or_the_rate_limits_fault() {
        for code in Code::ALL {
            let row = code.row();
            assert!(!row.retryable || row.http_status >= 500 || row.http_status == 429, "{}", row.name);
        }
    }
}
