//! What a follower asks the owner for.

use super::{
    error::DecodeError,
    head::{MAGIC, VERSION},
    reader::Reader,
};
use crate::wire::Epoch;

/// What a follower asks the owner of a shard for. The answers are messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The state of all symbols: [`Kind::Snapshot`](super::Kind::Snapshot), and an end.
    Snapshot,
    /// Batches that were missed: they come as they were, and an end.
    History {
        /// Their epoch.
        epoch: Epoch,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A beat, at once: it shows which moment of the owner's clock lies between question and answer.
    Beat,
}

impl Ask {
    /// Encodes it: `tf`, the version, the kind, and the numbers of a history, little-endian.
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self {
            Self::Snapshot => 0,
            Self::History { .. } => 1,
            Self::Beat => 2,
        };
        let mut bytes = vec![MAGIC[0], MAGIC[1], VERSION, kind];
        if let Self::History { epoch, from, to } = self {
            [epoch.bits(), *from, *to].into_iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        }
        bytes
    }

    /// Decodes it. Bytes behind it are skipped: a newer version may have appended them.
    ///
    /// # Errors
    /// [`DecodeError`]: it is not an ask, or one that makes no sense.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != MAGIC {
            return Err(DecodeError::Magic);
        }
        if reader.byte()? != VERSION {
            return Err(DecodeError::Version);
        }
        match reader.byte()? {
            0 => Ok(Self::Snapshot),
            1 => {
                let mut number = || reader.array().map(u64::from_le_bytes);
                let (epoch, from, to) = (Epoch::from_bits(number()?), number()?, number()?);
                match epoch {
                    Some(epoch) if from <= to => Ok(Self::History { epoch, from, to }),
                    _ => Err(DecodeError::Value),
                }
            }
            2 => Ok(Self::Beat),
            _ => Err(DecodeError::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ask_is_decoded_as_it_was_encoded_and_nothing_else_is_one() {
        let epoch = Epoch::new(u64::MAX);
        for ask in [Ask::Snapshot, Ask::Beat, Ask::History { epoch, from: 3, to: u64::MAX }] {
            let mut bytes = ask.encode();
            assert_eq!(Ask::decode(&bytes), Ok(ask));
            for cut in 0..bytes.len() {
                assert_eq!(Ask::decode(&bytes[..cut]), Err(DecodeError::Length), "{ask:?} {cut}");
            }
            bytes.push(7);
            assert_eq!(Ask::decode(&bytes), Ok(ask), "of a newer version");
        }
        assert_eq!(Ask::decode(b"tg\x01\x00"), Err(DecodeError::Magic));
        assert_eq!(Ask::decode(b"tf\x02\x00"), Err(DecodeError::Version));
        assert_eq!(Ask::decode(b"tf\x01\x03"), Err(DecodeError::Value));
        assert_eq!(Ask::decode(&Ask::History { epoch, from: 4, to: 3 }.encode()), Err(DecodeError::Value));
    }
}
