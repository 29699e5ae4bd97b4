//! The body of a compressed stream (RFC 9842, `dcz`): the hash of the dictionary, then frames of zstd.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};
use std::fmt::Write as _;
use zstd::zstd_safe::{self, DCtx, DDict, get_error_name};

/// A skippable frame of 32 bytes, which hold the hash (RFC 9842, section 5).
const START: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0, 0, 0];
const HASH_BYTES: usize = 32;
/// What a frame may hold, and how many bytes of an incomplete one may wait.
const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// What zstd says of a frame that is not complete, `ZSTD_error_srcSize_wrong`; its errors are negative.
const INCOMPLETE: usize = 72_usize.wrapping_neg();

/// Decodes with one dictionary, for all streams.
pub struct Decoder {
    hash: [u8; HASH_BYTES],
    available: String,
    dictionary: DDict<'static>,
    context: DCtx<'static>,
    plain: Vec<u8>,
}

/// What one stream has read.
#[derive(Debug, Default)]
pub struct Frames {
    has_start: bool,
    /// The start of an incomplete frame.
    partial: Vec<u8>,
}

/// Why bytes are not a compressed stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DczError {
    /// The body does not begin with the hash of the dictionary.
    #[error("the body does not begin with the hash of the dictionary")]
    Start,
    /// A frame is too long.
    #[error("a frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong,
    /// A frame cannot be decoded.
    #[error("a frame cannot be decoded: {0}")]
    Frame(&'static str),
}

impl Decoder {
    /// A decoder for streams that are compressed with this dictionary, which is taken as plain content.
    pub fn new(dictionary: &[u8]) -> Self {
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(digest(&SHA256, dictionary).as_ref());
        Self {
            hash,
            available: format!(":{}:", STANDARD.encode(hash)),
            dictionary: DDict::create(dictionary),
            context: DCtx::create(),
            plain: Vec::with_capacity(FRAME_BYTES_MAX),
        }
    }

    /// The value of `Available-Dictionary`.
    pub fn available(&self) -> &str {
        &self.available
    }

    /// The name by which the gateway serves the dictionary: its hash in hexadecimal digits.
    pub fn name(&self) -> String {
        self.hash.iter().fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// The length of the start of a body, if `bytes` have it.
    fn start(&self, bytes: &[u8]) -> Result<Option<usize>, DczError> {
        let start = [&START[..], &self.hash].concat();
        match bytes.get(..start.len()) {
            Some(begin) if begin == start => Ok(Some(start.len())),
            None if start.starts_with(bytes) => Ok(None),
            _ => Err(DczError::Start),
        }
    }

    /// Decodes the frame at the start of `bytes`; returns its length, or `None` while it is incomplete.
    fn decode(&mut self, bytes: &[u8]) -> Result<Option<usize>, DczError> {
        let length = match zstd_safe::find_frame_compressed_size(bytes) {
            Ok(length) => length,
            Err(INCOMPLETE) if bytes.len() <= FRAME_BYTES_MAX => return Ok(None),
            Err(INCOMPLETE) => return Err(DczError::TooLong),
            Err(error) => return Err(DczError::Frame(get_error_name(error))),
        };
        self.plain.clear();
        let decoded = self.context.decompress_using_ddict(&mut self.plain, &bytes[..length], &self.dictionary);
        decoded.map(|_| Some(length)).map_err(|error| DczError::Frame(get_error_name(error)))
    }
}

impl Frames {
    /// Calls `each` with the content of every frame that is complete with these bytes.
    ///
    /// # Errors
    /// [`DczError`], or that of `each`; the stream cannot go on after either.
    pub fn read<E: From<DczError>>(
        &mut self,
        bytes: &[u8],
        decoder: &mut Decoder,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut partial = std::mem::take(&mut self.partial);
        let unread = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            &partial
        };
        let mut used = 0;
        if !self.has_start
            && let Some(length) = decoder.start(unread)?
        {
            self.has_start = true;
            used = length;
        }
        while self.has_start
            && used < unread.len()
            && let Some(length) = decoder.decode(&unread[used..])?
        {
            used += length;
            each(&decoder.plain)?;
        }
        if partial.is_empty() {
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            partial.drain(..used);
            self.partial = partial;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zstd::bulk::Compressor;

    const DICTIONARY: &[u8] = b"data: {\"symbol\":\"BTC-USDT\",\"seq\":41,\"kind\":\"trade\",\"state\":\"live\"}\n\n";

    fn frame(content: &[u8]) -> Vec<u8> {
        Compressor::with_dictionary(12, DICTIONARY).unwrap().compress(content).unwrap()
    }

    fn body(frames: &[&[u8]]) -> Vec<u8> {
        let frames: Vec<u8> = frames.iter().flat_map(|content| frame(content)).collect();
        [&START[..], digest(&SHA256, DICTIONARY).as_ref(), &frames].concat()
    }

    /// What is read of a body that arrives in pieces of so many bytes.
    fn read(body: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, DczError> {
        let (mut decoder, mut frames, mut contents) = (Decoder::new(DICTIONARY), Frames::default(), Vec::new());
        for piece in body.chunks(piece) {
            frames.read::<DczError>(piece, &mut decoder, |content| {
                contents.push(content.to_vec());
                Ok(())
            })?;
        }
        Ok(contents)
    }

    #[test]
    fn frames_are_read_wherever_the_bytes_are_cut() {
        let contents = [DICTIONARY, b"", b"event: bye\n\n"];
        let body = body(&contents);
        assert!(frame(DICTIONARY).len() * 2 < DICTIONARY.len(), "the dictionary is used");
        for piece in 1..=body.len() {
            assert_eq!(read(&body, piece).unwrap(), contents, "{piece}");
        }
    }

    #[test]
    fn what_is_not_such_a_body_is_an_error() {
        let whole = body(&[DICTIONARY]);
        let changed = |at: usize| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            changed
        };
        for at in [0, 4, 8, 39] {
            assert_eq!(read(&changed(at), 7), Err(DczError::Start), "{at}");
        }
        assert!(matches!(read(&changed(40), 7), Err(DczError::Frame(_))));
        assert_eq!(read(b"retry: 1000\nevent: hello\n", 64), Err(DczError::Start));
        let too_long = body(&[&vec![b'x'; FRAME_BYTES_MAX + 1]]);
        assert!(matches!(read(&too_long, 64), Err(DczError::Frame(_))));
    }

    #[test]
    fn a_dictionary_is_named_by_its_hash() {
        // The SHA-256 of `abc`, FIPS 180-2, appendix B.1.
        let decoder = Decoder::new(b"abc");
        assert_eq!(decoder.name(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(decoder.available(), ":ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:");
    }
}
