//! `tickfan train-dictionary`: makes a dictionary of what a running gateway sends.

mod choose;

use crate::{config::parse_address, wire::DICTIONARY_BYTES};
use choose::choose;
use clap::Args;
use serde_json::Value;
use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// The most symbols that are read: as many as a stream may have by default.
const SYMBOLS_MAX: usize = 500;
/// The most bytes of each stream that are kept, and of the list of symbols.
const READ_BYTES_MAX: u64 = 256 << 20;
/// So many events of each form are compared with each other: a minute of computing at most.
const EVENTS: usize = 600;
/// How long the gateway may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

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
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10, value_parser = size)]
    bytes: usize,
    /// A file with the token to read with, where clients sign on
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Why a dictionary cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TrainDictionaryError {
    /// The gateway does not answer as one.
    #[error("cannot read {address}{path}: {source}\n   = name the address for clients of a running gateway by --from")]
    Gateway {
        /// Where it should listen.
        address: SocketAddr,
        /// What was asked for.
        path: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// There is too little to learn from.
    #[error(
        "the gateway sent {0} ticks: a dictionary takes some hundreds\n   = raise --seconds, or wait until its feeds are live"
    )]
    TooFew(usize),
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

/// The fewest events to learn from.
const EVENTS_MIN: usize = 100;

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
        let token = token.as_deref().map(str::trim);
        let failed = |path| move |source| TrainDictionaryError::Gateway { address: self.from, path, source };
        let symbols = self.symbols(token).map_err(failed("/v1/symbols"))?;
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let events = |query: &str| self.events(&format!("/v1/stream?symbols={symbols}{query}"), token, until);
        let (whole, patches) = thread::scope(|scope| {
            let patches = scope.spawn(|| events("&patch=1"));
            (events(""), patches.join().unwrap_or_else(|_| Err(io::Error::other("the reader has panicked"))))
        });
        let whole = whole.map_err(failed("/v1/stream"))?;
        let mut patches = patches.map_err(failed("/v1/stream"))?;
        patches.retain(|event| event.starts_with(b"event: patch\n"));
        if whole.len() < EVENTS_MIN {
            return Err(TrainDictionaryError::TooFew(whole.len()));
        }
        let content = choose(&mixed(&whole, &patches), self.bytes)?;
        fs::write(&self.out, &content).map_err(at_file(&self.out))?;
        let (file, bytes, read) = (self.out.display(), content.len(), whole.len());
        Ok(format!("{file}: {bytes} bytes, of {read} ticks\nname it by `dictionary` under [server], and restart\n"))
    }

    /// Names of symbols, as a list.
    fn symbols(&self, token: Option<&str>) -> io::Result<String> {
        let mut body = String::new();
        let until = Instant::now() + ANSWER_TIMEOUT;
        let mut answer = self.ask(&format!("/v1/symbols?limit={SYMBOLS_MAX}"), token, until)?;
        answer.read_to_string(&mut body)?;
        let body: Value = serde_json::from_str(&body)?;
        let symbols = body["symbols"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = symbols.iter().filter_map(|symbol| symbol["symbol"].as_str()).collect();
        if names.is_empty() {
            return Err(io::Error::other("it lists no symbols"));
        }
        Ok(names.join(","))
    }

    /// The ticks that a stream brings until a moment.
    fn events(&self, path: &str, token: Option<&str>, until: Instant) -> io::Result<Vec<Vec<u8>>> {
        let mut stream = self.ask(path, token, until)?;
        let mut events = Vec::new();
        let mut event = Vec::new();
        while Instant::now() < until {
            let before = event.len();
            match stream.read_until(b'\n', &mut event) {
                Ok(0) => break,
                Ok(_) if event[before..] == *b"\n" => {
                    let is_tick = event.starts_with(b"id: ") || event.starts_with(b"event: patch\n");
                    let event = std::mem::take(&mut event);
                    if is_tick {
                        events.push(event);
                    }
                }
                Ok(_) => {}
                // Nothing came until then.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(events)
    }

    /// Asks the gateway; returns the body of its answer, which ends with the connection.
    fn ask(&self, path: &str, token: Option<&str>, until: Instant) -> io::Result<impl io::BufRead + use<>> {
        let mut socket = TcpStream::connect_timeout(&self.from, ANSWER_TIMEOUT)?;
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let left = until.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        // HTTP/1.0: no body comes in chunks.
        write!(socket, "GET {path} HTTP/1.0\r\nhost: {}\r\n{token}\r\n", self.from)?;
        let mut answer = BufReader::new(socket.take(READ_BYTES_MAX));
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let status = line.trim_end().to_owned();
        while line.trim_end() != "" {
            line.clear();
            if answer.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        match status.split(' ').nth(1) {
            Some("200") => Ok(answer),
            _ => Err(io::Error::other(format!("the answer was {status:?}"))),
        }
    }
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
    let bytes: usize = text.parse().map_err(|_| "a number of bytes, such as 16384".to_owned())?;
    let takes = || format!("{} to {} bytes", DICTIONARY_BYTES.start(), DICTIONARY_BYTES.end());
    if DICTIONARY_BYTES.contains(&bytes) { Ok(bytes) } else { Err(takes()) }
}
