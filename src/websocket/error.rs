//! What a peer can do wrong on the wire, and the close code that answers it.

/// A violation of RFC 6455, of RFC 7692 or of a size limit. The connection cannot go on: answer with a close
/// frame of [`CodecError::close_code`] and the error's text as its reason, then end the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// One of the three reserved bits is set although no extension was negotiated.
    #[error("reserved bits set without an extension that allows them")]
    ReservedBits,
    /// Opcodes 3-7 and 11-15 have no meaning.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A client must mask every frame.
    #[error("client frame is not masked")]
    Unmasked,
    /// Ping, pong and close may not be split over frames.
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// Ping, pong and close carry at most 125 bytes.
    #[error("control frame is longer than 125 bytes")]
    LongControl,
    /// The length is written in more bytes than it needs.
    #[error("payload length is not in its shortest form")]
    LengthNotMinimal,
    /// The most significant bit of a 64-bit length is set.
    #[error("payload length has its top bit set")]
    LengthTopBit,
    /// A continuation frame arrived while no message was open.
    #[error("continuation frame without a message")]
    UnexpectedContinuation,
    /// A new text or binary frame arrived before the open message had ended.
    #[error("new message inside a fragmented message")]
    InterruptedMessage,
    /// A close frame's payload has one byte: half a code.
    #[error("close frame with half a code")]
    CloseTooShort,
    /// The close code may not be sent on the wire.
    #[error("invalid close code {0}")]
    CloseCode(u16),
    /// Text, or the reason in a close frame, is not UTF-8.
    #[error("text is not valid UTF-8")]
    Utf8,
    /// A message that says it is compressed is not what RFC 7692 calls so.
    #[error("compressed message that cannot be inflated")]
    Deflate,
    /// The frame declares a longer payload than a frame may have, in bytes.
    #[error("frame of {declared_bytes} bytes, at most {max_bytes}")]
    FrameTooLarge {
        /// The payload length that the header declares.
        declared_bytes: u64,
        /// The limit that it exceeds.
        max_bytes: u64,
    },
    /// The message would grow past the limit with the frame just announced, in bytes.
    #[error("message of at least {declared_bytes} bytes, at most {max_bytes}")]
    MessageTooLarge {
        /// What the message holds already plus what the header declares.
        declared_bytes: u64,
        /// The limit that it exceeds.
        max_bytes: u64,
    },
    /// The message would grow past the limit when it is inflated, in bytes.
    #[error("compressed message of more than {max_bytes} bytes")]
    InflatedTooLarge {
        /// The limit that it exceeds.
        max_bytes: u64,
    },
}

impl CodecError {
    /// The close code that answers this error: 1002 protocol error, 1007 invalid data, 1009 too large.
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::Utf8 | Self::Deflate => 1007,
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } | Self::InflatedTooLarge { .. } => 1009,
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::Unmasked
            | Self::FragmentedControl
            | Self::LongControl
            | Self::LengthNotMinimal
            | Self::LengthTopBit
            | Self::UnexpectedContinuation
            | Self::InterruptedMessage
            | Self::CloseTooShort
            | Self::CloseCode(_) => 1002,
        }
    }

    /// A short, stable word for metrics labels.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved_bits",
            Self::ReservedOpcode(_) => "reserved_opcode",
            Self::Unmasked => "unmasked",
            Self::FragmentedControl => "fragmented_control",
            Self::LongControl => "long_control",
            Self::LengthNotMinimal => "length_not_minimal",
            Self::LengthTopBit => "length_top_bit",
            Self::UnexpectedContinuation => "unexpected_continuation",
            Self::InterruptedMessage => "interrupted_message",
            Self::CloseTooShort => "close_too_short",
            Self::CloseCode(_) => "close_code",
            Self::Utf8 => "utf8",
            Self::FrameTooLarge { .. } => "frame_too_large",
            Self::Deflate => "deflate",
            Self::MessageTooLarge { .. } => "message_too_large",
            Self::InflatedTooLarge { .. } => "inflated_too_large",
        }
    }
}
