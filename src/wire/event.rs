//! The named events: `hello`, `symbols`, `heartbeat` and `bye`.

use super::{Epoch, StreamName};
use crate::market::{Symbol, UnixMicros};
use bytes::Bytes;
use std::time::Duration;

/// The first event of a stream: its name, its clock and its symbols.
#[derive(Debug)]
pub struct Hello<'a> {
    /// How long a client waits before it reconnects.
    pub retry: Duration,
    /// The stream's name on the admin listener.
    pub stream: StreamName,
    /// The epoch of the sequence numbers.
    pub epoch: Epoch,
    /// The current time by the gateway's clock.
    pub now: UnixMicros,
    /// The symbols that the stream carries.
    pub symbols: &'a [Symbol],
    /// The requested symbols that no feed has.
    pub unknown: &'a [Symbol],
}

/// A `hello` that lacks the name by which its stream is changed: that says where the stream is.
#[derive(Debug)]
pub struct HelloDraft(Vec<u8>);

/// The `symbols` event: the list of a stream from here on.
#[derive(Debug)]
pub struct ListChange<'a> {
    /// The number of the change.
    pub rev: u64,
    /// The epoch of the sequence numbers.
    pub epoch: Epoch,
    /// The symbols that the stream carries.
    pub symbols: &'a [Symbol],
    /// The requested symbols that no feed has.
    pub unknown: &'a [Symbol],
}

/// An encoded `symbols` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEvent {
    /// The whole event.
    pub block: Bytes,
    /// Its JSON alone.
    pub json: Bytes,
}

/// Why the server ends a stream that can still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bye {
    /// The gateway shuts down.
    Shutdown,
    /// The gateway has reached a limit of streams.
    Busy,
}

/// How long the name may be by which a stream is changed; a longer one costs an allocation.
const CONTROL_BYTES: usize = 64;

/// Encodes a `hello`, with its `retry:`.
pub fn hello(hello: &Hello<'_>) -> HelloDraft {
    let mut out = Vec::with_capacity(176 + CONTROL_BYTES + 16 * (hello.symbols.len() + hello.unknown.len()));
    write_retry(&mut out, hello.retry);
    out.extend_from_slice(b"event: hello\ndata: {\"stream\":\"");
    out.extend_from_slice(hello.stream.as_str().as_bytes());
    out.extend_from_slice(b"\",\"epoch\":\"");
    hello.epoch.write_to(&mut out);
    out.extend_from_slice(b"\",\"now\":");
    write_integer(&mut out, hello.now.0);
    out.extend_from_slice(b",\"symbols\":");
    write_symbols(&mut out, hello.symbols);
    out.extend_from_slice(b",\"unknown\":");
    write_symbols(&mut out, hello.unknown);
    HelloDraft(out)
}

impl HelloDraft {
    /// The event. `control` is the name by which the stream is changed, of characters that JSON does not escape.
    pub fn with_control(self, control: &str) -> Bytes {
        let mut out = self.0;
        out.extend_from_slice(b",\"control\":\"");
        out.extend_from_slice(control.as_bytes());
        out.extend_from_slice(b"\"}\n\n");
        out.into()
    }
}

impl ListChange<'_> {
    /// Encodes it.
    pub fn event(&self) -> ListEvent {
        const BEFORE: &[u8] = b"event: symbols\ndata: ";
        let mut out = Vec::with_capacity(96 + 16 * (self.symbols.len() + self.unknown.len()));
        out.extend_from_slice(BEFORE);
        out.extend_from_slice(b"{\"rev\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.rev).as_bytes());
        out.extend_from_slice(b",\"epoch\":\"");
        self.epoch.write_to(&mut out);
        out.extend_from_slice(b"\",\"symbols\":");
        write_symbols(&mut out, self.symbols);
        out.extend_from_slice(b",\"unknown\":");
        write_symbols(&mut out, self.unknown);
        out.push(b'}');
        let json = BEFORE.len()..out.len();
        out.extend_from_slice(b"\n\n");
        let block = Bytes::from(out);
        ListEvent { json: block.slice(json), block }
    }
}

/// Encodes a `heartbeat`, which is sent after silence so that a page notices a dead connection.
pub fn heartbeat(now: UnixMicros) -> Bytes {
    let mut out = Vec::with_capacity(56);
    out.extend_from_slice(b"event: heartbeat\ndata: {\"now\":");
    write_integer(&mut out, now.0);
    out.extend_from_slice(b"}\n\n");
    out.into()
}

/// Encodes a `bye`, with the `retry:` that spreads the reconnects of the clients.
pub fn bye(reason: Bye, retry: Duration) -> Bytes {
    let mut out = Vec::with_capacity(56);
    write_retry(&mut out, retry);
    out.extend_from_slice(match reason {
        Bye::Shutdown => b"event: bye\ndata: {\"reason\":\"shutdown\"}\n\n",
        Bye::Busy => b"event: bye\ndata: {\"reason\":\"busy\"}\n\n",
    });
    out.into()
}

fn write_retry(out: &mut Vec<u8>, retry: Duration) {
    out.extend_from_slice(b"retry: ");
    write_integer(out, i64::try_from(retry.as_millis()).unwrap_or(i64::MAX));
    out.push(b'\n');
}

fn write_symbols(out: &mut Vec<u8>, symbols: &[Symbol]) {
    out.push(b'[');
    for (index, symbol) in symbols.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(symbol.as_str().as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

fn write_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_event_has_its_bytes() {
        let symbols: Vec<Symbol> = ["AAPL", "BRK.B"].map(|text| text.parse().unwrap()).into();
        let draft = hello(&Hello {
            retry: Duration::from_millis(2500),
            stream: StreamName::new(20),
            epoch: Epoch::new(1 << 16),
            now: UnixMicros(1_732_283_045_124_040),
            symbols: &symbols,
            unknown: &symbols[..1],
        });
        let block = draft.with_control("ab-_9");
        assert_eq!(
            std::str::from_utf8(&block).unwrap(),
            "retry: 2500\nevent: hello\ndata: {\"stream\":\"00000000000k\",\"epoch\":\"1\",\"now\":1732283045124040,\
             \"symbols\":[\"AAPL\",\"BRK.B\"],\"unknown\":[\"AAPL\"],\"control\":\"ab-_9\"}\n\n"
        );
        let epoch = Epoch::new(1 << 16);
        let event = ListChange { rev: 3, epoch, symbols: &symbols, unknown: &[] }.event();
        assert_eq!(event.json, "{\"rev\":3,\"epoch\":\"1\",\"symbols\":[\"AAPL\",\"BRK.B\"],\"unknown\":[]}");
        assert_eq!(event.block, [b"event: symbols\ndata: ", &event.json[..], b"\n\n"].concat());
        assert_eq!(heartbeat(UnixMicros(7)), "event: heartbeat\ndata: {\"now\":7}\n\n");
        assert_eq!(bye(Bye::Busy, Duration::from_secs(5)), "retry: 5000\nevent: bye\ndata: {\"reason\":\"busy\"}\n\n");
        assert_eq!(
            bye(Bye::Shutdown, Duration::from_secs(1)),
            "retry: 1000\nevent: bye\ndata: {\"reason\":\"shutdown\"}\n\n"
        );
    }
}
