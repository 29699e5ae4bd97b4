//! The body of a beat.

use super::{error::DecodeError, reader::Reader};
use crate::{feed::FeedState, market::UnixMicros};

/// How many bytes the body has. A newer version may append to it.
pub(super) const BEAT_BYTES: usize = 9;

/// What a beat says besides its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The owner's wall clock when it sent the beat.
    pub wall: UnixMicros,
    /// How the owner's feed is doing.
    pub feed: FeedState,
}

impl Beat {
    pub(super) fn bytes(&self) -> [u8; BEAT_BYTES] {
        let mut bytes = [0; BEAT_BYTES];
        bytes[..8].copy_from_slice(&self.wall.0.to_le_bytes());
        bytes[8] = match self.feed {
            FeedState::Connecting => 0,
            FeedState::Live => 1,
            FeedState::Mute => 2,
            FeedState::Quiet => 3,
            FeedState::Failed => 4,
        };
        bytes
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let wall = UnixMicros(i64::from_le_bytes(reader.array()?));
        let feed = match reader.byte()? {
            0 => FeedState::Connecting,
            1 => FeedState::Live,
            2 => FeedState::Mute,
            3 => FeedState::Quiet,
            4 => FeedState::Failed,
            _ => return Err(DecodeError::Value),
        };
        Ok(Self { wall, feed })
    }
}
