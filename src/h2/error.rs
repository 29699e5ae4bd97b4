//! Why a stream or a connection ends.

use super::hpack::Malformed;
use std::fmt;

/// An error code of RFC 9113, section 7. A peer may send a code that the RFC does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// A graceful end.
    pub const NO_ERROR: Self = Self(0x0);
    /// A violation of the protocol that has no code of its own.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The peer cannot go on.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// More was sent than a window allows, or a window became too large.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// Settings were not acknowledged in time.
    pub const SETTINGS_TIMEOUT: Self = Self(0x4);
    /// A frame for a stream that its sender has ended.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame of a size that its type or the settings forbid.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// Nothing was done for the request; it may be repeated.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is not needed any longer.
    pub const CANCEL: Self = Self(0x8);
    /// The header compression is out of step.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The connection of a CONNECT request broke.
    pub const CONNECT_ERROR: Self = Self(0xa);
    /// The peer reached a limit that protects the sender.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
    /// TLS does not suffice.
    pub const INADEQUATE_SECURITY: Self = Self(0xc);
    /// HTTP/1.1 must be used.
    pub const HTTP_1_1_REQUIRED: Self = Self(0xd);
}

/// What ended a connection, for the log and as a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The first bytes are not the preface of HTTP/2.
    NotHttp2,
    /// A frame that the protocol forbids here.
    Protocol,
    /// A window was exceeded or overflowed.
    FlowControl,
    /// A frame of a wrong size.
    FrameSize,
    /// A frame for a stream that the client had ended.
    StreamClosed,
    /// A header block that cannot be decoded.
    Compression,
    /// A header block above the limit of encoded bytes.
    HeaderBlock,
    /// A header block above the limit of decoded bytes, or of fields.
    HeaderFields,
    /// Too many CONTINUATION frames in a header block.
    Continuations,
    /// Too many resets by the client, by its mistakes, and refused streams, in sum.
    Resets,
    /// Too many frames that carry nothing: PING, SETTINGS, PRIORITY, unknown and empty frames, in sum; or too many
    /// bytes of TLS without a frame.
    ControlFrames,
    /// Too many WINDOW_UPDATE frames for the DATA frames that were sent.
    WindowUpdates,
    /// The client makes the server reply, and does not read the replies.
    Replies,
    /// The preface, the settings or the rest of a header block did not come in time.
    TimedOut,
}

impl Reason {
    /// The label of metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotHttp2 => "not_http2",
            Self::Protocol => "protocol",
            Self::FlowControl => "flow_control",
            Self::FrameSize => "frame_size",
            Self::StreamClosed => "stream_closed",
            Self::Compression => "compression",
            Self::HeaderBlock => "header_block",
            Self::HeaderFields => "header_fields",
            Self::Continuations => "continuations",
            Self::Resets => "resets",
            Self::ControlFrames => "control_frames",
            Self::WindowUpdates => "window_updates",
            Self::Replies => "replies",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The connection is over. Its GOAWAY is at the end of `out` already: send `out`, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {}", reason.label())]
pub struct ConnectionError {
    /// The code in the GOAWAY frame.
    pub code: ErrorCode,
    /// What happened.
    pub reason: Reason,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(self.0 as usize) {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// The names of the codes, from 0.
const NAMES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

impl ConnectionError {
    /// The peer reached a limit.
    pub(super) fn calm(reason: Reason) -> Self {
        Self { code: ErrorCode::ENHANCE_YOUR_CALM, reason }
    }
}

/// A violation of the protocol, with the reason that belongs to its code.
impl From<ErrorCode> for ConnectionError {
    fn from(code: ErrorCode) -> Self {
        let reason = match code {
            ErrorCode::FLOW_CONTROL_ERROR => Reason::FlowControl,
            ErrorCode::FRAME_SIZE_ERROR => Reason::FrameSize,
            ErrorCode::STREAM_CLOSED => Reason::StreamClosed,
            ErrorCode::COMPRESSION_ERROR => Reason::Compression,
            _ => Reason::Protocol,
        };
        Self { code, reason }
    }
}

/// A mistake in a frame: of its stream, or of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// The stream is reset. If it is not open, the connection ends.
    Stream(ErrorCode),
    /// The connection ends.
    Connection(ConnectionError),
}

impl From<ErrorCode> for Mistake {
    fn from(code: ErrorCode) -> Self {
        Self::Connection(code.into())
    }
}

impl From<ConnectionError> for Mistake {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

/// A header block that cannot be decoded.
impl From<Malformed> for ConnectionError {
    fn from(Malformed: Malformed) -> Self {
        ErrorCode::COMPRESSION_ERROR.into()
    }
}
