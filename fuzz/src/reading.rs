//! Any bytes, read as frames, recordings, credentials, messages of a cluster and configurations: no reader may panic, go
//! on for ever, or take more memory than its input is worth.

use super::allocations::peak;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use std::{fs, path::Path};
use tickfan::{
    auth::{Claims, Expected, KeyOrigin, KeySet, TokenError, verify},
    cluster::message::{Ask, HEAD_BYTES, Message},
    config,
    market::{Guards, Origin, Snapshot, UnixMicros, Update},
    recording::Merged,
    venue::{self, Batch, Credentials, CredentialsRule, Setup, Spec, Venue},
};

/// The most memory that reading a frame takes besides its updates, for each byte of it.
pub const BYTES_PER_BYTE: usize = 20;
/// And for each frame, however short it is: an answer may be followed by a request for all symbols.
pub const BYTES_PER_FRAME: usize = 16 << 10;
/// What the reader of recordings holds, however large a file is: a line, its frame, and what decompresses it.
pub const BYTES_OF_RECORDING: usize = 64 << 20;
/// The most memory that reading a token or a JWK set takes, for each byte of it: a list of short entries is there twice
/// while it grows.
pub const BYTES_PER_BYTE_OF_CREDENTIALS: usize = 40;
/// The most memory that reading a configuration takes, for each byte of it, and besides.
pub const BYTES_PER_BYTE_OF_CONFIG: usize = 200;
/// The defaults, the list of keys, and the dictionary.
pub const BYTES_OF_CONFIG: usize = 2 << 20;
/// The longest explanation of what is wrong with a configuration.
pub const EXPLANATION_BYTES_MAX: usize = 64 << 10;

/// Reads each line as a frame of one connection of this venue, with two symbols.
///
/// # Panics
/// If the reader breaks its promises.
pub fn frames(venue: &str, bytes: &[u8]) {
    let mut venue = connection(venue::find(venue).expect("a venue"));
    bytes.split(|byte| *byte == b'\n').for_each(|frame| read(&mut *venue, frame));
}

fn connection(spec: &'static Spec) -> Box<dyn Venue> {
    let symbols: Vec<_> = spec
        .examples
        .iter()
        .take(2)
        .map(|symbol| symbol.parse::<tickfan::market::Symbol>().expect("a symbol").into())
        .collect();
    let credentials = Credentials::new("key", "secret");
    let credentials = (!matches!(spec.credentials, CredentialsRule::Public)).then_some(&credentials);
    let mut venue =
        venue::new(spec, &Setup { url: None, symbols: &symbols, credentials, playback: None }).expect("a connection");
    venue.open();
    venue
}

/// Reads a frame to its end, slice by slice.
pub fn read(venue: &mut dyn Venue, frame: &[u8]) {
    let mut batch = Batch::default();
    // Each slice ends in another place of the frame.
    for _ in 0..=frame.len() {
        let (result, bytes) = peak(|| venue.read(frame, &mut batch));
        assert!(batch.updates.len() <= Batch::UPDATES_MAX, "{} updates at a time", batch.updates.len());
        // As it grows, a list is there twice for a moment.
        let updates = batch.updates.capacity() * size_of::<Update>() * 3 / 2;
        let allowed = frame.len() * BYTES_PER_BYTE + BYTES_PER_FRAME + updates;
        assert!(bytes <= allowed, "reading {} bytes took {bytes} bytes, {allowed} are allowed", frame.len());
        batch.updates.clear();
        if result.is_err() || batch.read_on == 0 {
            venue.refused();
            return;
        }
    }
    panic!("the frame is read on for ever");
}

/// Reads a file as a recording.
///
/// # Panics
/// If the reader takes more memory than it may.
pub fn recording(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).expect("a folder for temporary files");
    let ((), taken) = peak(|| Merged::new(vec![file.to_owned()]).for_each(drop));
    assert!(taken <= BYTES_OF_RECORDING, "a recording of {} bytes took {taken} bytes", bytes.len());
}

/// Reads the bytes as a token, as a JWK set, and as header and claims of tokens that are signed.
///
/// # Panics
/// If a reader takes more memory than it may, or an unsigned token passes.
pub fn credentials(bytes: &[u8]) {
    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    let signing = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let keys = KeySet::of_secret(SECRET).expect("a secret that is long enough");
    let signed = |header: &[u8], claims: &[u8]| {
        let signed = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        let tag = hmac::sign(&signing, signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag)).into_bytes()
    };
    assert!(token(bytes, &keys).is_err(), "a token passed without its signature");
    drop(token(&signed(bytes, b"{}"), &keys));
    drop(token(&signed(br#"{"alg":"HS256"}"#, bytes), &keys));
    for origin in [KeyOrigin::File, KeyOrigin::Network] {
        let (_, taken) = peak(|| KeySet::read(bytes, origin));
        assert!(taken <= credentials_may_take(bytes), "{} bytes of keys took {taken} bytes", bytes.len());
    }
}

fn token(token: &[u8], keys: &KeySet) -> Result<Claims, TokenError> {
    let expected = Expected { issuer: "", audience: "tickfan" };
    let (result, taken) = peak(|| verify(token, keys, expected, UnixMicros(0)));
    assert!(taken <= credentials_may_take(token), "a token of {} bytes took {taken} bytes", token.len());
    result
}

fn credentials_may_take(bytes: &[u8]) -> usize {
    bytes.len() * BYTES_PER_BYTE_OF_CREDENTIALS + BYTES_PER_FRAME
}

/// Reads a file as a configuration.
///
/// # Panics
/// If the reader takes more memory than it may, or an error would disturb the terminal that shows it.
pub fn configuration(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).expect("a folder for temporary files");
    let (loaded, taken) = peak(|| config::load(Some(file), [], &config::Overrides::default()));
    let allowed = BYTES_OF_CONFIG + bytes.len() * BYTES_PER_BYTE_OF_CONFIG;
    assert!(taken <= allowed, "a configuration of {} bytes took {taken} bytes", bytes.len());
    if let Err(error) = loaded {
        let said = error.to_string();
        assert!(said.len() <= EXPLANATION_BYTES_MAX, "{} bytes explain what is wrong", said.len());
        let disturbs = |character: char| character.is_control() && character != '\n';
        assert!(!said.contains(disturbs), "{said:?}");
    }
}

/// Reads the bytes as a message of a cluster and as an ask: as they are, and with the checksum that they would have.
///
/// # Panics
/// If reading takes memory, or a message that was checked cannot be read.
pub fn cluster_message(bytes: &[u8]) {
    let _ = Ask::decode(bytes);
    message(bytes);
    if bytes.len() >= HEAD_BYTES {
        let mut checked = bytes.to_vec();
        checked[..3].copy_from_slice(b"tf\x01");
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&checked[..4]);
        hasher.update(&checked[8..]);
        checked[4..8].copy_from_slice(&hasher.finalize().to_le_bytes());
        message(&checked);
    }
}

fn message(bytes: &[u8]) {
    let ((), taken) = peak(|| {
        let Ok(message) = Message::open(bytes) else { return };
        let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
        let mut guards = Guards::default();
        let mut count = 0;
        for tick in message.ticks() {
            tick.merge_into(&mut snapshot, &mut guards);
            count += 1;
        }
        let expected = if message.head.kind.has_ticks() { usize::from(message.head.count) } else { 0 };
        assert_eq!(count, expected, "a tick that was checked cannot be read");
    });
    assert_eq!(taken, 0, "reading a message took {taken} bytes");
}
