//! Dictionary transport (RFC 9842, `dcz`): the events of a stream as zstd frames, each for itself, that refer to a
//! dictionary which the client already has.
//!
//! A frame depends on nothing but the dictionary, so it is the same bytes for every stream, as the plain event is. What
//! is not worth compressing, or must not be, is a frame that holds the event as it is ([`stored`]).

pub use super::frame::DICTIONARY_END;
use super::frame::{self, BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES, HEAD, Index, Parts};
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use std::{
    cell::RefCell,
    fmt::Write as _,
    ops::RangeInclusive,
    sync::{Arc, LazyLock},
};
use zstd::{dict::EncoderDictionary, zstd_safe::CCtx};

/// How hard the general compressor looks for matches: of the levels, the last before the time per tick doubles.
/// `docs/decisions/` has the measurements.
const LEVEL: i32 = 12;
/// The sizes that a dictionary may have, in bytes: every browser fetches it, and every process searches in it.
pub const DICTIONARY_BYTES: RangeInclusive<usize> = 256..=(256 << 10);
/// What a dictionary with tables of its own begins with. Browsers take every dictionary as plain content, and would
/// read other events than were written.
const MAGIC_OF_TABLES: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// What a body of `dcz` begins with: a skippable frame of 32 bytes, the hash of the dictionary (RFC 9842, section 5).
const START: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];
/// The dictionary of the build: events of the simulator, chosen by `tickfan train-dictionary`.
static BUILT_IN: LazyLock<Arc<Dictionary>> = LazyLock::new(|| {
    let content = Bytes::from_static(include_bytes!("dictionary.txt"));
    Arc::new(Dictionary::new(content).expect("a test looks at the dictionary of the build"))
});

thread_local! {
    /// The states of both compressors, and the bytes that they write: all are used again.
    static COMPRESSOR: RefCell<Compressor> = RefCell::default();
}

/// What compressing takes besides the dictionary.
struct Compressor {
    parts: Parts,
    general: CCtx<'static>,
    out: Vec<u8>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { parts: Parts::default(), general: CCtx::create(), out: Vec::new() }
    }
}

/// What clients and gateway know in common before a stream begins.
pub struct Dictionary {
    content: Bytes,
    hash: [u8; 32],
    /// For ticks that are like its events, and for others.
    index: Index,
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
        Ok(Self { index: Index::new(&content), content, hash, prepared })
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
        COMPRESSOR.with_borrow_mut(|Compressor { parts, general, out }| {
            out.clear();
            if !frame::write(&self.index, event, parts, out) {
                out.clear();
                out.reserve(zstd::zstd_safe::compress_bound(event.len()));
                general.compress_using_cdict(out, event, self.prepared.as_cdict()).ok()?;
            }
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
    HEAD.len() + bytes.div_ceil(BLOCK_BYTES_MAX).max(1) * BLOCK_HEAD_BYTES + bytes
}

fn write_stored(out: &mut Vec<u8>, event: &[u8]) {
    out.extend_from_slice(&HEAD);
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
        assert_eq!(tick[..4], HEAD[..4]);
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

    /// A tick's frame with other digits in some places, and more or fewer of them.
    fn with_other_digits(event: &str, changes: &[(usize, String)]) -> String {
        let mut event = event.to_owned();
        for (place, digits) in changes {
            let places: Vec<usize> =
                event.match_indices(|byte: char| byte.is_ascii_digit()).map(|(at, _)| at).collect();
            let at = places[place % places.len()];
            event.replace_range(at..=at, digits);
        }
        event
    }

    #[test]
    fn ticks_like_those_of_the_dictionary_need_no_general_compressor() {
        let dictionary = Dictionary::built_in();
        let content = std::str::from_utf8(dictionary.content()).unwrap();
        assert!(content.ends_with("\n\nevent: patch\nid: "), "what begins each event is near");
        let mut events = 0;
        for event in content.split_inclusive("\n\n").filter(|event| event.ends_with('\n')) {
            let tick = with_other_digits(event, &[(1, "77".to_owned()), (17, "8".to_owned()), (29, "2".to_owned())]);
            let frame = dictionary.compress(tick.as_bytes()).unwrap();
            assert_eq!(frame[..6], HEAD, "{tick}");
            assert!(frame.len() < tick.len() / 2, "{} of {}: {tick}", frame.len(), tick.len());
            assert_eq!(read(&[&dictionary.start(b"")[..], &frame].concat(), &dictionary), tick.as_bytes());
            events += 1;
        }
        assert!(events > 30, "{events}");
    }

    #[test]
    fn a_word_is_looked_for_in_more_events_of_its_kind() {
        let tick = |symbol: &str, side: &str| {
            format!(
                "id: 1-1\ndata: {{\"symbol\":\"{symbol}\",\"seq\":7,\"kind\":\"trade\",\"price\":2,\"side\":\"{side}\"}}\n\n"
            )
        };
        let content = [tick("A", "buy"), tick("B", "sell"), tick("C", "buy"), tick("D", "buy")].concat();
        let dictionary = Dictionary::new(content.into()).unwrap();
        for (side, is_known) in [("sell", true), ("none", false)] {
            let event = tick("A", side);
            let frame = dictionary.compress(event.as_bytes()).unwrap();
            assert_eq!(frame[..6] == HEAD, is_known, "{side}");
            assert_eq!(read(&[&dictionary.start(b"")[..], &frame].concat(), &dictionary), event.as_bytes());
        }
    }

    #[test]
    fn runs_of_every_length_decode() {
        let tick = |seq: &str, rest: &str| {
            format!("id: 1-1\ndata: {{\"symbol\":\"A\",\"seq\":{seq},\"kind\":\"{rest}\"}}\n\n")
        };
        let lengths = (1..150).chain([255, 256, 511, 512, 1_000, 1_023, 1_024, 2_047, 2_048, 60_000]);
        for length in lengths {
            let repeated = "x".repeat(length) + "\",\"price\":7,\"pad\":\"" + &"y".repeat(256);
            let dictionary = Dictionary::new(tick("7", &repeated).into()).unwrap();
            let event = tick(&"1234567890".repeat(length.div_ceil(10))[..length], &repeated);
            let frame = dictionary.compress(event.as_bytes()).unwrap();
            assert_eq!(read(&[&dictionary.start(b"")[..], &frame].concat(), &dictionary), event.as_bytes(), "{length}");
            // Two literals are of the first event's start.
            assert_eq!(frame[..6] == HEAD, length <= 1_023, "{length}");
        }
    }

    proptest! {
        #[test]
        fn ticks_with_other_digits_decode(
            ticks in proptest::collection::vec(
                (any::<prop::sample::Index>(), proptest::collection::vec((0_usize..200, "[0-9.a-z\",:}]{0,4}"), 0..12)),
                1..8,
            ),
        ) {
            let dictionary = Dictionary::built_in();
            let content = std::str::from_utf8(dictionary.content()).unwrap();
            let events: Vec<&str> = content.split_inclusive("\n\n").filter(|event| event.ends_with('\n')).collect();
            let (mut body, mut plain) = (dictionary.start(b"").to_vec(), String::new());
            for (index, changes) in &ticks {
                let tick = with_other_digits(events[index.index(events.len())], changes);
                body.extend_from_slice(&dictionary.compress(tick.as_bytes()).unwrap());
                plain += &tick;
            }
            prop_assert_eq!(read(&body, &dictionary), plain.as_bytes());
        }

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
