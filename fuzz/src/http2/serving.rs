//! This server alone, and all that its owner may do: answers, writes, ends, waits. The other server has no part in it, as
//! its windows would differ. Whatever a client sends, no frame breaks the rules of a sender.

use super::script::{PREFACE, Step, script};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tickfan::h2::{Connection, ErrorCode, Event, LastStream, Limits, StreamId};

const LIMITS: Limits = Limits { streams: 100, head_bytes: 16_384, body_bytes: 16_384, reader_check: true };
const FRAME_BYTES_MAX: usize = 16_384;
const WRITES: usize = 6;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the client that the bytes describe; the owner's part is in the same bytes, read from their end.
///
/// # Panics
/// If a frame that the server sends breaks a rule.
pub fn serve(bytes: &[u8]) {
    let mut choices = bytes.iter().rev().copied().chain(std::iter::repeat(0));
    let mut next = || choices.next().unwrap_or(0);
    let mut server = Server::new();
    for (place, step) in script(bytes).iter().enumerate() {
        match step {
            // The windows of a client that speaks no HTTP/2 are not known.
            Step::Send(sent) if place == 0 && !sent.starts_with(PREFACE) => return,
            Step::Send(sent) => server.receive(sent),
            Step::Answer { .. } => server.act(0, next()),
        }
        server.act(next(), next());
    }
}

struct Server {
    connection: Connection,
    began: Instant,
    now: Instant,
    /// The streams that requests came on.
    asked: Vec<StreamId>,
    is_over: bool,
    /// The most that the client admits: on all streams, on a new one, and by its updates of each.
    window: i64,
    initial: i64,
    updates: BTreeMap<u32, i64>,
    /// What was sent of it.
    sent: i64,
    streams: BTreeMap<u32, Stream>,
    last_served: u32,
}

/// What was sent on a stream.
#[derive(Default)]
struct Stream {
    bytes: i64,
    has_head: bool,
    has_ended: bool,
    is_reset: bool,
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            connection: Connection::new(LIMITS, now, &mut Vec::new()),
            began: now,
            now,
            asked: Vec::new(),
            is_over: false,
            window: 65_535,
            initial: 65_535,
            updates: BTreeMap::new(),
            sent: 0,
            streams: BTreeMap::new(),
            last_served: u32::MAX,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        for (kind, flags, stream, payload) in frames(bytes.strip_prefix(PREFACE).unwrap_or(bytes)) {
            match (kind, payload) {
                (0x4, settings) if flags & 0x1 == 0 => {
                    for &[_, id, v0, v1, v2, v3] in settings.as_chunks::<6>().0 {
                        if id == 0x4 {
                            self.initial = self.initial.max(u32::from_be_bytes([v0, v1, v2, v3]).into());
                        }
                    }
                }
                (0x8, &[i0, i1, i2, i3]) => {
                    let more = i64::from(u32::from_be_bytes([i0, i1, i2, i3]) & 0x7fff_ffff);
                    let window = if stream == 0 { &mut self.window } else { self.updates.entry(stream).or_default() };
                    *window += more;
                }
                _ => {}
            }
        }
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let received = self.connection.receive(bytes, self.now, &mut out, &mut events);
        self.connection.wake(self.now, &mut events);
        for event in events {
            match event {
                Event::Request { stream, .. } => self.asked.push(stream),
                Event::Reset { stream, .. } => self.asked.retain(|other| *other != stream),
                Event::Room { .. } | Event::GoAway { .. } => {}
            }
        }
        self.check(&out);
        self.is_over |= received.is_err();
    }

    /// The owner does something with one of the streams.
    fn act(&mut self, what: u8, how: u8) {
        let (now, mut out) = (self.now, Vec::new());
        let stream = (!self.asked.is_empty()).then(|| self.asked[usize::from(how) % self.asked.len()]);
        let ended = match (what % 8, stream) {
            (0, Some(stream)) => {
                self.connection.respond(stream, http::StatusCode::OK, [], false, &mut out);
                Ok(())
            }
            (1 | 2, Some(stream)) => {
                self.connection.respond(stream, http::StatusCode::OK, [], false, &mut out);
                let block = Bytes::from(vec![b'x'; [1, 10, 300, 2_000, 20_000][usize::from(how) % 5]]);
                // Enough to use a window up.
                for _ in 0..WRITES {
                    self.connection.data(stream, &[&block, &block], usize::MAX, now, &mut out);
                }
                Ok(())
            }
            (3, Some(stream)) => {
                self.connection.finish(stream, &mut out);
                Ok(())
            }
            (4, Some(stream)) => {
                self.connection.reset(stream, ErrorCode::CANCEL, &mut out);
                Ok(())
            }
            (5, Some(stream)) => self.connection.cancel(stream, now, &mut out),
            (6, _) if how.is_multiple_of(16) => {
                let last = if how.is_multiple_of(32) { LastStream::Max } else { LastStream::Seen };
                self.connection.go_away(last, ErrorCode::NO_ERROR, &mut out);
                Ok(())
            }
            _ => {
                self.now += Duration::from_millis(u64::from(how) * 20);
                let before = self.now.checked_sub(PATIENCE).unwrap_or(self.began);
                self.connection.expire(before, self.now, &mut out)
            }
        };
        self.check(&out);
        self.is_over |= ended.is_err();
    }

    /// What a sender must not do (RFC 9113, sections 5.1, 6.8 and 6.9).
    fn check(&mut self, out: &[u8]) {
        assert!(!self.is_over || out.is_empty(), "frames behind the end of the connection");
        assert!(self.connection.streams() <= LIMITS.streams as usize);
        for (kind, flags, id, payload) in frames(out) {
            assert!(payload.len() <= FRAME_BYTES_MAX, "a frame of {} bytes", payload.len());
            match kind {
                0x0 | 0x1 => {
                    let stream = self.streams.entry(id).or_default();
                    assert!(!stream.has_ended && !stream.is_reset, "a frame behind the end of stream {id}");
                    stream.has_ended = flags & 0x1 != 0;
                    if kind == 0x1 {
                        let is_continue = payload.ends_with(b"\x08\x03100");
                        assert!(!stream.has_head, "a second head of stream {id}");
                        stream.has_head = !is_continue;
                        continue;
                    }
                    assert!(stream.has_head, "a body of stream {id} before its head");
                    stream.bytes += payload.len() as i64;
                    self.sent += payload.len() as i64;
                    let window = self.initial + self.updates.get(&id).copied().unwrap_or(0);
                    assert!(stream.bytes <= window, "{} bytes on stream {id} in {window}", stream.bytes);
                    assert!(self.sent <= self.window, "{} bytes in {}", self.sent, self.window);
                }
                0x3 => {
                    let stream = self.streams.entry(id).or_default();
                    assert!(!stream.is_reset, "a second reset of stream {id}");
                    stream.is_reset = true;
                }
                0x7 => {
                    let last = u32::from_be_bytes(payload[..4].try_into().expect("four bytes"));
                    assert!(last <= self.last_served, "GOAWAY names {last} after {}", self.last_served);
                    self.last_served = last;
                }
                _ => {}
            }
        }
    }
}

/// The frames in some bytes, as far as they are whole: type, flags, stream, payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, &[u8])> {
    let mut frames = Vec::new();
    while let Some((&[l0, l1, l2, kind, flags, s0, s1, s2, s3], rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let Some(payload) = rest.get(..length) else { break };
        frames.push((kind, flags, u32::from_be_bytes([s0, s1, s2, s3]) & 0x7fff_ffff, payload));
        bytes = &rest[length..];
    }
    frames
}
