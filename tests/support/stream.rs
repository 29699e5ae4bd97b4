//! A client of a stream, over a real socket.

use super::{PATIENCE, connect_narrow, reference::Fields};
use serde_json::value::RawValue;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// No stream of a test lasts as long.
const ALL_PATIENCE: Duration = Duration::from_secs(180);

/// An open stream.
pub struct Stream {
    reader: BufReader<Box<dyn Read + Send>>,
    deadline: Instant,
    /// The last block, for a failure's message.
    last: String,
}

/// A block of a stream.
#[derive(Debug)]
pub enum Event {
    Tick(Tick),
    /// A named event: its name and its data.
    Named(String, serde_json::Value),
}

/// A tick, each field as its JSON text.
#[derive(Debug, Clone)]
pub struct Tick {
    pub id: Option<String>,
    pub fields: Fields,
}

impl Tick {
    /// A field's value as a string; empty if it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |text| text.trim_matches('"'))
    }

    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} is not a number in {:?}", self.fields))
    }
}

impl Stream {
    /// Opens a stream and reads as fast as it can.
    pub fn open(address: SocketAddr, target: &str) -> Self {
        Self::new(TcpStream::connect(address).unwrap(), target, "", None)
    }

    /// Opens a stream with a bearer token.
    pub fn open_as(address: SocketAddr, target: &str, token: &str) -> Self {
        let bearer = format!("authorization: Bearer {token}\r\n");
        Self::new(TcpStream::connect(address).unwrap(), target, &bearer, None)
    }

    /// Opens a stream with a small receive buffer, and reads so many bytes a second.
    pub fn open_slow(address: SocketAddr, target: &str, bytes_per_second: usize) -> Self {
        Self::new(connect_narrow(address), target, "", Some(bytes_per_second))
    }

    fn new(mut socket: TcpStream, target: &str, headers: &str, bytes_per_second: Option<usize>) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes()).unwrap();
        let reader: Box<dyn Read + Send> = match bytes_per_second {
            None => Box::new(socket),
            Some(bytes_per_second) => Box::new(Slow { socket, bytes_per_second, next: Instant::now() }),
        };
        let deadline = Instant::now() + ALL_PATIENCE;
        let mut stream = Self { reader: BufReader::new(reader), deadline, last: String::new() };
        let head = stream.block().unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-type: text/event-stream\r\n"), "{head}");
        stream
    }

    /// The next block; `None` at the stream's end. Skips heartbeats, the first of which comes at a random moment.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block()?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            let data = field("data").unwrap_or_else(|| panic!("no data in {block:?}"));
            match field("event") {
                Some("heartbeat") => {}
                Some(name) => return Some(Event::Named(name.to_owned(), serde_json::from_str(data).unwrap())),
                None => return Some(Event::Tick(Tick { id: field("id").map(str::to_owned), fields: fields(data) })),
            }
        }
    }

    /// The next event, which must be a tick.
    pub fn tick(&mut self) -> Tick {
        match self.next() {
            Some(Event::Tick(tick)) => tick,
            other => panic!("{other:?} in place of a tick, after {:?}", self.last),
        }
    }

    /// The data of the next event, which must have this name.
    pub fn named(&mut self, wanted: &str) -> serde_json::Value {
        match self.next() {
            Some(Event::Named(name, data)) if name == wanted => data,
            other => panic!("{other:?} in place of {wanted}, after {:?}", self.last),
        }
    }

    /// Reads up to an empty line.
    fn block(&mut self) -> Option<String> {
        let mut block = String::new();
        while !block.ends_with("\n\n") && !block.ends_with("\r\n\r\n") {
            assert!(Instant::now() < self.deadline, "it goes on after {ALL_PATIENCE:?}, with {:?}", self.last);
            match self.reader.read_line(&mut block) {
                Ok(0) => {
                    assert_eq!(block, "", "the stream ended within a block");
                    return None;
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    panic!("nothing comes for {PATIENCE:?}, after {:?} and {block:?}", self.last)
                }
                Err(error) => panic!("{error}, after {:?} and {block:?}", self.last),
            }
        }
        self.last.clone_from(&block);
        Some(block)
    }
}

/// The fields of a JSON object, each as its text.
pub fn fields(object: &str) -> Fields {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(object).unwrap();
    fields.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
}

/// A reader that takes its time.
struct Slow {
    socket: TcpStream,
    bytes_per_second: usize,
    /// When it reads on.
    next: Instant,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        let most = (self.bytes_per_second / 50).min(buffer.len());
        let bytes = self.socket.read(&mut buffer[..most])?;
        self.next = Instant::now() + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        Ok(bytes)
    }
}
