//! Frames (RFC 9113, sections 4 and 6): bytes to frames and back. It checks what a frame alone shows: its size, its
//! padding, and whether its type belongs to a stream.

use super::{ErrorCode, error::Mistake};

/// The bytes of a frame before its payload.
pub(super) const HEAD_BYTES: usize = 9;
/// The largest payload, in both directions: the protocol's initial SETTINGS_MAX_FRAME_SIZE, which neither side may
/// lower.
pub(super) const PAYLOAD_MAX: usize = 16_384;
/// The length of a PRIORITY frame, and of the same fields in HEADERS.
const PRIORITY_BYTES: usize = 5;
/// The high bit of a stream number, a dependency or an increment does not belong to it.
const LOW_31_BITS: u32 = 0x7fff_ffff;

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
const PRIORITY: u8 = 0x2;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PUSH_PROMISE: u8 = 0x5;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;
/// RFC 9218.
const PRIORITY_UPDATE: u8 = 0x10;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const HAS_PRIORITY: u8 = 0x20;

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) length: usize,
    kind: u8,
    flags: u8,
    pub(super) stream: u32,
}

impl FrameHead {
    /// Reads it from the first bytes, if there are enough.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let &[l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0, s1, s2, s3]) & LOW_31_BITS,
        })
    }

    /// Whether the frame continues the header block of a stream.
    pub(super) fn continues(self, stream: u32) -> bool {
        self.kind == CONTINUATION && self.stream == stream
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A frame that is well-formed by itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// `flow_bytes`: what it takes from the windows, padding included.
    Data {
        data: &'a [u8],
        flow_bytes: u32,
        end_stream: bool,
    },
    /// The start of a header block.
    Headers {
        fragment: &'a [u8],
        end_stream: bool,
        end_headers: bool,
        depends_on: Option<u32>,
    },
    Continuation {
        fragment: &'a [u8],
        end_headers: bool,
    },
    Priority {
        depends_on: u32,
    },
    Reset(ErrorCode),
    /// Pairs of six bytes.
    Settings(&'a [u8]),
    SettingsAck,
    Ping([u8; 8]),
    PingAck,
    GoAway(ErrorCode),
    WindowUpdate(u32),
    PriorityUpdate,
    Unknown,
}

impl<'a> Frame<'a> {
    /// Reads a whole frame.
    ///
    /// # Errors
    /// The frame alone is a mistake.
    pub(super) fn read(head: FrameHead, payload: &'a [u8]) -> Result<Self, Mistake> {
        let frame = match head.kind {
            DATA => {
                let data = without_padding(head, payload)?;
                Self::Data { data, flow_bytes: head.length as u32, end_stream: head.has(END_STREAM) }
            }
            HEADERS => Self::headers(head, payload)?,
            PRIORITY => match payload.first_chunk::<PRIORITY_BYTES>() {
                Some(&[d0, d1, d2, d3, _]) if payload.len() == PRIORITY_BYTES => {
                    Self::Priority { depends_on: u32::from_be_bytes([d0, d1, d2, d3]) & LOW_31_BITS }
                }
                _ => return Err(on_stream(head, Mistake::Stream(ErrorCode::FRAME_SIZE_ERROR))),
            },
            RST_STREAM => Self::Reset(ErrorCode(number(payload)?)),
            SETTINGS if head.has(ACK) && payload.is_empty() => Self::SettingsAck,
            SETTINGS if !head.has(ACK) && payload.len().is_multiple_of(6) => Self::Settings(payload),
            SETTINGS => return Err(ErrorCode::FRAME_SIZE_ERROR.into()),
            // Only servers push.
            PUSH_PROMISE => return Err(ErrorCode::PROTOCOL_ERROR.into()),
            PING => {
                let opaque = payload.try_into().map_err(|_| Mistake::from(ErrorCode::FRAME_SIZE_ERROR))?;
                if head.has(ACK) { Self::PingAck } else { Self::Ping(opaque) }
            }
            GOAWAY => match payload {
                [_, _, _, _, c0, c1, c2, c3, ..] => Self::GoAway(ErrorCode(u32::from_be_bytes([*c0, *c1, *c2, *c3]))),
                _ => return Err(ErrorCode::FRAME_SIZE_ERROR.into()),
            },
            WINDOW_UPDATE => Self::WindowUpdate(number(payload)? & LOW_31_BITS),
            CONTINUATION => Self::Continuation { fragment: payload, end_headers: head.has(END_HEADERS) },
            PRIORITY_UPDATE => match payload.first_chunk::<4>() {
                Some(stream) if u32::from_be_bytes(*stream) & LOW_31_BITS != 0 => Self::PriorityUpdate,
                Some(_) => return Err(ErrorCode::PROTOCOL_ERROR.into()),
                None => return Err(ErrorCode::FRAME_SIZE_ERROR.into()),
            },
            _ => Self::Unknown,
        };
        if frame.is_misplaced(head.stream) { Err(ErrorCode::PROTOCOL_ERROR.into()) } else { Ok(frame) }
    }

    fn headers(head: FrameHead, payload: &'a [u8]) -> Result<Self, Mistake> {
        let unpadded = without_padding(head, payload)?;
        let (depends_on, fragment) = if head.has(HAS_PRIORITY) {
            let (&[d0, d1, d2, d3, _], rest) =
                unpadded.split_first_chunk::<PRIORITY_BYTES>().ok_or(ErrorCode::FRAME_SIZE_ERROR)?;
            (Some(u32::from_be_bytes([d0, d1, d2, d3]) & LOW_31_BITS), rest)
        } else {
            (None, unpadded)
        };
        Ok(Self::Headers { fragment, end_stream: head.has(END_STREAM), end_headers: head.has(END_HEADERS), depends_on })
    }

    /// Whether it belongs to a stream and names none, or belongs to the connection and names a stream.
    fn is_misplaced(&self, stream: u32) -> bool {
        match self {
            Self::Data { .. } | Self::Headers { .. } | Self::Continuation { .. } | Self::Priority { .. } => stream == 0,
            Self::Reset(_) => stream == 0,
            Self::Settings(_) | Self::SettingsAck | Self::Ping(_) | Self::PingAck | Self::GoAway(_) => stream != 0,
            Self::PriorityUpdate => stream != 0,
            Self::WindowUpdate(_) | Self::Unknown => false,
        }
    }
}

/// A mistake of a stream; on stream 0 it is the connection's.
fn on_stream(head: FrameHead, mistake: Mistake) -> Mistake {
    if head.stream == 0 { ErrorCode::PROTOCOL_ERROR.into() } else { mistake }
}

fn number(payload: &[u8]) -> Result<u32, Mistake> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| ErrorCode::FRAME_SIZE_ERROR.into())
}

fn without_padding(head: FrameHead, payload: &[u8]) -> Result<&[u8], Mistake> {
    if !head.has(PADDED) {
        return Ok(payload);
    }
    let (padding, rest) = payload.split_first().ok_or(ErrorCode::FRAME_SIZE_ERROR)?;
    let length = rest.len().checked_sub(usize::from(*padding)).ok_or(ErrorCode::PROTOCOL_ERROR)?;
    Ok(&rest[..length])
}

/// Appends the head of a frame.
pub(super) fn write_head(length: usize, kind: u8, flags: u8, stream: u32, out: &mut Vec<u8>) {
    let [_, .., l0, l1, l2] = length.to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags, s0, s1, s2, s3]);
}

/// Appends SETTINGS.
pub(super) fn write_settings(settings: &[(u16, u32)], out: &mut Vec<u8>) {
    write_head(settings.len() * 6, SETTINGS, 0, 0, out);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends the acknowledgement of SETTINGS.
pub(super) fn write_settings_ack(out: &mut Vec<u8>) {
    write_head(0, SETTINGS, ACK, 0, out);
}

/// Appends the answer to a PING.
pub(super) fn write_ping_ack(opaque: [u8; 8], out: &mut Vec<u8>) {
    write_head(opaque.len(), PING, ACK, 0, out);
    out.extend_from_slice(&opaque);
}

/// Appends RST_STREAM.
pub(super) fn write_reset(stream: u32, code: ErrorCode, out: &mut Vec<u8>) {
    write_head(4, RST_STREAM, 0, stream, out);
    out.extend_from_slice(&code.0.to_be_bytes());
}

/// Appends WINDOW_UPDATE; stream 0 is the connection.
pub(super) fn write_window_update(stream: u32, increment: u32, out: &mut Vec<u8>) {
    write_head(4, WINDOW_UPDATE, 0, stream, out);
    out.extend_from_slice(&increment.to_be_bytes());
}

/// Appends GOAWAY.
pub(super) fn write_go_away(last: u32, code: ErrorCode, out: &mut Vec<u8>) {
    write_head(8, GOAWAY, 0, 0, out);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
}
