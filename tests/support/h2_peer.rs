//! The client's side of an HTTP/2 connection, without manners: it sends what a test wants, and keeps all that came.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    mem,
};

pub const DATA: u8 = 0x0;
pub const HEADERS: u8 = 0x1;
pub const PRIORITY: u8 = 0x2;
pub const RST_STREAM: u8 = 0x3;
pub const SETTINGS: u8 = 0x4;
pub const PING: u8 = 0x6;
pub const GOAWAY: u8 = 0x7;
pub const WINDOW_UPDATE: u8 = 0x8;
pub const CONTINUATION: u8 = 0x9;

pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const INITIAL_WINDOW_SIZE: u16 = 0x4;

/// A client's side.
#[derive(Debug, Default)]
pub struct H2Peer {
    /// What is to be sent.
    pub out: Vec<u8>,
    /// What came and is not a whole frame yet.
    input: Vec<u8>,
    /// The streams that anything came for, by number.
    pub streams: BTreeMap<u32, PeerStream>,
    /// The last stream and the code of each GOAWAY.
    pub go_aways: Vec<(u32, u32)>,
    /// How many SETTINGS and PINGs were acknowledged.
    pub acknowledged: usize,
    /// The numbers of the frames that came, by type.
    pub frames: BTreeMap<u8, usize>,
    /// The streams that are not read: no WINDOW_UPDATE gives back what they sent.
    pub unread: Vec<u32>,
    next_stream: u32,
}

/// What came on a stream.
#[derive(Debug, Default)]
pub struct PeerStream {
    /// The header block of the answer.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Bytes of the body that no WINDOW_UPDATE gave back yet.
    pub unread: usize,
    pub has_ended: bool,
    /// The code of its reset.
    pub reset: Option<u32>,
}

impl PeerStream {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The status and all fields, which are literals, one a line.
    pub fn head_text(&self) -> String {
        self.head.iter().map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { ' ' }).collect()
    }
}

impl H2Peer {
    /// A client that has sent its preface, with these settings.
    pub fn new(settings: &[(u16, u32)]) -> Self {
        let mut peer = Self { out: PREFACE.to_vec(), next_stream: 1, ..Self::default() };
        peer.settings(settings);
        peer
    }

    /// Sends what it has to send over a connection, and reads once.
    pub fn exchange(&mut self, connection: &mut (impl Read + Write)) {
        connection.write_all(&mem::take(&mut self.out)).unwrap();
        connection.flush().unwrap();
        let mut buffer = [0; 16 * 1024];
        let bytes = connection.read(&mut buffer).unwrap();
        assert!(bytes > 0, "the connection ended: {self:?}");
        self.receive(&buffer[..bytes]);
    }

    /// Does so until something is true.
    pub fn until(&mut self, connection: &mut (impl Read + Write), is_true: impl Fn(&Self) -> bool) {
        while !is_true(self) {
            self.exchange(connection);
        }
    }

    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.out.extend_from_slice(&[kind, flags]);
        self.out.extend_from_slice(&stream.to_be_bytes());
        self.out.extend_from_slice(payload);
    }

    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes())).collect();
        self.frame(SETTINGS, 0, 0, &payload);
    }

    /// Asks with GET; returns the stream's number.
    pub fn get(&mut self, path: &str) -> u32 {
        self.ask("GET", path, &[], true)
    }

    /// Asks; returns the stream's number.
    pub fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)], end: bool) -> u32 {
        self.ask_as(&pseudo(method, path), fields, end)
    }

    /// Asks with any pseudo-header fields; returns the stream's number.
    pub fn ask_as(&mut self, pseudo: &[(&str, &str)], fields: &[(&str, &str)], end: bool) -> u32 {
        let block = block(pseudo.iter().chain(fields));
        let stream = self.next_stream();
        self.frame(HEADERS, END_HEADERS | if end { END_STREAM } else { 0 }, stream, &block);
        stream
    }

    /// A number that no stream has had.
    pub fn next_stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    /// Lets a stream, or with 0 the connection, send more.
    pub fn window_update(&mut self, stream: u32, bytes: u32) {
        self.frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// Gives back what a stream has sent, to it and to the connection.
    pub fn read(&mut self, id: u32) {
        let stream = self.streams.get_mut(&id).unwrap();
        let unread = std::mem::take(&mut stream.unread) as u32;
        if unread > 0 {
            if !stream.has_ended && stream.reset.is_none() {
                self.window_update(id, unread);
            }
            self.window_update(0, unread);
        }
    }

    pub fn reset(&mut self, stream: u32, code: u32) {
        self.frame(RST_STREAM, 0, stream, &code.to_be_bytes());
    }

    /// Takes what the server sent, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(&[a, b, c, kind, flags, ref id @ ..]) = self.input.first_chunk::<9>() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            let stream = u32::from_be_bytes(*id);
            if self.input.len() < 9 + length {
                return;
            }
            let payload = self.input[9..9 + length].to_vec();
            self.input.drain(..9 + length);
            self.take(kind, flags, stream, payload);
        }
    }

    fn take(&mut self, kind: u8, flags: u8, id: u32, payload: Vec<u8>) {
        *self.frames.entry(kind).or_default() += 1;
        let word = |place: usize| u32::from_be_bytes(payload[place..place + 4].try_into().unwrap());
        match kind {
            SETTINGS | PING if flags & ACK != 0 => self.acknowledged += 1,
            SETTINGS => self.frame(SETTINGS, ACK, 0, &[]),
            PING => self.frame(PING, ACK, 0, &payload),
            GOAWAY => self.go_aways.push((word(0), word(4))),
            RST_STREAM => {
                let stream = self.streams.entry(id).or_default();
                stream.reset = Some(word(0));
                // As a browser does: its page will not read these bytes.
                let unread = std::mem::take(&mut stream.unread) as u32;
                if unread > 0 {
                    self.window_update(0, unread);
                }
            }
            HEADERS | DATA => {
                let stream = self.streams.entry(id).or_default();
                assert!(!stream.has_ended && stream.reset.is_none(), "nothing follows the end of stream {id}");
                stream.has_ended = flags & END_STREAM != 0;
                if kind == HEADERS {
                    assert!(stream.head.is_empty() && flags & END_HEADERS != 0);
                    stream.head = payload;
                } else {
                    assert!(!stream.head.is_empty(), "a head comes before the body");
                    assert!(payload.len() <= 16_384);
                    stream.unread += payload.len();
                    stream.body.extend_from_slice(&payload);
                    if !self.unread.contains(&id) {
                        self.read(id);
                    }
                }
            }
            WINDOW_UPDATE => {}
            _ => panic!("a server sends no frame of type {kind}"),
        }
    }
}

fn pseudo<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
}

/// The header block of a request.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    block(pseudo(method, path).iter())
}

/// A header block of literals.
pub fn block<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "a length of one byte");
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}
