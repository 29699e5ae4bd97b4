//! Why a stream or a connection ends.

use std::fmt;

/// An error code of RFC 9113, section 7. A peer may send a code that the RFC does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// A graceful end.
    pub const NO_ERROR: Self = Self(0x0);
    /// A violation of the protocol that has no code of its own.
    pub const PROTOCOL_ERROR: Self = Self(0x1);
    /// The server cannot go on.
    pub const INTERNAL_ERROR: Self = Self(0x2);
    /// The peer sent more than a window allows, or made a window too large.
    pub const FLOW_CONTROL_ERROR: Self = Self(0x3);
    /// A frame for a stream that the peer has ended.
    pub const STREAM_CLOSED: Self = Self(0x5);
    /// A frame of a size that its type or the settings forbid.
    pub const FRAME_SIZE_ERROR: Self = Self(0x6);
    /// The server did nothing for the request; the client may repeat it.
    pub const REFUSED_STREAM: Self = Self(0x7);
    /// The stream is not needed any longer.
    pub const CANCEL: Self = Self(0x8);
    /// The header compression is out of step.
    pub const COMPRESSION_ERROR: Self = Self(0x9);
    /// The peer reached a limit that protects the server.
    pub const ENHANCE_YOUR_CALM: Self = Self(0xb);
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
    /// Too many frames that carry nothing: PING, SETTINGS, PRIORITY, unknown and empty frames, in sum.
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
            Self::NotHttp2 => "not-http2",
            Self::Protocol => "protocol",
            Self::FlowControl => "flow-control",
            Self::FrameSize => "frame-size",
            Self::StreamClosed => "stream-closed",
            Self::Compression => "compression",
            Self::HeaderBlock => "header-block",
            Self::HeaderFields => "header-fields",
            Self::Continuations => "continuations",
            Self::Resets => "resets",
            Self::ControlFrames => "control-frames",
            Self::WindowUpdates => "window-updates",
            Self::Replies => "replies",
            Self::TimedOut => "timed-out",
        }
    }
}

/// The connection is over. Its GOAWAY is at the end of `out` already: send `out`, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} ({code})", reason.label())]
pub struct ConnectionError {
    /// The code in the GOAWAY frame.
    pub code: ErrorCode,
    /// What happened.
    pub reason: Reason,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP/2 error {:#x}", self.0)
    }
}
