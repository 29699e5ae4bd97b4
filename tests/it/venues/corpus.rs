//! The corpus of the fuzz targets, read on each run of the tests, with what the targets check.

#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../fuzz/src/allocations.rs"]
pub(crate) mod allocations;
#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../fuzz/src/reading.rs"]
mod reading;
#[allow(missing_docs, unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../../fuzz/src/requests.rs"]
mod requests;

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};
use tickfan::{
    cluster::message,
    market::{FeedSymbol, Reason},
    venue::{Batch, Change, DecodeError, ListedSymbol, Message, Request, Rules, VENUES, Venue},
};

/// Its frames are those of other venues, which have targets.
const PLAYER: &str = "replay";
/// The targets that read recordings, tokens and their keys, and messages of a cluster, beside one for each venue.
const RECORDING: &str = "recording";
const CREDENTIALS: &str = "credentials";
const CLUSTER_MESSAGE: &str = "cluster_message";
/// Those that read configurations and the requests of clients.
const CONFIG: &str = "config";
const REQUEST: &str = "request";
const OTHERS: [&str; 5] = [RECORDING, CREDENTIALS, CLUSTER_MESSAGE, CONFIG, REQUEST];

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The frames, or files, of a target.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn rule_9_no_frame_of_the_corpus_stops_a_reader_or_takes_more_memory_than_it_may() {
    for spec in VENUES.iter().filter(|spec| spec.name != PLAYER) {
        let files = corpus(spec.name);
        assert!(files.len() >= 24, "{} has {} files", spec.name, files.len());
        for (path, bytes) in files {
            let read = catch_unwind(|| reading::frames(spec.name, &bytes));
            assert!(read.is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn rule_10_no_file_of_the_corpus_takes_more_memory_than_a_recording_may() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus-of-recordings");
    for (path, bytes) in corpus(RECORDING) {
        let read = catch_unwind(|| reading::recording(&file, &bytes));
        assert!(read.is_ok(), "{}", path.display());
    }
}

#[test]
fn rule_10_no_credentials_of_the_corpus_take_more_memory_than_they_may() {
    for (path, bytes) in corpus(CREDENTIALS) {
        let read = catch_unwind(|| reading::credentials(&bytes));
        assert!(read.is_ok(), "{}", path.display());
    }
    // The costliest for their length: distinct short members, and a list of short entries.
    let members: Vec<String> = (0..9_999).map(|name| format!("\"{name:x}\":0")).collect();
    for bytes in [format!("{{{}}}", members[..700].join(",")), format!("{{\"keys\":[0{}]}}", ",0".repeat(32_000))] {
        reading::credentials(bytes.as_bytes());
    }
}

#[test]
fn rule_9_no_message_of_the_corpus_panics_or_takes_memory() {
    let files = corpus(CLUSTER_MESSAGE);
    let mut read = 0;
    for (path, bytes) in files {
        let passes = catch_unwind(|| reading::cluster_message(&bytes));
        assert!(passes.is_ok(), "{}", path.display());
        read += usize::from(message::Message::open(&bytes).is_ok_and(|opened| opened.ticks().count() > 0));
    }
    assert!(read >= 3, "{read} files have ticks");
}

/// The broken files of the tests of configurations are a corpus too.
#[test]
fn rule_10_no_configuration_of_the_corpus_takes_more_memory_than_it_may_or_disturbs_a_terminal() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus-of-configurations.toml");
    let broken = fs::read_dir(fuzz().join("../tests/fixtures/config")).unwrap().map(|entry| entry.unwrap().path());
    let broken = broken.map(|path| (path.clone(), fs::read(path).unwrap()));
    let mut files = 0;
    for (path, bytes) in corpus(CONFIG).into_iter().chain(broken) {
        let read = catch_unwind(|| reading::configuration(&file, &bytes));
        assert!(read.is_ok(), "{}", path.display());
        files += 1;
    }
    assert!(files >= 200, "{files} files");
}

#[test]
fn rule_9_no_request_of_the_corpus_stops_the_server_or_takes_more_memory_than_it_may() {
    let requests = requests::Requests::start();
    let files = corpus(REQUEST);
    assert!(files.len() >= 40, "{} files", files.len());
    for (path, bytes) in files {
        let read = catch_unwind(AssertUnwindSafe(|| requests.read(&bytes)));
        assert!(read.is_ok(), "{}", path.display());
    }
}

#[test]
fn each_venue_has_a_fuzz_target() {
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let binaries = manifest["bin"].as_array().unwrap();
    let declared: BTreeSet<_> = binaries.iter().map(|binary| binary["name"].as_str().unwrap()).collect();
    for target in VENUES.iter().map(|spec| spec.name).filter(|name| *name != PLAYER).chain(OTHERS) {
        assert!(declared.contains(target), "fuzz/Cargo.toml declares no target {target}");
        let code = fs::read_to_string(fuzz().join("targets").join(format!("{target}.rs"))).unwrap();
        assert!(OTHERS.contains(&target) || code.contains(&format!("\"{target}\"")), "{code}");
    }
}

/// A reader that takes this much memory for each byte of a frame, or reads on for ever.
struct Broken {
    bytes_per_byte: usize,
    reads_on: bool,
}

impl Venue for Broken {
    fn change(&mut self, _: &[(FeedSymbol, ListedSymbol)], _: &[FeedSymbol]) -> Change {
        Change::Reconnect
    }

    fn url(&self) -> &str {
        ""
    }

    fn rules(&self) -> Rules {
        Rules::default()
    }

    fn open(&mut self) -> Vec<Request> {
        Vec::new()
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        drop(std::hint::black_box(vec![0_u8; frame.len() * self.bytes_per_byte]));
        batch.read_on = usize::from(self.reads_on);
        Ok(Message::Data)
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        Vec::new()
    }
}

#[test]
fn the_check_finds_a_reader_that_takes_too_much_memory_and_one_that_never_ends() {
    let frame = vec![b'x'; 100_000];
    let passes = |bytes_per_byte, reads_on| {
        let mut venue = Broken { bytes_per_byte, reads_on };
        catch_unwind(AssertUnwindSafe(|| reading::read(&mut venue, &frame[..if reads_on { 100 } else { 100_000 }])))
            .is_ok()
    };
    assert!(passes(reading::BYTES_PER_BYTE, false));
    assert!(!passes(reading::BYTES_PER_BYTE + 1, false));
    assert!(!passes(0, true));
}
