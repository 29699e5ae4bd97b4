//! `tickfan train-dictionary`: makes a dictionary of what a running gateway sends.

mod choose;
mod source;
#[cfg(test)]
mod tests;

use crate::{
    config::parse_address,
    wire::{DICTIONARY_BYTES, Dictionary, DictionaryError},
};
use choose::choose;
use clap::Args;
pub use source::ReadError;
use source::Source;
use std::{
    fs::{self, File},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// So many events of each form are compared with each other: some seconds of computing.
const EVENTS: usize = 1_200;
/// The fewest events of each form to learn from.
const EVENTS_MIN: usize = 100;

/// The arguments of `tickfan train-dictionary`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TrainDictionary {
    /// Write the dictionary to this file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The address for clients of the running gateway
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    from: SocketAddr,
    /// How long to read its ticks
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// The size of the dictionary, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 10, value_parser = size)]
    bytes: usize,
    /// A file with the token to read with, where clients sign on
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Why a dictionary cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrainDictionaryError {
    /// The gateway does not send its ticks.
    #[error("cannot read {address}{path}: {source}\n   = {}", source.help())]
    Gateway {
        /// Where it should listen.
        address: SocketAddr,
        /// What was asked for.
        path: &'static str,
        /// What went wrong.
        source: ReadError,
    },
    /// There is too little to learn from.
    #[error(
        "the gateway sent {ticks} ticks and {patches} patches: a dictionary takes {EVENTS_MIN} of each\n   = raise --seconds, or wait until its feeds are live"
    )]
    TooFew {
        /// How many whole ticks it sent.
        ticks: usize,
        /// How many patches.
        patches: usize,
    },
    /// What was chosen cannot be a dictionary.
    #[error("the ticks that fit make no dictionary: {0}\n   = raise --bytes")]
    Unusable(#[from] DictionaryError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The ticks cannot be compared.
    #[error(transparent)]
    Memory(#[from] io::Error),
}

impl TrainDictionary {
    /// Reads the gateway's ticks, and writes the dictionary; returns what to say of it.
    ///
    /// # Errors
    /// [`TrainDictionaryError`].
    pub fn run(&self) -> Result<String, TrainDictionaryError> {
        let at_file = |path: &PathBuf| {
            let path = path.clone();
            move |source| TrainDictionaryError::File { path, source }
        };
        let token = self.token_file.as_ref().map(|path| fs::read_to_string(path).map_err(at_file(path))).transpose()?;
        let source = Source { address: self.from, token: token.as_deref().map(str::trim) };
        let failed = |path| move |source| TrainDictionaryError::Gateway { address: self.from, path, source };
        let symbols = source.symbols().map_err(failed("/v1/symbols"))?;
        let names = symbols.join(",");
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let events = |query: &str| source.events(&format!("/v1/stream?symbols={names}{query}"), until);
        let (whole, patches) = thread::scope(|scope| {
            let patches = scope.spawn(|| events("&patch=1"));
            (events(""), patches.join().unwrap_or_else(|_| Err(io::Error::other("the reader has panicked").into())))
        });
        let whole = whole.map_err(failed("/v1/stream"))?;
        let mut patches = patches.map_err(failed("/v1/stream"))?;
        patches.retain(|event| event.starts_with(b"event: patch\n"));
        if whole.len().min(patches.len()) < EVENTS_MIN {
            return Err(TrainDictionaryError::TooFew { ticks: whole.len(), patches: patches.len() });
        }
        let content = choose(&mixed(&whole, &patches), self.bytes);
        // The gateway must start with it.
        let dictionary = Dictionary::new(content.into())?;
        write(&self.out, dictionary.content()).map_err(at_file(&self.out))?;
        let (file, bytes) = (self.out.display(), dictionary.content().len());
        let (ticks, patches, symbols) = (whole.len(), patches.len(), symbols.len());
        Ok(format!(
            "{file}: {bytes} bytes, of {ticks} ticks and {patches} patches of {symbols} symbols\n\
             name it by `dictionary` under [server], and restart\n"
        ))
    }
}

/// Writes a file beside the place that it has from then on: what was there stays as it is until all is written.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_file(&beside);
    }
    moved
}

/// At most so many of each form, spread over the time.
fn mixed(whole: &[Vec<u8>], patches: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let spread = |events: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let count = events.len().min(EVENTS);
        (0..count).map(|place| events[place * events.len() / count].clone()).collect()
    };
    spread(whole).into_iter().chain(spread(patches)).collect()
}

fn size(text: &str) -> Result<usize, String> {
    let bytes: usize = text.parse().map_err(|_| "a number of bytes, such as 32768".to_owned())?;
    let takes = || format!("{} to {} bytes", DICTIONARY_BYTES.start(), DICTIONARY_BYTES.end());
    if DICTIONARY_BYTES.contains(&bytes) { Ok(bytes) } else { Err(takes()) }
}
