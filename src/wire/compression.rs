//! Dictionary transport (RFC 9842, `dcz`): the events of a stream as zstd frames, each for itself, that refer to a
//! dictionary which the client already has.
//!
//! A frame depends on nothing but the dictionary, so it is the same bytes for every stream, as the plain event is. What
//! is not worth compressing, or must not be, is a frame that holds the event as it is ([`stored`]).

use bytes::Bytes;
use ring::digest::{SHA256, digest};
use std::{
    cell::RefCell,
    fmt::Write as _,
    ops::RangeInclusive,
    sync::{Arc, LazyLock},
};
use zstd::{dict::EncoderDictionary, zstd_safe::CCtx};

/// How hard it looks for matches: of the levels, the last before the time per tick doubles. `docs/decisions/` has the
/// measurements.
const LEVEL: i32 = 12;
/// The sizes that a dictionary may have, in bytes: every browser fetches it, and every process searches in it.
pub const DICTIONARY_BYTES: RangeInclusive<usize> = 256..=(256 << 10);
/// What a dictionary with tables of its own begins with. Browsers take every dictionary as plain content, and would
/// read other events than were written.
const MAGIC_OF_TABLES: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// What a body of `dcz` begins with: a skippable frame of 32 bytes, the hash of the dictionary (RFC 9842, section 5).
const START: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];
/// The head of a zstd frame (RFC 8878): its magic, no checksum, no size and no dictionary's id, a window of 128 KiB.
const FRAME: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, (17 - 10) << 3];
/// The longest block of such a frame.
const BLOCK_BYTES_MAX: usize = 128 << 10;
const BLOCK_HEAD_BYTES: usize = 3;

/// The dictionary of the build: events of the simulator, chosen by `tickfan train-dictionary`.
static BUILT_IN: LazyLock<Arc<Dictionary>> = LazyLock::new(|| {
    let content = Bytes::from_static(include_bytes!("dictionary.txt"));
    Arc::new(Dictionary::new(content).expect("a test looks at the dictionary of the build"))
});

thread_local! {
    /// The state of a compression, and the bytes that it writes: both are used again.
    static COMPRESSOR: RefCell<(CCtx<'static>, Vec<u8>)> = RefCell::new((CCtx::create(), Vec::new()));
}

/// What clients and gateway know in common before a stream begins.
pub struct Dictionary {
    content: Bytes,
    hash: [u8; 32],
    prepared: EncoderDictionary<'static>,
}

/// Why a file cannot be a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// It is too short or too long.
    #[error("a dictionary has {} to {} bytes, and this file has {bytes}", DICTIONARY_BYTES.start(), DICTIONARY_BYTES.end())]
    Size {
        /// How long it is.
        bytes: usize,
    },
    /// It has tables of its own.
    #[error(
        "it is a dictionary of `zstd --train`, which browsers cannot use; make one with `tickfan train-dictionary`"
    )]
    HasTables,
}

impl Dictionary {
    /// Prepares a dictionary.
    ///
    /// # Errors
    /// [`DictionaryError`]: the content cannot be one.
    pub fn new(content: Bytes) -> Result<Self, DictionaryError> {
        if !DICTIONARY_BYTES.contains(&content.len()) {
            return Err(DictionaryError::Size { bytes: content.len() });
        }
        if content.starts_with(&MAGIC_OF_TABLES) {
            return Err(DictionaryError::HasTables);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &content).as_ref());
        let prepared = EncoderDictionary::copy(&content, LEVEL);
        Ok(Self { content, hash, prepared })
    }

    /// The dictionary of the build.
    pub fn built_in() -> Arc<Self> {
        BUILT_IN.clone()
    }

    /// Its bytes.
    pub fn content(&self) -> &Bytes {
        &self.content
    }

    /// The SHA-256 of its bytes, by which clients say that they have it.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The hash in hexadecimal digits.
    pub fn name(&self) -> String {
        self.hash.iter().fold(String::with_capacity(64), |mut name, byte| {
            write!(name, "{byte:02x}").expect("a string takes all that is written");
            name
        })
    }

    /// The start of a body, with its first event as it is.
    pub fn start(&self, event: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(START.len() + self.hash.len() + stored_len(event.len()));
        out.extend_from_slice(&START);
        out.extend_from_slice(&self.hash);
        write_stored(&mut out, event);
        out.into()
    }

    /// Compresses an event; `None` for want of memory. Nothing in it may be both secret and beside text that a client
    /// chose: the length would tell how much the two have in common.
    pub fn compress(&self, event: &[u8]) -> Option<Bytes> {
        COMPRESSOR.with_borrow_mut(|(context, out)| {
            out.clear();
            out.reserve(zstd::zstd_safe::compress_bound(event.len()));
            context.compress_using_cdict(out, event, self.prepared.as_cdict()).ok()?;
            Some(Bytes::copy_from_slice(out))
        })
    }
}

impl std::fmt::Debug for Dictionary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Dictionary").field("hash", &self.name()).field("bytes", &self.content.len()).finish()
    }
}

/// An event as a frame that holds it as it is.
pub fn stored(event: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(stored_len(event.len()));
    write_stored(&mut out, event);
    out.into()
}

fn stored_len(bytes: usize) -> usize {
    FRAME.len() + bytes.div_ceil(BLOCK_BYTES_MAX).max(1) * BLOCK_HEAD_BYTES + bytes
}

fn write_stored(out: &mut Vec<u8>, event: &[u8]) {
    out.extend_from_slice(&FRAME);
    let mut left = event;
    loop {
        let (block, rest) = left.split_at(left.len().min(BLOCK_BYTES_MAX));
        // The lowest bit marks the last block; the type of one that is stored is 0.
        let head = (block.len() as u32) << 3 | u32::from(rest.is_empty());
        out.extend_from_slice(&head.to_le_bytes()[..BLOCK_HEAD_BYTES]);
        out.extend_from_slice(block);
        left = rest;
        if left.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read as _;

    /// What a client makes of a body.
    fn read(body: &[u8], dictionary: &Dictionary) -> Vec<u8> {
        let start = [&START[..], dictionary.hash()].concat();
        let frames = body.strip_prefix(&start[..]).unwrap();
        let mut plain = Vec::new();
        let mut decoder = zstd::stream::read::Decoder::with_dictionary(frames, dictionary.content()).unwrap();
        decoder.read_to_end(&mut plain).unwrap();
        plain
    }

    const TICK: &str = "id: 7prmxcikf3-81723\ndata: {\"symbol\":\"AAPL\",\"seq\":411,\"kind\":\"quote\",\"state\":\"live\",\
                        \"origin\":\"sim\",\"recv\":1732283045124001,\"price\":182.34,\"size\":100,\"side\":\"buy\"}\n\n";

    #[test]
    fn a_body_is_the_hash_and_frames_that_decode_to_its_events() {
        let dictionary = Dictionary::built_in();
        let tick = dictionary.compress(TICK.as_bytes()).unwrap();
        assert!(tick.len() * 2 < TICK.len(), "{} of {}", tick.len(), TICK.len());
        assert_eq!(tick[..4], FRAME[..4]);
        assert_eq!(tick[4] & 0b111, 0, "neither a checksum nor the id of a dictionary");
        let [none, bye] = [&b""[..], b"bye\n\n"].map(stored);
        let body = [&dictionary.start(b"hello\n\n")[..], &tick, &none, &bye, &tick].concat();
        assert_eq!(read(&body, &dictionary), ["hello\n\n", TICK, "bye\n\n", TICK].concat().as_bytes());
        let name = dictionary.name();
        assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }

    #[test]
    fn rule_10_a_dictionary_has_a_size_and_no_tables() {
        for (bytes, is_one) in [(0, false), (255, false), (256, true), (256 << 10, true), ((256 << 10) + 1, false)] {
            let made = Dictionary::new(vec![b'x'; bytes].into()).map(|dictionary| dictionary.content().len());
            assert_eq!(made, if is_one { Ok(bytes) } else { Err(DictionaryError::Size { bytes }) });
        }
        let with_tables = [&MAGIC_OF_TABLES[..], &[b'x'; 300]].concat();
        assert_eq!(Dictionary::new(with_tables.into()).err(), Some(DictionaryError::HasTables));
    }

    proptest! {
        #[test]
        fn what_is_compressed_or_stored_decodes_to_what_it_was(
            events in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..600), any::<bool>()), 0..8),
            long in (BLOCK_BYTES_MAX - 2)..(2 * BLOCK_BYTES_MAX + 2),
        ) {
            let dictionary = Dictionary::built_in();
            let long = vec![b'x'; long];
            let mut body = dictionary.start(&long).to_vec();
            let mut plain = long;
            for (event, compresses) in &events {
                plain.extend_from_slice(event);
                body.extend_from_slice(&if *compresses { dictionary.compress(event).unwrap() } else { stored(event) });
            }
            prop_assert_eq!(read(&body, &dictionary), plain);
        }
    }
}
