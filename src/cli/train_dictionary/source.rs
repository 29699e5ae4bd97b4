//! The running gateway whose ticks are read.

use serde_json::Value;
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Take, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// The most symbols that are read: as many as a stream may have by default.
const SYMBOLS_MAX: usize = 500;
/// The most bytes of their names: the head of a request has 16 KiB by default.
const NAMES_BYTES_MAX: usize = 8 << 10;
/// The most bytes of each stream that are read, and of each other answer.
const READ_BYTES_MAX: u64 = 256 << 20;
/// How long the gateway may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A gateway, and what it is asked with.
pub(super) struct Source<'a> {
    pub(super) address: SocketAddr,
    pub(super) token: Option<&'a str>,
}

/// Why a gateway's ticks cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not answer as a gateway does.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It refuses.
    #[error("the answer was {status}: {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// What it says of it.
        detail: String,
    },
    /// It ended a stream.
    #[error("the gateway ended a stream: {0}")]
    Ended(String),
}

impl ReadError {
    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        match self {
            Self::Io(_) => "name the address for clients of a running gateway by --from",
            Self::Refused { status: 401, .. } => "give a token by --token-file",
            Self::Refused { .. } => "change what it names, or give another token by --token-file",
            Self::Ended(_) => {
                "two streams are read at once, of up to 500 symbols each: the limits of the gateway and of the token must allow that to the end"
            }
        }
    }
}

impl Source<'_> {
    /// Names of symbols, as many as one request asks for.
    pub(super) fn symbols(&self) -> Result<Vec<String>, ReadError> {
        let mut body = String::new();
        let until = Instant::now() + ANSWER_TIMEOUT;
        self.ask(&format!("/v1/symbols?limit={SYMBOLS_MAX}"), until)?.read_to_string(&mut body)?;
        let body: Value = serde_json::from_str(&body).map_err(io::Error::from)?;
        let symbols = body["symbols"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names = symbols.iter().filter_map(|symbol| symbol["symbol"].as_str()).map(str::to_owned);
        let mut bytes = 0;
        let names: Vec<String> = names
            .take_while(|name| {
                bytes += name.len() + 1;
                bytes <= NAMES_BYTES_MAX
            })
            .collect();
        if names.is_empty() {
            return Err(io::Error::other("it lists no symbols").into());
        }
        Ok(names)
    }

    /// The ticks that a stream brings until a moment.
    ///
    /// # Errors
    /// [`ReadError`], also where the stream ends before: what came until then may be of one symbol alone.
    pub(super) fn events(&self, path: &str, until: Instant) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut stream = self.ask(path, until)?;
        let mut events = Vec::new();
        let mut event = Vec::new();
        while Instant::now() < until {
            let before = event.len();
            match stream.read_until(b'\n', &mut event) {
                // So much is enough.
                Ok(_) if stream.get_ref().limit() == 0 => break,
                Ok(0) => return Err(ReadError::Ended("it said nothing of why".to_owned())),
                Ok(_) if event[before..] == *b"\n" => {
                    let event = std::mem::take(&mut event);
                    if let Some(reason) = goodbye(&event) {
                        return Err(ReadError::Ended(reason));
                    }
                    if event.starts_with(b"id: ") || event.starts_with(b"event: patch\n") {
                        events.push(event);
                    }
                }
                Ok(_) => {}
                // Nothing came until then.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(events)
    }

    /// Asks the gateway; returns the body of its answer, which ends with the connection.
    fn ask(&self, path: &str, until: Instant) -> Result<BufReader<Take<TcpStream>>, ReadError> {
        let mut socket = TcpStream::connect_timeout(&self.address, ANSWER_TIMEOUT)?;
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let left = until.saturating_duration_since(Instant::now());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let token = self.token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        // HTTP/1.0: no body comes in chunks.
        write!(socket, "GET {path} HTTP/1.0\r\nhost: {}\r\n{token}\r\n", self.address)?;
        let mut answer = BufReader::new(socket.take(READ_BYTES_MAX));
        let mut line = String::new();
        answer.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other(format!("the answer was {:?}", line.trim_end())))?;
        while line.trim_end() != "" {
            line.clear();
            if answer.read_line(&mut line)? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        if status == 200 {
            return Ok(answer);
        }
        let document: Value = serde_json::from_reader(answer).unwrap_or_default();
        let detail = document["detail"].as_str().unwrap_or("it does not say why").to_owned();
        Err(ReadError::Refused { status, detail })
    }
}

/// The reason of a goodbye.
fn goodbye(event: &[u8]) -> Option<String> {
    let event = std::str::from_utf8(event).ok()?;
    // A `retry` may stand before it.
    event.lines().any(|line| line == "event: bye").then(|| {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "));
        let data: Value = data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        data["reason"].as_str().unwrap_or("it said nothing of why").to_owned()
    })
}
