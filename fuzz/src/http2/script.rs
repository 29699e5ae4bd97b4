//! Any bytes, read as what a client does: mostly frames that are nearly right, so that they get past the first checks.

use std::fmt;

/// A part of a session.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// The client sends bytes.
    Send(Vec<u8>),
    /// The server answers a request.
    Answer { stream: u32, end: bool },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(bytes) => {
                write!(f, "{}", bytes.iter().take(200).map(|byte| format!("{byte:02x}")).collect::<String>())
            }
            Self::Answer { stream, end } => write!(f, "answer {stream}, end: {end}"),
        }
    }
}

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const STEPS_MAX: usize = 64;

/// Names and values that heads are made of.
const NAMES: [&str; 24] = [
    ":method",
    ":scheme",
    ":path",
    ":authority",
    ":status",
    ":protocol",
    ":x",
    "host",
    "cookie",
    "content-length",
    "te",
    "connection",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "expect",
    "accept",
    "x",
    "X",
    "x y",
    "",
    "content-type",
    "last-event-id",
];
const VALUES: [&str; 24] = [
    "GET",
    "POST",
    "OPTIONS",
    "CONNECT",
    "https",
    "http",
    "/",
    "/v1/stream?symbols=A",
    "*",
    "localhost",
    "example.com:1",
    "a@b",
    "0",
    "4",
    "5",
    "4, 4",
    "trailers",
    "close",
    "",
    " x",
    "x ",
    "a\r\nb",
    "100-continue",
    "\u{e9}",
];

/// Reads numbers from the bytes; behind their end all are 0.
struct Source<'a>(&'a [u8]);

impl Source<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *byte
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

/// The steps that the bytes describe.
pub fn script(bytes: &[u8]) -> Vec<Step> {
    let mut source = Source(bytes);
    let mut start = PREFACE.to_vec();
    match source.below(8) {
        0 => start.extend(frame(0x4, 0, 0, &settings(&mut source))),
        1 => start = source.take(40),
        _ => start.extend(frame(0x4, 0, 0, &[])),
    }
    let mut steps = vec![Step::Send(start)];
    let mut newest = 1;
    while !source.0.is_empty() && steps.len() < STEPS_MAX {
        steps.push(step(&mut source, &mut newest));
    }
    steps
}

fn step(source: &mut Source<'_>, newest: &mut u32) -> Step {
    let kind = source.below(20);
    let stream = stream(source, kind, newest);
    let bytes = match kind {
        // A request that is right.
        0 | 1 => frame(0x1, 0x5, stream, &request("GET")),
        // And one with a body.
        2 => frame(0x1, 0x4, stream, &request("POST")),
        3 | 4 => {
            let flags = source.byte() & 0x2d;
            let mut block = if !source.byte().is_multiple_of(4) { request("POST") } else { Vec::new() };
            block.extend(fields(source));
            frame(0x1, flags, stream, &decorated(flags, &block, source))
        }
        5 | 6 => {
            let flags = source.byte() & 0x9;
            let length = [0, 1, 4, 5, 100, 4_096, 16_384, 16_385][source.below(8)];
            frame(0x0, flags, stream, &decorated(flags, &vec![b'x'; length], source))
        }
        7 => frame(0x3, 0, stream, &[0, 0, 0, source.byte()]),
        8 => frame(0x4, 0, 0, &settings(source)),
        9 => frame(0x4, 1, 0, &[]),
        10 => frame(0x6, source.byte() & 1, 0, b"pingpong"),
        11 => {
            let increment = [0_u32, 1, 4, 65_535, 0x7fff_0000, 0x7fff_ffff, 0x8000_0001, 100_000][source.below(8)];
            frame(0x8, 0, if source.byte().is_multiple_of(2) { stream } else { 0 }, &increment.to_be_bytes())
        }
        12 => {
            let flags = source.byte() & 0x4;
            frame(0x9, flags, stream, &fields(source))
        }
        13 => frame(0x2, 0, stream, &[0, 0, 0, source.byte() % 8, 9]),
        14 => frame(0x7, 0, 0, &[0; 8]),
        15 => {
            let head = [source.byte() % 18, source.byte(), source.byte() % 8];
            let length = source.below(24);
            frame(head[0], head[1], head[2].into(), &source.take(length))
        }
        // A whole request in pieces.
        16 => {
            let block = request("GET");
            let cut = source.below(block.len());
            [frame(0x1, 0x1, stream, &block[..cut]), frame(0x9, 0x4, stream, &block[cut..])].concat()
        }
        _ => return Step::Answer { stream, end: source.byte().is_multiple_of(2) },
    };
    Step::Send(bytes)
}

/// The stream of a step: often a new one for a request, and the newest for the rest.
fn stream(source: &mut Source<'_>, kind: usize, newest: &mut u32) -> u32 {
    let choice = source.below(16);
    match choice {
        0 => 0,
        1 => 2,
        2..=5 => choice as u32 * 2 - 3,
        _ if kind < 5 || kind == 16 => {
            *newest += 2;
            *newest
        }
        _ => *newest,
    }
}

fn request(method: &str) -> Vec<u8> {
    // Scheme, path and authority from the static table.
    let mut block = vec![if method == "GET" { 0x82 } else { 0x83 }, 0x87, 0x84, 0x41, 9];
    block.extend(b"localhost");
    block
}

/// Some fields in any of the ways to write them.
fn fields(source: &mut Source<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for _ in 0..source.below(6) {
        let name = NAMES[source.below(NAMES.len())];
        let value = VALUES[source.below(VALUES.len())];
        match source.below(12) {
            way @ 0..=8 => {
                block.push([0x00, 0x10, 0x40][way / 3]);
                for string in [name, value] {
                    block.push(string.len() as u8);
                    block.extend(string.as_bytes());
                }
            }
            // An index, perhaps behind the tables.
            9 => block.push(0x80 | (source.byte() % 72)),
            // A size update.
            10 => block.push(0x20 | (source.byte() % 31)),
            _ => {
                let length = source.below(8);
                block.extend(source.take(length));
            }
        }
    }
    block
}

fn settings(source: &mut Source<'_>) -> Vec<u8> {
    let mut settings = Vec::new();
    for _ in 0..source.below(4) {
        let value = [0_u32, 1, 2, 100, 16_383, 16_384, 65_535, 0x7fff_ffff, 0x8000_0000, 1 << 24][source.below(10)];
        settings.extend([0, source.byte() % 10]);
        settings.extend(value.to_be_bytes());
    }
    settings
}

/// A payload with what its flags announce, or not quite.
fn decorated(flags: u8, payload: &[u8], source: &mut Source<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let padding = if flags & 0x8 != 0 { source.below(256) } else { 0 };
    if flags & 0x8 != 0 {
        bytes.push(padding as u8);
    }
    if flags & 0x20 != 0 {
        bytes.extend([0, 0, 0, source.byte() % 8, 1]);
    }
    bytes.extend(payload);
    if !source.byte().is_multiple_of(8) {
        bytes.extend(vec![0; padding]);
    }
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, l0, l1, l2] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![l0, l1, l2, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    /// Whether it may be of a block with a field that has an empty name, literally.
    pub may_be_nameless: bool,
    /// Whether it begins a stream that depends on itself.
    pub depends_on_itself: bool,
}

impl Frame {
    /// Whether its sender says nothing more on its stream.
    pub fn ends_stream(&self) -> bool {
        (matches!(self.kind, 0x0 | 0x1) && self.flags & 0x1 != 0) || self.kind == 0x3
    }

    /// Whether a header block goes on behind it.
    pub fn leaves_block_open(&self) -> bool {
        matches!(self.kind, 0x1 | 0x9) && self.flags & 0x4 == 0
    }
}

/// The frames of a part, as far as they are whole.
pub fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut bytes = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut frames = Vec::new();
    while let Some((&[l0, l1, l2, kind, flags, s0, s1, s2, s3], rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let payload = &rest[..length.min(rest.len())];
        let is_literal = |pair: &[u8]| matches!(pair, [0x00 | 0x10 | 0x40, 0x00 | 0x80]);
        let may_be_nameless = matches!(kind, 0x1 | 0x9) && payload.windows(2).any(is_literal);
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let priority = payload.get(usize::from(flags & 0x8 != 0)..).and_then(|rest| rest.first_chunk::<4>());
        let depends_on = priority.map(|bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff);
        let depends_on_itself = kind == 0x1 && flags & 0x20 != 0 && depends_on == Some(stream);
        frames.push(Frame { kind, flags, stream, may_be_nameless, depends_on_itself });
        bytes = rest.get(length..).unwrap_or_default();
    }
    frames
}
