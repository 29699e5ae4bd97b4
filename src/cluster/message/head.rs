//! The head of a message.

use super::error::DecodeError;
use crate::{
    cluster::{clock::Boot, token::Token},
    wire::Epoch,
};

/// The length of a head.
pub const HEAD_BYTES: usize = 64;
/// The longest message. The longest that are written are snapshots.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// The most symbols of an owner's table: as many as a cache may have.
pub const TABLE_MAX: u32 = crate::cache::SYMBOLS_MAX as u32;

/// The highest version of messages that this node reads.
pub const READS: u8 = VERSION;
/// The version that this node writes and reads.
pub(super) const VERSION: u8 = 1;
pub(super) const MAGIC: [u8; 2] = *b"tf";
const CRC: std::ops::Range<usize> = 4..8;
const FIRST: u16 = 1;
const LAST: u16 = 2;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Ticks, as they came.
    Batch,
    /// A sign of life, after 250 ms without another message: the head's batch is the last one that was sent. Also the
    /// answer to [`Ask::Beat`](super::Ask::Beat).
    Beat,
    /// The first batches of an epoch: all symbols of the owner, each in a full tick.
    Opening,
    /// A part of the answer to [`Ask::Snapshot`](super::Ask::Snapshot): full ticks. The head's batch is the last one
    /// that was sealed before any of its symbols was read.
    Snapshot,
    /// The end of an answer. The head's count is how many messages came before.
    End,
    /// The answer to an ask whose batches the owner no longer has.
    Gone,
    /// The answer to an ask that came while as many as may be were being answered.
    Busy,
}

impl Kind {
    const ALL: [Self; 7] = [Self::Batch, Self::Beat, Self::Opening, Self::Snapshot, Self::End, Self::Gone, Self::Busy];

    /// What a message says that it is. It may still be a message that cannot be read.
    pub fn of(message: &[u8]) -> Option<Self> {
        Self::ALL.get(usize::from(*message.get(3)?)).copied()
    }

    /// Whether its body is ticks.
    pub fn has_ticks(self) -> bool {
        matches!(self, Self::Batch | Self::Opening | Self::Snapshot)
    }

    /// Whether each of its ticks has to be full.
    pub fn is_full(self) -> bool {
        matches!(self, Self::Opening | Self::Snapshot)
    }
}

/// The head of a message: [`HEAD_BYTES`] bytes, all numbers little-endian.
///
/// | bytes | field |
/// |---|---|
/// | 0–1 | `tf` |
/// | 2 | version |
/// | 3 | kind, in the order of [`Kind`] |
/// | 4–7 | CRC-32 of all other bytes of the message; stays at this place in all versions |
/// | 8–15, 16–23 | term and epoch |
/// | 24–31 | batch |
/// | 32–39 | revision |
/// | 40–47 | base |
/// | 48–55 | sent |
/// | 56–59 | table |
/// | 60–61 | count |
/// | 62–63 | flags: 1 for first, 2 for last |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// What the message is.
    pub kind: Kind,
    /// The token of the shard's owner, who sent it.
    pub token: Token,
    /// The number of the batch, from 1 within an epoch; of other kinds, the batch that [`Kind`] tells.
    pub batch: u64,
    /// The newest revision of the owner's lease.
    pub revision: u64,
    /// What the ticks' `n` are counted from, and, as µs since 1970, their times: `n` is close to those.
    pub base: u64,
    /// When it was sealed, by the owner's clock.
    pub sent: Boot,
    /// How many symbols the owner's table has. The table maps an index to a symbol, and is the owner's own.
    pub table: u32,
    /// How many ticks it has, or, in an [`Kind::End`], how many messages the answer had.
    pub count: u16,
    /// Whether it is the first of an opening or of a snapshot.
    pub is_first: bool,
    /// Whether it is the last of an opening.
    pub is_last: bool,
}

impl Head {
    /// Writes itself into the first bytes of a message whose other bytes are there.
    ///
    /// # Panics
    /// If the message is shorter than a head.
    pub(super) fn write(&self, message: &mut [u8]) {
        let flags = if self.is_first { FIRST } else { 0 } | if self.is_last { LAST } else { 0 };
        let head: &mut [u8; HEAD_BYTES] = message.first_chunk_mut().expect("a message has room for its head");
        head[..2].copy_from_slice(&MAGIC);
        head[2] = VERSION;
        head[3] = self.kind as u8;
        let numbers = [self.token.term, self.token.epoch.bits(), self.batch, self.revision, self.base, self.sent.0];
        for (field, number) in head[8..56].chunks_exact_mut(8).zip(numbers) {
            field.copy_from_slice(&number.to_le_bytes());
        }
        head[56..60].copy_from_slice(&self.table.to_le_bytes());
        head[60..62].copy_from_slice(&self.count.to_le_bytes());
        head[62..].copy_from_slice(&flags.to_le_bytes());
        let crc = checksum(message);
        message[CRC].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads the head of a message, and checks the sum of all of it.
    ///
    /// # Errors
    /// [`DecodeError`]: it is not a message, or not as it was sent.
    pub(super) fn read(message: &[u8]) -> Result<Self, DecodeError> {
        if !message.starts_with(&MAGIC) {
            return Err(DecodeError::Magic);
        }
        let head: &[u8; HEAD_BYTES] = message.first_chunk().ok_or(DecodeError::Length)?;
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DecodeError::Length);
        }
        if head[CRC] != checksum(message).to_le_bytes() {
            return Err(DecodeError::Crc);
        }
        if head[2] != VERSION {
            return Err(DecodeError::Version);
        }
        let number = |at| u64::from_le_bytes(std::array::from_fn(|byte| head[at + byte]));
        let flags = u16::from_le_bytes([head[62], head[63]]);
        let table = u32::from_le_bytes([head[56], head[57], head[58], head[59]]);
        if flags & !(FIRST | LAST) != 0 {
            return Err(DecodeError::Value);
        }
        if table > TABLE_MAX {
            return Err(DecodeError::Index);
        }
        let epoch = Epoch::from_bits(number(16)).ok_or(DecodeError::Value)?;
        let batch = number(24);
        if batch == u64::MAX {
            return Err(DecodeError::Value); // each batch has a next one
        }
        Ok(Self {
            kind: *Kind::ALL.get(usize::from(head[3])).ok_or(DecodeError::Value)?,
            token: Token { term: number(8), epoch },
            batch,
            revision: number(32),
            base: number(40),
            sent: Boot(number(48)),
            table,
            count: u16::from_le_bytes([head[60], head[61]]),
            is_first: flags & FIRST != 0,
            is_last: flags & LAST != 0,
        })
    }
}

/// The CRC-32 of a message without the field that holds it.
fn checksum(message: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&message[..CRC.start]);
    hasher.update(&message[CRC.end..]);
    hasher.finalize()
}
